"""The control calls about payments: made, changed, and what a buyer, a bank or a clerk does."""

from __future__ import annotations

from collections.abc import Callable

from imp_verify.sandbox import journal
from imp_verify.sandbox._http.control.declare import Amount, Asked, Field, Line, Operation, Whole
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.kinds import Flag, OneOf
from imp_verify.sandbox.opening import LONGEST_NUMBER
from imp_verify.sandbox.sandbox import MEANWHILE, Sandbox
from imp_verify.sandbox.search import STATUSES
from imp_verify.sandbox.settings import LONGEST_DELAY

PAGE = 100
LONGEST_PAGE = 1000
_OPENING = ("user_code", "tier", "channel")


def _payments(sandbox: Sandbox, asked: Asked) -> object:
    values = dict(asked.values)
    page, limit = values.pop("page", 1), values.pop("limit", PAGE)
    total, part = sandbox.gateway.newest((page - 1) * limit, limit, **values)
    return {"total": total, "page": page, "list": [attempt.wire() for attempt in part]}


def _payment(sandbox: Sandbox, asked: Asked) -> object:
    return sandbox.gateway.attempt(asked.path["imp_uid"]).wire()


def _make(sandbox: Sandbox, asked: Asked) -> object:
    """Make one payment and show it, or a list of them and name their ids."""
    if isinstance(asked.body, list):
        made = sandbox.gateway.make_all(asked.body)
        sandbox.journal.add(journal.CONTROL, step="made", payments=len(made))
        return [attempt.imp_uid for attempt in made]
    if not isinstance(asked.body, dict):
        raise ValueError("the body is neither an object of fields nor a list of them")
    return _told(sandbox, "made", sandbox.gateway.make(**asked.body))


def _change(sandbox: Sandbox, asked: Asked) -> object:
    if not isinstance(asked.body, dict):
        raise ValueError("the body is no object of fields")
    changed = sandbox.gateway.change(asked.path["imp_uid"], **asked.body)
    return _told(sandbox, "changed", changed)


def _told(sandbox: Sandbox, step: str, attempt: Attempt) -> object:
    ids = {"imp_uid": attempt.imp_uid, "merchant_uid": attempt.merchant_uid}
    sandbox.journal.add(journal.CONTROL, **ids, step=step, status=attempt.status)
    return attempt.wire()


def _open(sandbox: Sandbox, asked: Asked) -> object:
    if not isinstance(asked.body, dict):
        raise ValueError("the body is no object of the parameters of request_pay")
    ours = [each.name for each in _ESSENTIAL.fields]
    read = _ESSENTIAL.read({name: asked.body[name] for name in ours if name in asked.body})
    of_page = {name: read[name] for name in _OPENING if name in read}
    params = {name: value for name, value in asked.body.items() if name not in _OPENING}
    return sandbox.open(params, **of_page).wire()


def _approve_late(sandbox: Sandbox, asked: Asked) -> object:
    return sandbox.approve_later(asked.path["imp_uid"], **asked.values).wire()


def _move(move: Callable[..., Attempt]) -> Callable[[Sandbox, Asked], object]:
    """Make a handler of a method of Sandbox that takes the payment and the call's fields."""
    return lambda sandbox, asked: move(sandbox, asked.path["imp_uid"], **asked.values).wire()


_ESSENTIAL = Operation(
    "POST",
    "/windows",
    "Open a payment window, as a page does by IMP.request_pay. Its further parameters go along.",
    _open,
    (
        Field("merchant_uid", Line(LONGEST_NUMBER), "the order", required=True),
        Field("amount", Amount(zero=True), "what is to be paid", required=True),
        Field("user_code", Line(200), "what the page called IMP.init with"),
        Field("tier", Line(200), "the sub-store's code"),
        Field("channel", OneOf(("pc", "mobile")), "the buyer's device"),
    ),
    free="parameters of request_pay",
)
_REASON = Field("reason", Line(256), "why")
_MOVES: tuple[tuple[str, str, Callable[..., Attempt], tuple[Field, ...]], ...] = (
    ("approve", "Let the payment through, as a buyer does.", Sandbox.approve, ()),
    ("decline", "Decline, as a card company does.", Sandbox.decline, ()),
    ("close", "Close the window.", Sandbox.close, ()),
    ("issue", "Issue the virtual account that it asked for.", Sandbox.issue_account, ()),
    (
        "deposit",
        "Pay into the account.",
        Sandbox.deposit,
        (
            Field("amount", Amount(), "what comes in: the payment's amount where left out"),
            Field("depositor", Line(100), "who pays in, on an unlimited account"),
        ),
    ),
    ("take-back", "Let the bank take the deposit back.", Sandbox.take_back, ()),
    ("expire", "Let the account end without a deposit.", Sandbox.expire, ()),
    (
        "cancel",
        "Give money back, as the console does: with a webhook.",
        Sandbox.cancel,
        (Field("amount", Amount(), "a part; all that is left where left out"), _REASON),
    ),
)
OPERATIONS = (
    Operation(
        "GET",
        "/payments",
        "The payments of all accounts, newest first.",
        _payments,
        (
            Field("imp_uid", Line(200), "only this one"),
            Field("merchant_uid", Line(200), "only those for this order"),
            Field("status", OneOf((*STATUSES, "pending")), "only those of this status"),
            Field("page", Whole(1, 10**6), "1 where left out"),
            Field("limit", Whole(1, LONGEST_PAGE), f"of a page; {PAGE} where left out"),
        ),
        answers="PaymentPage",
    ),
    Operation(
        "POST",
        "/payments",
        "Make a payment in any documented state, or a list of them, all or none. Nothing is sent.",
        _make,
        free="Payment",
        lists=True,
        answers="MadePayments",
    ),
    Operation(
        "POST",
        "/payments/scheduled",
        "Charge a stored card, as the gateway does at a time that was agreed, with a webhook.",
        lambda sandbox, asked: sandbox.charge_scheduled(**asked.values).wire(),
        (
            Field("customer_uid", Line(200), "the card's name", required=True),
            Field("merchant_uid", Line(LONGEST_NUMBER), "the order", required=True),
            Field("amount", Amount(), "how much", required=True),
            Field("name", Line(40), "the order's title"),
            Field("declined", Flag(), "whether the card company says no"),
        ),
    ),
    Operation("GET", "/payments/{imp_uid}", "One payment.", _payment),
    Operation(
        "PATCH",
        "/payments/{imp_uid}",
        "Change a payment into another that there can be. Nothing is sent.",
        _change,
        free="PaymentChange",
    ),
    _ESSENTIAL,
    *(
        Operation("POST", f"/payments/{{imp_uid}}/{name}", says, _move(move), fields)
        for name, says, move, fields in _MOVES
    ),
    Operation(
        "POST",
        "/payments/{imp_uid}/approve-late",
        "Approve once so many seconds have passed on the sandbox's clock, with a webhook then.",
        _approve_late,
        (
            Field("seconds", Whole(0, LONGEST_DELAY), "until then", required=True),
            Field("meanwhile", OneOf(MEANWHILE), "an open one until then; else as pending_is"),
        ),
    ),
)
