"""The control calls about what is sent to a shop, and the journal."""

from __future__ import annotations

from typing import NamedTuple

from imp_verify.sandbox._http.control.declare import Asked, Field, Line, Operation, Whole
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.journal import KINDS
from imp_verify.sandbox.kinds import Flag, OneOf
from imp_verify.sandbox.sandbox import Sandbox

LONGEST_WAIT = 30
"""Seconds. A proxy ends what takes longer."""


class Lines(NamedTuple):
    """What is answered as JSON lines: entries, and the number of the last one looked at."""

    entries: list[dict[str, object]]
    last: int


def _deliveries(sandbox: Sandbox, asked: Asked) -> object:
    imp_uid = asked.values.get("imp_uid")
    webhooks = sandbox.webhooks
    return {
        "list": [each.wire() for each in webhooks.deliveries if imp_uid in (None, each.imp_uid)],
        "kept_back": [each.fields() for each in webhooks.kept_back],
        "withheld": [each.fields() for each in webhooks.withheld],
    }


def _resend(sandbox: Sandbox, asked: Asked) -> object:
    number, imp_uid = asked.values.get("number"), asked.values.get("imp_uid")
    if number is None:
        return {"list": [each.wire() for each in sandbox.webhooks.resend_all(imp_uid)]}
    if imp_uid is not None:
        raise ValueError("number and imp_uid: one delivery is named or one payment, not both")
    again = sandbox.webhooks.resend(number)
    if again is None:
        raise ValueError("number is that of no delivery")
    return {"list": [again.wire()]}


def _release(sandbox: Sandbox, asked: Asked) -> object:
    webhooks = sandbox.webhooks
    _ = webhooks.release(**asked.values)
    sent = webhooks.deliveries if asked.values else webhooks.deliver()
    return {"list": [each.wire() for each in sent]}


def _trigger(sandbox: Sandbox, asked: Asked) -> object:
    values = asked.values
    urls, order, test = _known(sandbox, values["imp_uid"])
    urls = (values["url"],) if "url" in values else urls
    settings = sandbox.settings
    if not (urls or settings.webhook_url or (test and settings.webhook_test_url)):
        raise ValueError("url is missing: neither the payment nor webhook_url has an address")
    fields = {"imp_uid": values["imp_uid"], "merchant_uid": values.get("merchant_uid", order)}
    fields |= {name: values[name] for name in ("status", "cancellation_id") if name in values}
    form = {"json": False, "form": True}.get(values.get("format", ""))
    send = sandbox.webhooks.send
    sent = [send(fields, to=url, form=form, test=test) for url in urls or (None,)]
    return {"list": [each.wire() for each in sent]}


def _test_call(sandbox: Sandbox, asked: Asked) -> object:
    test = asked.values.get("test", False)
    return {"list": [sandbox.webhooks.test_call(test=test).wire()]}


def _known(sandbox: Sandbox, imp_uid: str) -> tuple[tuple[str, ...], str, bool]:
    """Return a payment's addresses and order, and whether it is a test payment; nothing of what is
    no payment: so are forged ones."""
    try:
        attempt = sandbox.gateway.attempt(imp_uid)
    except Refused:
        return (), "", False
    return attempt.notice_urls, attempt.merchant_uid, attempt.sandbox


def read_journal(sandbox: Sandbox, asked: Asked) -> Lines:
    """Return what is asked for; waits where nothing has come yet and that was asked for."""
    values = asked.values
    after = values.get("after", 0)
    entries = sandbox.journal.after(after, values.get("wait", 0))
    wanted = {name: values[name] for name in ("kind", "imp_uid", "merchant_uid") if name in values}
    found = [e for e in entries if all(getattr(e, name) == v for name, v in wanted.items())]
    return Lines([each.wire() for each in found], entries[-1].number if entries else after)


OPERATIONS = (
    Operation(
        "GET",
        "/deliveries",
        "What was sent to the shop and what it answered, oldest first, and what is kept back: for "
        "the browser to be first, or withheld by a fault.",
        _deliveries,
        (Field("imp_uid", Line(200), "only those of this payment"),),
        answers="Deliveries",
    ),
    Operation(
        "POST",
        "/deliveries/resend",
        "Send once more: one delivery, all of a payment, or, where neither is named, all.",
        _resend,
        (
            Field("number", Whole(1, 10**12), "of the delivery"),
            Field("imp_uid", Line(200), "of the payment"),
        ),
        answers="Delivery[]",
    ),
    Operation(
        "POST",
        "/deliveries/release",
        "Send what is kept back for the browser to be first, wait for what is under way, and show "
        "all that was sent. With a field: send what is kept back or withheld, and wait for that.",
        _release,
        (
            Field("imp_uid", Line(200), "only what is of this payment"),
            Field("newest_first", Flag(), "true sends what happened last first"),
        ),
        answers="Delivery[]",
    ),
    Operation(
        "POST",
        "/deliveries/trigger",
        "Send a notice that says what is given, true or not, whether or not there is such a "
        "payment.",
        _trigger,
        (
            Field("imp_uid", Line(200), "of the payment it claims", required=True),
            Field("status", Line(40), "what it claims", required=True),
            Field("merchant_uid", Line(200), "of the order; the payment's where left out"),
            Field("cancellation_id", Line(200), "of a cancel"),
            Field("format", OneOf(("json", "form")), "of the body; as set where left out"),
            Field("url", Line(2000), "where to; else the payment's address, or webhook_url"),
        ),
        answers="Delivery[]",
    ),
    Operation(
        "POST",
        "/deliveries/test-call",
        "Send what the console's button sends, to the address that is set.",
        _test_call,
        (Field("test", Flag(), "to that of test payments"),),
        answers="Delivery[]",
    ),
    Operation(
        "GET",
        "/journal",
        "All that happened, as JSON lines, oldest first. The header Journal-Last is what to "
        "ask for after next: the number of the last entry looked at, shown or not.",
        read_journal,
        (
            Field("after", Whole(0, 10**12), "only entries of higher numbers"),
            Field("wait", Whole(0, LONGEST_WAIT), "seconds to wait where there is none yet"),
            Field("kind", OneOf(KINDS), "only those of this kind"),
            Field("imp_uid", Line(200), "only those of this payment"),
            Field("merchant_uid", Line(200), "only those of this order"),
        ),
        answers="",
    ),
)
