"""The payment window over HTTP: its page, its buttons, and the payment's own page afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
from imp_verify.sandbox.browser import (
    MOBILE,
    NO_ID,
    NULL_ID,
    PC,
    SILENT,
    UNTRUE,
    USUAL,
    Visit,
    callback,
    return_address,
)
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import as_amount, decoded
from imp_verify.sandbox.guard import read_body
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.settings import check_delay

_CURRENCY = re.compile(r"[A-Z]{3}")
LONGEST_SECONDS = 8
"""Digits of a time."""
_OWN = "/"
"""As the target of a message: the sender's own origin."""
_BUYERS = {
    "approve": USUAL,
    "issue": USUAL,
    "decline": USUAL,
    "close": USUAL,
    "balance": USUAL,
    "tamper": USUAL,
    "late": USUAL,
    "leave": SILENT,
    "silent": SILENT,
    "lose": NULL_ID,
    "untrue": UNTRUE,
    "no-id": NO_ID,
}
"""What a buyer can do in an open window, and how the page is told of it."""
Form = Mapping[str, list[str]]


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
            top = bool(visit and visit.redirect_url and not visit.has_left)
            return page(pages.window(attempt, language, message, top=top), visit)
        shop = next(iter(self._sandbox.settings.shops), "")
        return page(pages.payment(attempt, language, message, shop), visit)

    async def _act(self, request: Request) -> Response:
        imp_uid, action = request.path_params["imp_uid"], request.path_params["action"]
        try:
            form = parse_qs(decoded(await read_body(request)))
            attempt = await run_in_threadpool(self._do, imp_uid, action, form)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        except Refused as error:
            return self._after_refusal(imp_uid, error, request)
        visit = self._visits.get(imp_uid)
        told = _BUYERS.get(action)
        if told is None or visit is None:
            return RedirectResponse(
                f"/window/{imp_uid}?lang={self._language(request, attempt)}", 303
            )
        if visit.redirect_url is not None and told != SILENT:
            return RedirectResponse(return_address(attempt, visit, told), 302)
        result = None
        if told != SILENT:
            result = heard(self._sandbox, action, callback(attempt, visit.version, told))
        return page(pages.finished(result, visit.origin or _OWN, visit.language), visit)

    def _do(self, imp_uid: str, action: str, form: Form) -> Attempt:
        sandbox = self._sandbox
        actions: dict[str, Callable[[], Attempt]] = {
            "approve": lambda: sandbox.approve(imp_uid),
            "issue": lambda: sandbox.issue_account(imp_uid),
            "decline": lambda: sandbox.decline(imp_uid),
            "close": lambda: sandbox.close(imp_uid),
            "balance": lambda: sandbox.approve(imp_uid, balance=True),
            "tamper": lambda: self._pay(imp_uid, _amount(form), _currency(form)),
            "late": lambda: sandbox.approve_later(imp_uid, _seconds(form)),
            "leave": lambda: sandbox.leave(imp_uid),
            "lose": lambda: sandbox.lose(imp_uid),
            "device": lambda: self._on_other_device(imp_uid),
            "deposit": lambda: sandbox.deposit(imp_uid),
            "cancel": lambda: sandbox.cancel(imp_uid, _amount(form, "취소할 "), _reason(form)),
        }
        for paid in ("silent", "untrue", "no-id"):
            actions[paid] = lambda: self._pay(imp_uid)
        if action not in actions:
            raise Refused("Not Found", status=404)
        return actions[action]()

    def _pay(
        self, imp_uid: str, amount: Decimal | None = None, currency: str | None = None
    ) -> Attempt:
        """Approve, or issue the account that was asked for."""
        is_account = self._sandbox.gateway.attempt(imp_uid).pay_method == "vbank"
        pay = self._sandbox.issue_account if is_account else self._sandbox.approve
        return pay(imp_uid, amount=amount, currency=currency)

    def _on_other_device(self, imp_uid: str) -> Attempt:
        attempt = self._sandbox.gateway.check_open(imp_uid)
        device = PC if attempt.channel == MOBILE else MOBILE
        if visit := self._visits.get(imp_uid):
            self._visits[imp_uid] = visit.on(device)
        return self._sandbox.gateway.edit(imp_uid, channel=device)

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


def _reason(form: Form) -> str | None:
    return form.get("reason", [None])[0]


def _amount(form: Form, which: str = "") -> Decimal | None:
    text = form.get("amount", [""])[0].replace(",", "").strip()
    amount = as_amount(text) if text else None
    if text and (amount is None or amount < 0):
        raise Refused(f"{which}금액이 올바르지 않습니다.")
    return amount


def _currency(form: Form) -> str | None:
    text = form.get("currency", [""])[0].strip().upper()
    if text and not _CURRENCY.fullmatch(text):
        raise Refused("통화는 영문 세 글자입니다.")
    return text or None


def _seconds(form: Form) -> int:
    text = form.get("seconds", [""])[0].strip()
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_SECONDS):
        raise Refused("시간은 초 단위의 숫자입니다.")
    try:
        return check_delay("seconds", int(text))
    except ValueError as error:
        raise Refused(str(error)) from error
