"""The payment window over HTTP: its page, its buttons, and the payment's own page afterwards."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from imp_verify.sandbox import pages
from imp_verify.sandbox._http.responses import page
from imp_verify.sandbox._http.sdk import heard
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.browser import Visit, callback, return_address
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import as_amount
from imp_verify.sandbox.guard import read_body
from imp_verify.sandbox.sandbox import Sandbox

_OWN = "/"
"""As the target of a message: the sender's own origin."""
_BUYERS = frozenset({"approve", "issue", "decline", "close"})


class Window:
    """The endpoints of the window, over one sandbox.

    Args:
        sandbox: The sandbox.
        visits: How each buyer came here, by imp_uid; `Sdk` fills it.
    """

    def __init__(self, sandbox: Sandbox, visits: dict[str, Visit]) -> None:
        self._sandbox = sandbox
        self._visits = visits

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/window/{imp_uid}", self._show),
            Route("/window/{imp_uid}", self._arrive, methods=["POST"]),
            Route("/window/{imp_uid}/leaving", self._leaving),
            Route("/window/{imp_uid}/{action}", self._act, methods=["POST"]),
        ]

    async def _leaving(self, request: Request) -> Response:
        visit = self._visits.get(request.path_params["imp_uid"])
        return page(pages.leaving(visit.language if visit else "ko"), visit)

    async def _arrive(self, request: Request) -> Response:
        """Take a page that was posted here to its window, with an address that can be reloaded."""
        return RedirectResponse(f"/window/{quote(request.path_params['imp_uid'])}", 303)

    async def _show(self, request: Request) -> Response:
        try:
            attempt = self._sandbox.gateway.attempt(request.path_params["imp_uid"])
        except Refused as error:
            return PlainTextResponse(error.message, error.status)
        return self._page(attempt, self._language(request, attempt))

    def _page(self, attempt: Attempt, language: str, message: str = "") -> Response:
        visit = self._visits.get(attempt.imp_uid)
        if attempt.in_window:
            return page(pages.window(attempt, language, message), visit)
        shop = next(iter(self._sandbox.settings.shops), "")
        return page(pages.payment(attempt, language, message, shop), visit)

    async def _act(self, request: Request) -> Response:
        imp_uid, action = request.path_params["imp_uid"], request.path_params["action"]
        try:
            form = parse_qs((await read_body(request)).decode())
            attempt = await run_in_threadpool(self._do, imp_uid, action, form)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        except Refused as error:
            return self._after_refusal(imp_uid, error, request)
        visit = self._visits.get(imp_uid)
        if action not in _BUYERS or visit is None:
            return RedirectResponse(
                f"/window/{imp_uid}?lang={self._language(request, attempt)}", 303
            )
        if visit.redirect_url is not None:
            return RedirectResponse(return_address(attempt, visit), 302)
        result = heard(self._sandbox, action, callback(attempt, visit.version))
        return page(pages.finished(result, visit.origin or _OWN, visit.language), visit)

    def _do(self, imp_uid: str, action: str, form: dict[str, list[str]]) -> Attempt:
        sandbox = self._sandbox
        if action == "cancel":
            return sandbox.cancel(imp_uid, _part(form), form.get("reason", [None])[0])
        actions = {
            "approve": sandbox.approve,
            "issue": sandbox.issue_account,
            "decline": sandbox.decline,
            "close": sandbox.close,
            "deposit": sandbox.deposit,
        }
        if action not in actions:
            raise Refused("Not Found", status=404)
        return actions[action](imp_uid)

    def _after_refusal(self, imp_uid: str, error: Refused, request: Request) -> Response:
        try:
            attempt = self._sandbox.gateway.attempt(imp_uid)
        except Refused:
            return PlainTextResponse(error.message, error.status)
        return self._page(attempt, self._language(request, attempt), error.message)

    def _language(self, request: Request, attempt: Attempt | None = None) -> str:
        asked = request.query_params.get("lang")
        visit = self._visits.get(attempt.imp_uid) if attempt else None
        return asked or (visit.language if visit else self._sandbox.settings.language)


def _part(form: dict[str, list[str]]) -> Decimal | None:
    text = form.get("amount", [""])[0].replace(",", "").strip()
    amount = as_amount(text) if text else None
    if text and amount is None:
        raise Refused("취소할 금액이 올바르지 않습니다.")
    return amount
