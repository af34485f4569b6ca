"""What a shop's page asks: the SDK's stand-in, and the payment window that it opens or closes."""

from __future__ import annotations

import logging
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from imp_verify.sandbox._http.connection import Faulty
from imp_verify.sandbox._http.responses import TYPES, fresh, package_file
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.browser import (
    MOBILE,
    PC,
    V1,
    VERSIONS,
    Visit,
    callback,
    leaves,
    popup_closed,
    refused,
    version_of,
)
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import dumps, loads
from imp_verify.sandbox.faults import SCRIPT, WINDOW, Fault, Target
from imp_verify.sandbox.guard import (
    NOT_JSON,
    NOT_THIS_ORIGIN,
    is_foreign,
    is_json,
    is_shop,
    read_body,
)
from imp_verify.sandbox.pgs import PGS, Pg
from imp_verify.sandbox.sandbox import Sandbox

_log = logging.getLogger("imp_verify")
NO_WINDOW = "결제창을 열 수 없습니다."


class Sdk:
    """The endpoints that the script of a shop's page meets, over one sandbox.

    Args:
        sandbox: The sandbox.
        visits: How each buyer came to the window, by imp_uid; filled here.
    """

    def __init__(self, sandbox: Sandbox, visits: dict[str, Visit]) -> None:
        self._sandbox = sandbox
        self._visits = visits

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/v1/iamport.js", self._sdk),
            Route("/js/iamport.payment-{number}.js", self._sdk),
            Route("/window", self._open, methods=["POST"]),
            Route("/window", self._preflight, methods=["OPTIONS"]),
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
            "pgs": {code: shown for code, row in PGS.items() if (shown := _for_script(row))},
            "channels": {key: pg for key, (pg, _) in self._sandbox.gateway.channels.items()},
        }
        text = package_file("iamport.js").replace("__CONFIG__", dumps(config))
        whole = fresh(Response(text, media_type=TYPES["js"]))
        fault = self._sandbox.faults.take(Target(SCRIPT, request.method, request.url.path))
        return Faulty(whole, fault) if fault else whole

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
            if not isinstance(wanted, dict):
                return _for_page(Response("{}", media_type="application/json"), request)
            if "closed" not in wanted and (fault := self._sandbox.faults.take(_target(wanted))):
                return self._faulty(fault, wanted, request)
            answer = await self._answer(wanted, request)
        except ValueError as error:
            return _for_page(PlainTextResponse(str(error), 400), request)
        return _for_page(Response(dumps(answer), media_type="application/json"), request)

    def _faulty(self, fault: Fault, wanted: dict[str, object], request: Request) -> Response:
        """Refuse as a fault says, by an answer that the page understands, or spoil the answer."""
        if fault.status is not None and not (fault.html or fault.empty or fault.huge):
            number, version = _params(wanted).get("merchant_uid"), _version(wanted)
            code = "F500" if fault.status >= 500 else "F400"
            told = {"refused": refused(number, fault.body or NO_WINDOW, version, code)}
            return _for_page(Response(dumps(told), media_type="application/json"), request)
        answer = self._opened(wanted, request) if fault.carried_out else {}
        whole = Response(dumps(answer), media_type="application/json")
        return Faulty(_for_page(whole, request), fault)

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
        params, version = _params(wanted), _version(wanted)
        number = params.get("merchant_uid")
        try:
            attempt = self._open_for(params, wanted, request.headers.get("user-agent"))
        except Refused as error:
            return {"refused": refused(number, error.message, version)}
        settings, back = self._sandbox.settings, params.get("m_redirect_url")
        back = back if isinstance(back, str) and back else None
        left = bool(back and wanted.get("redirect"))
        self._visits[attempt.imp_uid] = Visit(
            version,
            request.headers.get("origin"),
            back if left else None,
            str(params.get("language") or settings.language),
            back,
            tuple(
                device
                for device in (PC, MOBILE)
                if back and leaves(attempt.pg, device, params, settings.redirect)
            ),
            left,
        )
        after = self._sandbox.settings.frame_seconds
        return {"imp_uid": attempt.imp_uid, "path": f"/window/{attempt.imp_uid}", "after": after}

    def _open_for(
        self, params: dict[str, object], wanted: dict[str, object], user_agent: str | None
    ) -> Attempt:
        tier = wanted.get("tier")
        return self._sandbox.open(
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
        return {"result": heard(self._sandbox, "close", tell(attempt, visit.version))}


def _for_script(row: Pg) -> dict[str, object]:
    """Return what of a PG decides on the page's side, as far as it is not as usual."""
    facts = {
        "leaves": row.redirect_on_pc,
        "unless": row.redirect_unless,
        "callback": row.callback_on_mobile,
        "popup": row.popup,
    }
    return {name: value for name, value in facts.items() if value}


def _params(wanted: dict[str, object]) -> dict[str, object]:
    params = wanted.get("params")
    return params if isinstance(params, dict) else {}


def _version(wanted: dict[str, object]) -> str:
    version = str(wanted.get("version"))
    return version if version in VERSIONS else V1


def _target(wanted: dict[str, object]) -> Target:
    number = _params(wanted).get("merchant_uid")
    return Target(
        WINDOW, "POST", "/window", merchant_uid=number if isinstance(number, str) else None
    )


def heard(sandbox: Sandbox, action: str, result: dict[str, object]) -> dict[str, object] | None:
    """Leave out what no callback tells of."""
    return None if action == "close" and sandbox.settings.silent_close else result


def _for_page(response: Response, request: Request) -> Response:
    """Let the shop's page read the answer, and send what it asks: JSON, nothing else."""
    if origin := request.headers.get("origin"):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Vary"] = "Origin"
    return response
