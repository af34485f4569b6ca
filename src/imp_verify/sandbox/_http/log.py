"""What the developer looks at: the payments and the journal, what can be done there, the files."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from imp_verify.sandbox import pages
from imp_verify.sandbox._http.responses import TYPES, package_file, page
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.journal import KINDS, Entry
from imp_verify.sandbox.pages.log import ENTRIES, PAGE, Asked, Seen
from imp_verify.sandbox.sandbox import Sandbox

_FILES = ("sandbox.css", "window.js", "log.js")
_LONGEST = 9
"""Digits of a number in a query."""


class Log:
    """The endpoints of the log's page, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._moves = {
            "approve": sandbox.approve,
            "issue": sandbox.issue_account,
            "decline": sandbox.decline,
            "close": sandbox.close,
            "deposit": sandbox.deposit,
            "expire": sandbox.expire,
            "take-back": sandbox.take_back,
            "cancel": sandbox.cancel,
        }

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/", self._overview),
            Route("/static/{name}", self._static),
            Route("/log/release", self._release, methods=["POST"]),
            Route("/log/deliveries/{number}/resend", self._resend, methods=["POST"]),
            Route("/log/payments/{imp_uid}/{move}", self._move, methods=["POST"]),
        ]

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return Response("Not Found", 404)
        return Response(package_file(name), media_type=TYPES[name.rpartition(".")[2]])

    async def _overview(self, request: Request) -> Response:
        return await run_in_threadpool(self._page, request)

    async def _release(self, request: Request) -> Response:
        await run_in_threadpool(self._sandbox.webhooks.release)
        await run_in_threadpool(self._sandbox.webhooks.deliver)
        return self._back(request)

    async def _resend(self, request: Request) -> Response:
        number = _number(request.path_params["number"])
        again = await run_in_threadpool(self._sandbox.webhooks.resend, number)
        return Response("Not Found", 404) if again is None else self._back(request)

    async def _move(self, request: Request) -> Response:
        move = self._moves.get(request.path_params["move"])
        if move is None:
            return Response("Not Found", 404)
        try:
            await run_in_threadpool(move, request.path_params["imp_uid"])
        except Refused as error:
            return await run_in_threadpool(self._page, request, error.message)
        return self._back(request)

    def _back(self, request: Request) -> Response:
        return RedirectResponse(f"/?{self._asked(request).query()}", 303)

    def _asked(self, request: Request) -> Asked:
        """Read what is to be shown; what no query has is as if it were left out."""
        given = request.query_params
        kind = given.get("kind", "")
        return Asked(
            "en" if (given.get("lang") or self._sandbox.settings.language) == "en" else "ko",
            given.get("imp_uid", "").strip(),
            given.get("merchant_uid", "").strip(),
            kind if kind in KINDS else "",
            _number(given.get("page")) or 1,
            _number(given.get("before")),
        )

    def _page(self, request: Request, message: str = "") -> Response:
        sandbox, asked = self._sandbox, self._asked(request)
        entries = sandbox.journal.after(0)
        found = list(islice(filter(_filter(asked), reversed(entries)), ENTRIES + 1))
        total, attempts = sandbox.gateway.newest(
            (asked.page - 1) * PAGE,
            PAGE,
            imp_uid=asked.imp_uid or None,
            merchant_uid=asked.merchant_uid or None,
        )
        seen = Seen(
            total,
            attempts,
            found[:ENTRIES],
            len(found) > ENTRIES,
            entries[-1].number if entries else 0,
            len(sandbox.webhooks.kept_back),
            next(iter(sandbox.settings.shops), ""),
            message,
        )
        text = sandbox.gateway.hide_secrets(pages.overview(seen, asked))
        return page(text, reads=True)


def _filter(asked: Asked) -> Callable[[Entry], bool]:
    def wanted(entry: Entry) -> bool:
        return (
            asked.imp_uid in ("", entry.imp_uid)
            and asked.merchant_uid in ("", entry.merchant_uid)
            and asked.kind in ("", entry.kind)
            and not 0 < asked.before <= entry.number
        )

    return wanted


def _number(text: str | None) -> int:
    known = text is not None and text.isascii() and text.isdigit() and len(text) <= _LONGEST
    return int(text) if known and text else 0
