"""What a sandbox starts with, and that what it holds is written and read back to the same."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imp_verify.sandbox import Account, Fault, Refused, Sandbox, exact, seeding
from imp_verify.sandbox.attempt import Attempt, Card
from imp_verify.sandbox.deliveries import Reply
from imp_verify.sandbox.registrations import Registration

NOON = 1_785_400_000
STEPS = (
    "store",
    "approve",
    "late",
    "decline",
    "close",
    "issue",
    "deposit",
    "cancel",
    "part",
    "refund",
)
step = st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 7200))
opened = st.fixed_dictionaries(
    {
        "merchant_uid": st.sampled_from(["A", "B", "한글/1", "x" * 40]),
        "amount": st.integers(0, 10**9) | st.decimals(0, 10**6, places=2),
    },
    optional={
        "pay_method": st.sampled_from(["card", "vbank", "phone"]),
        "pg": st.sampled_from(["html5_inicis", "paypal_v2", "kakaopay", "settle"]),
        "customer_uid": st.text(min_size=1, max_size=8),
        "custom_data": st.dictionaries(st.text(max_size=3), st.integers()),
        "buyer_name": st.text(max_size=5),
        "notice_url": st.sampled_from(["http://127.0.0.1:9/a", ["http://a.test", "http://b.test"]]),
    },
)
history = st.lists(opened | step, max_size=12)


def lived(events: list[Any], *, ids: str | None, stands: bool) -> Sandbox:
    """Return a sandbox to which all this happened, as far as it could."""
    seed = seeding.Seed({"ids": ids, "accounts": [{"key": "k", "secret": "s" * 9}]})
    sandbox = seed.start(
        accounts=[Account("k", "long_secret"), Account("other", "long_secret2")],
        channels={"c": ("kakaopay", True)},
        settings={"webhook_order": "browser-first", "webhook_url": "http://127.0.0.1:9/hook"},
    )
    if stands:
        sandbox.clock.stop_at(NOON)
    _ = sandbox.gateway.registrations.add("other", Registration("P", Decimal("1.10"), "USD"))
    sandbox.faults.add(Fault("payment", status=503, times=2))
    for event in events:
        with suppress(Refused):
            _happen(sandbox, event)
    return sandbox


def _happen(sandbox: Sandbox, event: Any) -> None:
    if isinstance(event, dict):
        _ = sandbox.open(event, tier="T" if "customer_uid" in event else None)
        return
    what, which, seconds = event
    known = sandbox.gateway.attempts()
    if not known:
        return
    uid = known[which % len(known)].imp_uid
    moves: dict[str, Any] = {
        "approve": lambda: sandbox.approve(uid),
        "store": lambda: sandbox.gateway.store_card(
            ("other", None if which % 2 else "T"), f"card {which}", card=Card("1", quota=which)
        ),
        "late": lambda: sandbox.approve_later(uid, seconds, meanwhile="pending"),
        "decline": lambda: sandbox.decline(uid),
        "close": lambda: sandbox.close(uid),
        "issue": lambda: sandbox.issue_account(uid),
        "deposit": lambda: sandbox.deposit(uid),
        "cancel": lambda: sandbox.cancel(uid, reason="왜"),
        "part": lambda: sandbox.cancel(uid, Decimal(1)),
        "refund": lambda: sandbox.refund(uid, webhook=sandbox.webhooks.told_of(uid)),
    }
    _ = moves[what]()
    sandbox.clock.advance(seconds // 100)


def answered(sandbox: Sandbox, *, made_up: bool = True) -> list[dict[str, object]]:
    """Return all payments as they are answered, with the numbers that are made up or without."""
    answers = [attempt.wire() for attempt in sandbox.gateway.attempts()]
    if not made_up:
        for each in answers:
            del each["pg_tid"], each["apply_num"], each["cancel_history"]
    return answers


def test_a_webhook_that_a_fault_keeps_is_kept_back_by_what_the_record_starts() -> None:
    before = Sandbox(send=lambda _: Reply(200, "ok"))
    before.settings.change({"webhook_url": "http://127.0.0.1:5/hook"})
    before.faults.add(Fault("webhook", withhold=True))
    imp_uid = before.gateway.open({"merchant_uid": "A-1", "amount": 100}).imp_uid
    _ = before.approve(imp_uid)
    after = seeding.parse(exact.dumps(seeding.record(before))).start()
    assert [event.imp_uid for event in after.webhooks.kept_back] == [imp_uid]


@given(events=history, ids=st.none() | st.text(max_size=4), stands=st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_a_record_is_a_seed_of_the_same_state(
    events: list[Any], ids: str | None, stands: bool
) -> None:
    before = lived(events, ids=ids, stands=stands)
    text = exact.dumps(seeding.record(before))
    after = seeding.parse(text).start()
    assert exact.dumps(seeding.record(after)) == text
    assert answered(after) == answered(before)
    assert after.webhooks.kept_back == before.webhooks.kept_back
    assert after.gateway.customers.all() == before.gateway.customers.all()
    # And it goes on alike: what is due comes, and the next ids are the next ones.
    for each in (before, after):
        each.clock.stop_at(NOON + 10**8)
        if ids is not None:
            _ = each.approve(each.open({"merchant_uid": "NEXT", "amount": 1}).imp_uid)
    assert answered(after, made_up=ids is not None) == answered(before, made_up=ids is not None)


@given(start=history, more=history)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25)
def test_a_reset_gives_the_start_whatever_happened_since(start: list[Any], more: list[Any]) -> None:
    text = exact.dumps(seeding.record(lived(start, ids="1", stands=True)))
    sandbox = seeding.parse(text).start()
    for event in more:
        with suppress(Refused):
            _happen(sandbox, event)
    sandbox.settings.change({"webhook_order": "both", "closed_becomes": "ready"})
    sandbox.faults.add(Fault("token"))
    sandbox.reset()
    assert exact.dumps(seeding.record(sandbox)) == text
    assert [entry.what for entry in sandbox.journal] == [{"step": "reset"}]
    assert sandbox.webhooks.deliveries == []


@given(events=history)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=15)
def test_a_record_is_what_the_schema_says(events: list[Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    record = json.loads(exact.dumps(seeding.record(lived(events, ids="1", stands=True))))
    jsonschema.validate(record, seeding.schema(), jsonschema.Draft202012Validator)


def test_a_seed_by_hand_is_all_of_its_sections() -> None:
    sandbox = seeding.parse(
        """
{"ids": "x", "accounts": [{"key": "kr", "secret": "secret-of-kr"}]}
{"clock": {"stop_at": 1785400000}}
{"channels": {"channel-1": {"pg": "kakaopay", "test": true}}, "settings": {"language": "en"}}
{"prepared": [{"merchant_uid": "A-1", "amount": 10.50, "currency": "USD"}]}

{"payments": [{"merchant_uid": "A-0", "amount": 1}], "settings": {"silent_close": true}}
{"payments": [{"merchant_uid": "A-2", "amount": 2, "status": "cancelled"}]}
{"faults": [{"call": "cancel", "lost": true}], "ids": "y"}
"""
    ).start()
    assert [a.merchant_uid for a in sandbox.gateway.attempts()] == ["A-0", "A-2"]
    assert sandbox.clock() == NOON
    assert (sandbox.settings.language, sandbox.settings.silent_close) == ("en", True)
    assert sandbox.gateway.registrations.get("kr", "A-1").amount == Decimal("10.50")
    assert [fault.lost for fault in sandbox.faults.all()] == [True]
    assert sandbox.open({"merchant_uid": "B", "amount": 1, "channelKey": "channel-1"}).sandbox
    assert sandbox.gateway.record()["ids"] == "y"
    assert seeding.parse("  \n").start().gateway.attempts() == []
    moved = seeding.Seed({"clock": {"advance": 3600}}).start()
    assert moved.clock.record() == {"advance": 3600}


CARD = {"apply_num": ""}
GOOD = {"merchant_uid": "A", "amount": 1}
STATE: dict[str, Any] = {
    "series": "123456",
    "drawn": 1,
    "attempts": [],
    "planned": [],
    "untold": [],
    "kept_back": [],
}
ATTEMPT = {"imp_uid": "imp_1", "account": "sandbox_key", "started_at": 1, "number": 0, **GOOD}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "a seed is an object of ids, accounts"),
        ({"payment": []}, "no such section: payment; there are ids"),
        ({"ids": 5}, "ids is a text or null"),
        ({"accounts": [{"key": "a"}]}, r"accounts\[0\].secret is missing"),
        ({"accounts": [{"key": "a", "secret": 5}]}, r"accounts\[0\].secret is a text"),
        ({"accounts": [5]}, r"accounts\[0\] is an object of fields"),
        ({"accounts": [{"key": "a", "secret": "b"}] * 2}, r"accounts\[1\].key is another"),
        ({"channels": {"c": "kakaopay"}}, "channels.c is an object of pg"),
        ({"channels": {"c": {"pg": "x", "test": 1}}}, "channels.c is an object of pg"),
        ({"clock": {"stop_at": 1, "advance": 1}}, "either stop_at or advance"),
        ({"clock": {"stop_at": 1.5}}, "clock.stop_at is whole seconds"),
        ({"clock": {"stop_at": -1}}, "clock.stop_at: a time is 0 to"),
        ({"prepared": [{"merchant_uid": "A"}]}, r"prepared\[0\].amount is missing"),
        ({"prepared": [{**GOOD, "amount": -1}]}, r"prepared\[0\].amount is 0 or more"),
        ({"prepared": [{**GOOD, "amount": "1"}]}, r"prepared\[0\].amount is a number"),
        ({"prepared": [{**GOOD, "account": "x"}]}, r"prepared\[0\].account is no key"),
        ({"prepared": [GOOD, GOOD]}, r"prepared\[1\].merchant_uid: "),
        ({"customers": [5]}, r"customers\[0\].customer_uid is a text"),
        ({"customers": [{"customer_uid": "c", "tier": 5}]}, r"customers\[0\].tier is a text"),
        ({"customers": [{"customer_uid": "c", "account": "x"}]}, r"customers\[0\].account is no"),
        (
            {
                "customers": [
                    {"customer_uid": "c", "card": {**CARD, "number": "4242-4242-4242-4242"}}
                ]
            },
            r"customers\[0\].card.number is as it is answered: 400000\*",
        ),
        ({"customers": [{"uid": "c"}]}, r"customers\[0\]: no such field: uid; there are"),
        ({"payments": [{**GOOD, "status": "odd"}]}, r"payments\[0\]: status is one of"),
        ({"faults": [5]}, r"faults\[0\] is an object of fields"),
        ({"faults": [{"call": "odd"}]}, r"faults\[0\]: call is one of"),
        ({"faults": [{"call": "token", "state": 5}]}, r"faults\[0\]: no such field: state"),
        ({"faults": [{"call": "token", "lost": 1}]}, r"faults\[0\]: lost is true or false"),
        ({"settings": {"language": "fr"}}, "^settings: language is one of ko, en"),
        ({"state": {"series": "1"}}, "state is an object of series, drawn"),
        ({"state": {**STATE, "more": 1}}, "state is an object of series, drawn"),
        ({"state": {**STATE, "drawn": "1"}}, "state.drawn a whole number"),
        ({"state": {**STATE, "attempts": [{}]}}, r"state.attempts\[0\].imp_uid is missing"),
        (
            {"state": {**STATE, "attempts": [{**ATTEMPT, "number": 1}]}},
            r"state.attempts\[0\]: its number is not 0",
        ),
        (
            {"state": {**STATE, "attempts": [{**ATTEMPT, "account": "x"}]}},
            r"state.attempts\[0\]: account is no key",
        ),
        (
            {"state": {**STATE, "attempts": [{**ATTEMPT, "notice_urls": "http://x"}]}},
            r"state.attempts\[0\].notice_urls is a list",
        ),
        (
            {"state": {**STATE, "attempts": [{**ATTEMPT, "card": {"quota": "1"}}]}},
            r"state.attempts\[0\].card.quota is a whole number",
        ),
        ({"state": {**STATE, "planned": [{"at": 1, "do": "odd"}]}}, r"state.planned\[0\]: do is"),
        ({"state": {**STATE, "planned": [{"at": 1, "do": "cancel"}]}}, "imp_uid is a text"),
        ({"state": {**STATE, "planned": [{"at": 1, "amount": True}]}}, "amount is a number"),
        ({"state": {**STATE, "planned": [{"at": 1.5, "do": "expire"}]}}, "at is whole seconds"),
        (
            {"state": {**STATE, "planned": [{"at": 1, "do": "cancel", "imp_uid": "a", "by": 1}]}},
            r"state.planned\[0\]: no such field: by",
        ),
        ({"state": {**STATE, "planned": [5]}}, r"state.planned\[0\]: it is an object of at, do"),
        ({"state": {**STATE, "planned": [{"do": "expire"}]}}, r"\[0\]: it is an object of at, do"),
        ({"state": {**STATE, "planned": [{"at": 1, "do": []}]}}, r"state.planned\[0\]: do is one"),
        ({"state": {**STATE, "untold": 5}}, "state.untold is a list"),
        (
            {"state": {**STATE, "kept_back": [{"more": [["event"]]}]}},
            r"state.kept_back\[0\].more\[0\] is a list of 2",
        ),
        ({"state": {**STATE, "kept_back": [{}]}}, r"state.kept_back\[0\].imp_uid is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(content: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _ = seeding.Seed(content).start()


def test_a_card_that_a_seed_stores_is_charged_and_after_a_reset_too() -> None:
    sandbox = seeding.parse(
        """{"clock": {"stop_at": 1785400000}, "accounts": [{"key": "k", "secret": "secret-of-k"}]}
{"customers": [{"customer_uid": "a"}, {"customer_uid": "b", "tier": "T", "inserted": 5}]}"""
    ).start()
    for _ in range(2):
        plain, tiered = (each for _, each in sandbox.gateway.customers.all())
        assert (plain.inserted, plain.updated) == (NOON, NOON)
        assert (tiered.inserted, tiered.updated) == (5, 5)
        _ = sandbox.gateway.store_card(("k", None), "c", card=Card("1"))
        assert sandbox.charge_scheduled("a", "A", Decimal(1)).status == "paid"
        assert sandbox.gateway.customers.find(("k", "T"), "b") == tiered
        sandbox.reset()
    sandbox.reset(seeded=False)
    assert sandbox.gateway.customers.all() == []
    assert sandbox.clock() == NOON


def test_an_event_of_the_pgs_own_is_kept_in_a_record() -> None:
    before = Sandbox()
    before.settings.change({"webhook_order": "browser-first", "webhook_url": "http://127.0.0.1:9"})
    payment = before.gateway.make(merchant_uid="A", amount=1)
    _ = before.escrow(payment.imp_uid, 4, "왜")
    after = seeding.parse(exact.dumps(seeding.record(before))).start()
    assert [each.fields() for each in after.webhooks.pending] == [
        each.fields() for each in before.webhooks.pending
    ]


def test_a_reset_gives_all_of_a_record_again() -> None:
    before = lived([{"merchant_uid": "A", "amount": 5}, ("late", 0, 50)], ids="1", stands=True)
    text = exact.dumps(seeding.record(before))
    after = seeding.parse(text).start()
    after.clock.advance(100)
    _ = after.open({"merchant_uid": "B", "amount": 1})
    assert exact.dumps(seeding.record(after)) != text
    for _ in range(2):
        after.reset()
        assert exact.dumps(seeding.record(after)) == text


def test_a_state_is_taken_up_by_an_empty_gateway_alone() -> None:
    sandbox = Sandbox()
    _ = sandbox.gateway.make(merchant_uid="A", amount=1)
    with pytest.raises(ValueError, match="there are payments already"):
        sandbox.gateway.restore("1", 0, [])


def test_a_field_of_an_unknown_kind_is_an_error_of_ours() -> None:
    from dataclasses import dataclass

    from imp_verify.sandbox import records

    @dataclass(frozen=True)
    class Odd:
        value: complex

    with pytest.raises(TypeError, match="nothing is known of how to read"):
        _ = records.read(Odd, "odd", {})
    assert records.schema(Attempt)["required"] == list(records.schema(Attempt)["required"])  # type: ignore[call-overload]


def test_a_problem_that_names_no_place_is_on_the_first_line() -> None:
    text = '{"payments": [{"merchant_uid": "A", "amount": 1}],\n"settings": {}}'
    assert seeding.line_of(text, "…") == 1
    assert seeding.line_of(text, "nothing[5]") == 1
    assert seeding.line_of(text, "settings: odd") == 2
    for odd in ("[1]", "5", '"x"'):
        with pytest.raises(seeding.Unreadable, match="line 1: a seed is an object of ids"):
            _ = seeding.parse(odd)
