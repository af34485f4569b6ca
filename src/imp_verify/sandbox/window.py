"""The browser's side over HTTP: the SDK's stand-in, the payment window and the list of payments."""

from __future__ import annotations

import logging
from contextlib import suppress
from decimal import Decimal
from importlib.resources import files
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from imp_verify.sandbox import pages
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.browser import (
    V1,
    VERSIONS,
    Visit,
    callback,
    popup_closed,
    refused,
    return_address,
    version_of,
)
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import as_amount, dumps, loads
from imp_verify.sandbox.guard import (
    NOT_JSON,
    NOT_THIS_ORIGIN,
    is_foreign,
    is_json,
    is_shop,
    read_body,
)
from imp_verify.sandbox.sandbox import Sandbox

_log = logging.getLogger("imp_verify")
_TYPES = {"css": "text/css", "js": "text/javascript"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'"
NO_WINDOW = "결제창을 열 수 없습니다."
_OWN = "/"
"""As the target of a message: the sender's own origin."""
_BUYERS = frozenset({"approve", "issue", "decline", "close"})


class Window:
    """The endpoints a browser meets, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._visits: dict[str, Visit] = {}

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/", self._overview),
            Route("/v1/iamport.js", self._sdk),
            Route("/js/iamport.payment-{number}.js", self._sdk),
            Route("/static/{name}", self._static),
            Route("/deliver", self._deliver, methods=["POST"]),
            Route("/window", self._open, methods=["POST"]),
            Route("/window", self._preflight, methods=["OPTIONS"]),
            Route("/window/{imp_uid}", self._show),
            Route("/window/{imp_uid}", self._arrive, methods=["POST"]),
            Route("/window/{imp_uid}/leaving", self._leaving),
            Route("/window/{imp_uid}/{action}", self._act, methods=["POST"]),
        ]

    async def _sdk(self, request: Request) -> Response:
        number = request.path_params.get("number")
        version = version_of(number) if number else V1
        if version is None:
            return Response("Not Found", 404)
        settings = self._sandbox.settings
        config = {
            "base": settings.public_url or f"{request.url.scheme}://{request.headers.get('host')}",
            "version": version,
            "redirect": settings.redirect,
        }
        text = _package_file("iamport.js").replace("__CONFIG__", dumps(config))
        return _fresh(Response(text, media_type=_TYPES["js"]))

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ("sandbox.css", "window.js"):
            return Response("Not Found", 404)
        return Response(_package_file(name), media_type=_TYPES[name.rpartition(".")[2]])

    async def _overview(self, request: Request) -> Response:
        webhooks = self._sandbox.webhooks
        attempts = self._sandbox.gateway.attempts()
        shop = next(iter(self._sandbox.settings.shops), "")
        known = (attempts, webhooks.deliveries, webhooks.pending)
        return _html(pages.overview(*known, self._language(request), shop))

    async def _deliver(self, request: Request) -> Response:
        await run_in_threadpool(self._sandbox.webhooks.deliver)
        return RedirectResponse("/", 303)

    def _allows(self, request: Request) -> bool:
        """Tell whether the sender may open a window: a shop's page, or no page at all."""
        origin = request.headers.get("origin")
        if origin is None:
            return not is_foreign(request.method, request.headers)
        return is_shop(origin, self._sandbox.settings.shops)

    async def _preflight(self, request: Request) -> Response:
        if not self._allows(request):
            return self._not_a_shop(request)
        return _for_page(Response(status_code=204), request)

    async def _open(self, request: Request) -> Response:
        if not self._allows(request):
            return self._not_a_shop(request)
        if self._sandbox.settings.unreachable:
            # To the page as good as none: it may not read it, nor tell it from a dead host.
            return PlainTextResponse("unreachable, as the setting says", 503)
        if not is_json(request):
            return _for_page(PlainTextResponse(NOT_JSON, 415), request)
        try:
            wanted = loads(await read_body(request))
            answer = await self._answer(wanted, request) if isinstance(wanted, dict) else {}
        except ValueError as error:
            return _for_page(PlainTextResponse(str(error), 400), request)
        return _for_page(Response(dumps(answer), media_type="application/json"), request)

    async def _answer(self, wanted: dict[str, object], request: Request) -> dict[str, object]:
        if "closed" in wanted:
            return await run_in_threadpool(self._closed, wanted, request.headers.get("origin"))
        return self._opened(wanted, request)

    @staticmethod
    def _not_a_shop(request: Request) -> Response:
        # The page itself is told nothing: its developer looks here.
        _log.warning(
            "no payment window for a page of %.100r: the setting `shops` names who may open one",
            request.headers.get("origin"),
        )
        return PlainTextResponse(NOT_THIS_ORIGIN, 403)

    def _opened(self, wanted: dict[str, object], request: Request) -> dict[str, object]:
        params = wanted.get("params")
        params = params if isinstance(params, dict) else {}
        number, version = params.get("merchant_uid"), str(wanted.get("version"))
        version = version if version in VERSIONS else V1
        if fault := self._sandbox.faults.take("window"):
            code = "F500" if fault.status >= 500 else "F400"
            return {"refused": refused(number, fault.body or NO_WINDOW, version, code)}
        try:
            attempt = self._open_for(params, wanted, request.headers.get("user-agent"))
        except Refused as error:
            return {"refused": refused(number, error.message, version)}
        back = params.get("m_redirect_url") if wanted.get("redirect") else None
        self._visits[attempt.imp_uid] = Visit(
            version,
            request.headers.get("origin"),
            str(back) if back else None,
            str(params.get("language") or self._sandbox.settings.language),
        )
        after = self._sandbox.settings.frame_seconds
        return {"imp_uid": attempt.imp_uid, "path": f"/window/{attempt.imp_uid}", "after": after}

    def _open_for(
        self, params: dict[str, object], wanted: dict[str, object], user_agent: str | None
    ) -> Attempt:
        tier = wanted.get("tier")
        return self._sandbox.gateway.open(
            params,
            user_code=str(wanted.get("userCode")),
            tier=str(tier) if tier else None,
            channel="mobile" if wanted.get("mobile") else "pc",
            user_agent=user_agent,
        )

    def _closed(self, wanted: dict[str, object], origin: str | None) -> dict[str, object]:
        """Hear from a page that its window is closed, and say what the callback gets, if it does.

        Only the page that opened a window may; whatever became of the payment before stands.
        """
        imp_uid = str(wanted["closed"])
        visit = self._visits.get(imp_uid)
        if visit is None or visit.origin != origin:
            return {"result": None}
        with suppress(Refused):  # it has ended meanwhile
            self._sandbox.close(imp_uid)
        attempt = self._sandbox.gateway.attempt(imp_uid)
        tell = popup_closed if wanted.get("popup") else callback
        return {"result": self._heard("close", tell(attempt, visit.version))}

    def _heard(self, action: str, result: dict[str, object]) -> dict[str, object] | None:
        """Leave out what no callback tells of."""
        return None if action == "close" and self._sandbox.settings.silent_close else result

    async def _leaving(self, request: Request) -> Response:
        visit = self._visits.get(request.path_params["imp_uid"])
        return _html(pages.leaving(visit.language if visit else "ko"), visit)

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
            return _html(pages.window(attempt, language, message), visit)
        shop = next(iter(self._sandbox.settings.shops), "")
        return _html(pages.payment(attempt, language, message, shop), visit)

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
        result = self._heard(action, callback(attempt, visit.version))
        return _html(pages.finished(result, visit.origin or _OWN, visit.language), visit)

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


def _for_page(response: Response, request: Request) -> Response:
    """Let the shop's page read the answer, and send what it asks: JSON, nothing else."""
    if origin := request.headers.get("origin"):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Vary"] = "Origin"
    return response


def _html(text: str, visit: Visit | None = None) -> Response:
    """Make a page of the sandbox; the page that opened a window may have it in a frame."""
    framed = (visit and visit.origin) or "'none'"
    policy = f"{_POLICY}; frame-ancestors {framed}"
    if visit is None or visit.redirect_url is None:
        policy += "; form-action 'self'"  # else the form leads on to the shop, wherever that leads
    headers = {"Content-Security-Policy": policy}
    return _fresh(HTMLResponse(text, headers=headers))


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _package_file(name: str) -> str:
    return (files("imp_verify.sandbox") / "static" / name).read_text(encoding="utf-8")
