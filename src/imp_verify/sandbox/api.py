"""The V1 REST calls over the state machine: parameters in, envelope and status out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imp_verify.sandbox import search
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.breaking import Broken
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.errors import (
    NO_NUMBER,
    NO_REASON,
    NOTHING_TO_CANCEL,
    Refused,
    unknown_payment,
)
from imp_verify.sandbox.exact import LONGEST, as_amount, dumps, read_fields
from imp_verify.sandbox.guard import read_body
from imp_verify.sandbox.ledger import Group
from imp_verify.sandbox.opening import KOREA, LONGEST_NUMBER
from imp_verify.sandbox.registrations import Registration
from imp_verify.sandbox.sandbox import Sandbox

MOST_AT_ONCE = 100
LONGEST_REASON = 256
_REFUND = ("refund_holder", "refund_bank", "refund_account")
_WITH_PHONE = frozenset({"smartro", "smartro_v2"})
"""The PGs that want refund_tel for a virtual account."""


class Answer(NamedTuple):
    """What a call found, and the HTTP status where it is not 200."""

    response: object
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call as a value."""

    sandbox: Sandbox
    account: str
    tier: str | None
    path: dict[str, str]
    query: QueryParams
    fields: dict[str, object]

    @property
    def group(self) -> Group:
        """Who calls: the attempts of this group may be seen."""
        return self.account, self.tier

    def attempt(self, imp_uid: str) -> Attempt:
        """Return one of the caller's attempts, or raise Refused."""
        attempt = self.sandbox.gateway.attempt(imp_uid)
        if (attempt.account, attempt.tier) != self.group:
            raise unknown_payment()
        return attempt

    def known(self, imp_uid: str) -> list[Attempt]:
        """Return one of the caller's attempts as a list, empty where there is none."""
        try:
            return [self.attempt(imp_uid)]
        except Refused:
            return []

    def of_order(self, merchant_uid: str) -> list[Attempt]:
        """Return the caller's attempts for an order number."""
        return self.sandbox.gateway.attempts_of(self.group, merchant_uid)

    def number(self, name: str, default: int) -> int:
        """Read a whole number of the query."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > LONGEST:
            raise Refused(f"{name} 값이 올바르지 않습니다.", code=-1, status=400)
        return int(text)

    def amount(self, name: str) -> Decimal | None:
        """Read an optional amount of the body."""
        value = self.fields.get(name)
        if value in (None, ""):
            return None
        amount = as_amount(value)
        if amount is None or amount < 0:
            raise Refused(f"{name} 값이 올바르지 않습니다.")
        return amount

    def text(self, name: str) -> str | None:
        """Read an optional text of the body; a number is one too."""
        value = self.fields.get(name)
        if value in (None, ""):
            return None
        if isinstance(value, bool | list | dict):
            raise Refused(f"{name} 값이 올바르지 않습니다.")
        return str(value)


def _payment(call: Call) -> Answer:
    attempt = call.attempt(call.path["imp_uid"])
    if attempt.sandbox and call.query.get("include_sandbox", "").lower() != "true":
        raise unknown_payment()
    return Answer(attempt.wire())


def _payments(call: Call) -> Answer:
    imp_uids = call.query.getlist("imp_uid[]")
    merchant_uids = call.query.getlist("merchant_uid[]")
    if not 0 < len(imp_uids) + len(merchant_uids) <= MOST_AT_ONCE:
        raise Refused("해당되는 결제건을 찾지 못하였습니다.", code=-1, status=404)
    parts = [*map(call.known, imp_uids), *map(call.of_order, merchant_uids)]
    found = {attempt.number: attempt for part in parts for attempt in part}
    if not found:
        raise Refused("해당되는 결제건을 찾지 못하였습니다.", code=-1, status=404)
    return Answer([found[number].wire() for number in sorted(found)], 200 if all(parts) else 207)


def _of_order(call: Call) -> list[Attempt]:
    known = call.of_order(call.path["merchant_uid"])
    if not known:
        raise unknown_payment()
    sorting = call.query.get("sorting", "-started")
    return search.sort(search.with_status(known, call.path.get("payment_status")), sorting)


def _find(call: Call) -> Answer:
    found = _of_order(call)
    if not found:
        raise unknown_payment()
    return Answer(found[0].wire())


def _find_all(call: Call) -> Answer:
    page, limit = call.number("page", 1), call.number("limit", 20)
    found = _of_order(call)
    first = search.first_of(page, limit, len(found), strict=False)
    return Answer(search.page_of(found[first : first + limit], page, limit, len(found)))


def _status(call: Call) -> Answer:
    status = search.check_status(call.path["payment_status"])
    end = call.number("to", call.sandbox.gateway.now())
    start = call.number("from", end - search.LONGEST_WINDOW)
    search.check_window(start, end)
    page, limit = call.number("page", 1), call.number("limit", 20)
    total, found = call.sandbox.gateway.listed(
        call.group,
        status,
        start,
        end,
        sorting=search.check_sorting(call.query.get("sorting", "-started")),
        place=lambda total: (search.first_of(page, limit, total, strict=True), limit),
    )
    return Answer(search.page_of(found, page, limit, total))


def _registration(call: Call) -> Registration:
    merchant_uid, amount = call.text("merchant_uid"), call.amount("amount")
    if merchant_uid is None or amount is None:
        raise Refused("merchant_uid, amount 파라메터가 누락되었습니다.")
    if len(merchant_uid) > LONGEST_NUMBER:
        raise Refused(f"merchant_uid는 {LONGEST_NUMBER}자 이하여야 합니다.")
    return Registration(merchant_uid, amount, call.text("currency"))


def _prepare(call: Call) -> Answer:
    registrations = call.sandbox.gateway.registrations
    return Answer(registrations.add(call.account, _registration(call)).wire())


def _change_prepared(call: Call) -> Answer:
    registrations = call.sandbox.gateway.registrations
    return Answer(registrations.change(call.account, _registration(call)).wire())


def _prepared(call: Call) -> Answer:
    registrations = call.sandbox.gateway.registrations
    return Answer(registrations.get(call.account, call.path["merchant_uid"]).wire())


def _cancel(call: Call) -> Answer:
    attempt = _to_cancel(call)
    amount, checksum = call.amount("amount"), call.amount("checksum")
    reason = call.text("reason") or NO_REASON
    if len(reason) > LONGEST_REASON:
        raise Refused(f"reason은 {LONGEST_REASON}자 이하여야 합니다.")
    part = call.sandbox.gateway.cancellable(attempt.imp_uid, amount=amount, checksum=checksum)
    for name in ("tax_free", "vat_amount"):
        if (call.amount(name) or 0) > part:
            raise Refused(f"{name} 값이 취소 요청금액을 초과합니다.")
    _check_way_back(call, attempt)
    cancelled = call.sandbox.refund(
        attempt.imp_uid,
        amount=amount,
        checksum=checksum,
        reason=reason,
        webhook=str(call.fields.get("enable_webhook", False)).lower() == "true"
        and call.sandbox.webhooks.told_of(attempt.imp_uid),
    )
    return Answer(cancelled.wire())


def _check_way_back(call: Call, attempt: Attempt) -> None:
    """Raise Refused where the money has no way back: no account to send it to, or too late.

    Source: V1 REST API, POST /payments/cancel; cancel pages of V1.
    """
    needed: tuple[str, ...] = _REFUND if attempt.pay_method == "vbank" else ()
    if needed and attempt.pg_provider in _WITH_PHONE:
        needed = (*needed, "refund_tel")
    if missing := [name for name in needed if call.text(name) is None]:
        raise Refused(f"환불계좌 정보가 누락되었습니다. ({', '.join(missing)})")
    if attempt.pay_method != "phone":
        return
    now = call.sandbox.gateway.now()
    to_account = attempt.pg_provider == "kcp" and all(map(call.text, _REFUND))
    if _month(attempt.paid_at) != _month(now) and not to_account:
        raise Refused("휴대폰 소액결제는 결제한 달에만 취소할 수 있습니다.")


def _month(seconds: int) -> tuple[int, int]:
    date = datetime.fromtimestamp(seconds, KOREA)
    return date.year, date.month


def _to_cancel(call: Call) -> Attempt:
    imp_uid, merchant_uid = call.text("imp_uid"), call.text("merchant_uid")
    if imp_uid is None and merchant_uid is None:
        raise Refused(NO_NUMBER)
    found = call.known(imp_uid) if imp_uid else search.sort(call.of_order(merchant_uid or ""))
    if not found:
        raise Refused(NOTHING_TO_CANCEL)
    return next((attempt for attempt in found if attempt.remaining), found[0])


def _balance(call: Call) -> Answer:
    attempt = call.attempt(call.path["imp_uid"])
    raise Refused(f"{attempt.pg_provider}: PAYCO 결제만 조회할 수 있습니다.", code=-1, status=405)


def _edit_account(call: Call) -> Answer:
    imp_uid = call.attempt(call.path["imp_uid"]).imp_uid
    due = call.amount("vbank_due")
    if due is not None and due > LATEST:
        raise Refused("vbank_due 값이 올바르지 않습니다.")
    gateway = call.sandbox.gateway
    edited = gateway.edit_account(imp_uid, call.amount("amount"), None if due is None else int(due))
    return Answer(edited.wire())


def _kill_account(call: Call) -> Answer:
    imp_uid = call.attempt(call.path["imp_uid"]).imp_uid
    return Answer(call.sandbox.gateway.kill_account(imp_uid).wire())


# Longer paths first: /payments/{imp_uid} would take "prepare" for an id.
_CALLS: list[tuple[str, str, str, Callable[[Call], Answer]]] = [
    ("payments", "GET", "/payments", _payments),
    ("prepare", "POST", "/payments/prepare", _prepare),
    ("prepare", "PUT", "/payments/prepare", _change_prepared),
    ("prepare", "GET", "/payments/prepare/{merchant_uid}", _prepared),
    ("cancel", "POST", "/payments/cancel", _cancel),
    ("find", "GET", "/payments/find/{merchant_uid}", _find),
    ("find", "GET", "/payments/find/{merchant_uid}/{payment_status}", _find),
    ("find_all", "GET", "/payments/findAll/{merchant_uid}", _find_all),
    ("find_all", "GET", "/payments/findAll/{merchant_uid}/", _find_all),
    ("find_all", "GET", "/payments/findAll/{merchant_uid}/{payment_status}", _find_all),
    ("status", "GET", "/payments/status/{payment_status}", _status),
    ("balance", "GET", "/payments/{imp_uid}/balance", _balance),
    ("payment", "GET", "/payments/{imp_uid}", _payment),
    ("vbank", "PUT", "/vbanks/{imp_uid}", _edit_account),
    ("vbank", "DELETE", "/vbanks/{imp_uid}", _kill_account),
]


Hop = Callable[[Callable[[Call], Answer], Call], Awaitable[Answer]]


async def in_thread(handle: Callable[[Call], Answer], call: Call) -> Answer:
    """Answer a call in a thread: one that sends a webhook waits for the shop."""
    return await run_in_threadpool(handle, call)


def routes(sandbox: Sandbox, hop: Hop = in_thread) -> list[Route]:
    """Make the routes of all calls, each answered by way of `hop`."""
    made = [
        Route(path, _faulty(sandbox, name, _endpoint(sandbox, handle, hop)), methods=[method])
        for name, method, path, handle in _CALLS
    ]
    token = _faulty(sandbox, "token", _token_endpoint(sandbox))
    return [Route("/users/getToken", token, methods=["POST"]), *made]


def envelope(
    response: object, *, code: int = 0, message: str | None = None, status: int = 200
) -> Response:
    """Write the gateway's envelope."""
    text = dumps({"code": code, "message": message, "response": response})
    return Response(text, status, media_type="application/json;charset=UTF-8")


def refusal(error: Refused) -> Response:
    """Write a refusal."""
    return envelope(None, code=error.code, message=error.message, status=error.status)


_Endpoint = Callable[[Request], Awaitable[Response]]


def _faulty(sandbox: Sandbox, name: str, answer: _Endpoint) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        fault = sandbox.faults.take(name)
        if fault is None:
            return await answer(request)
        if fault.carried_out:
            return Broken(await answer(request), fault.truncate)
        return Response(fault.body, fault.status, media_type=fault.content_type)

    return endpoint


def _endpoint(sandbox: Sandbox, handle: Callable[[Call], Answer], hop: Hop) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            call = await _read(sandbox, request)
            answer = await hop(handle, call)
        except Refused as error:
            return refusal(error)
        return envelope(answer.response, status=answer.status)

    return endpoint


def _token_endpoint(sandbox: Sandbox) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            fields = await _fields(request)
            token = sandbox.gateway.issue_token(fields.get("imp_key"), fields.get("imp_secret"))
        except Refused as error:
            return refusal(error)
        return envelope(token.wire(sandbox.gateway.now()))

    return endpoint


async def _read(sandbox: Sandbox, request: Request) -> Call:
    account = sandbox.gateway.account_of(request.headers.get("authorization", ""))
    return Call(
        sandbox,
        account.key,
        request.headers.get("tier") or None,
        # The path came undecoded, so that an encoded slash stays inside its segment.
        {name: unquote(value) for name, value in request.path_params.items()},
        request.query_params,
        await _fields(request),
    )


async def _fields(request: Request) -> dict[str, object]:
    try:
        return read_fields(await read_body(request), request.headers.get("content-type", ""))
    except ValueError as error:
        raise Refused("요청 본문을 읽을 수 없습니다.", code=-1, status=400) from error
