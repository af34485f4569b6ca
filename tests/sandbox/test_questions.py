"""What nobody knows of the real gateway: each setting does what its sentence says, and so does the
documented alternative. Without a socket: what is sent to a shop is taken down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlencode

import pytest

from imp_verify.sandbox import Attempt, Refused, Sandbox, Settings
from imp_verify.sandbox.api import Api
from imp_verify.sandbox.deliveries import FORM, JSON, Outgoing, Reply
from imp_verify.sandbox.settings import TABLE, parse_pair, strict
from imp_verify.sandbox.wire import ApiRequest
from tests.sandbox.conftest import NOON

DAY = 24 * 3600
HOOK, CONSOLE, CONFIRM = "http://shop/hook", "http://shop/console", "http://shop/confirm"
CHANNELS = {"test": ("tosspayments", True)}


class Told(NamedTuple):
    status: int
    code: int
    message: str | None
    response: Any
    text: str


class Place:
    """A sandbox, its API as a shop calls it, and what a shop was sent."""

    def __init__(self, **settings: object) -> None:
        chosen = Settings()
        chosen.change({"webhook_url": CONSOLE, **settings})
        self.sent: list[Outgoing] = []
        self.status = 200
        self.meanwhile: Callable[[], object] = lambda: None
        self.sandbox = Sandbox(settings=chosen, channels=CHANNELS, send=self._send)
        self.sandbox.clock.stop_at(NOON)
        self._api = Api(self.sandbox)
        self._token = ""

    def _send(self, sent: Outgoing) -> Reply:
        self.sent.append(sent)
        if sent.url == CONFIRM:
            self.meanwhile()
        return Reply(200 if sent.url == CONFIRM else self.status, "{}")

    def bodies(self, url: str) -> list[Any]:
        return [json.loads(each.body) for each in self.sent if each.url == url]

    def token(self) -> Told:
        keys = {"imp_key": "sandbox_key", "imp_secret": "sandbox_secret"}
        return self.ask("POST", "/users/getToken", **keys)

    def call(self, method: str, path: str, **fields: object) -> Told:
        self._token = ""
        told = self.token()
        if told.status == 200:
            self._token = told.response["access_token"]
        return self.ask(method, path, **fields)

    def ask(self, method: str, path: str, **fields: object) -> Told:
        path, _, query = path.partition("?")
        headers = (("Authorization", f"Bearer {self._token}"), ("Content-Type", JSON))
        body = json.dumps(fields).encode() if fields else b""
        answer = self._api.answer(ApiRequest(method, path, query, headers, body))
        told = json.loads(answer.body, parse_float=Decimal)
        return Told(answer.status, **told, text=answer.body.decode())

    def open(self, merchant_uid: str = "ORD-1", **params: object) -> Attempt:
        return self.sandbox.open({"merchant_uid": merchant_uid, "amount": 39000, **params})

    def paid(self, merchant_uid: str = "ORD-1", **params: object) -> Attempt:
        return self.sandbox.approve(self.open(merchant_uid, **params).imp_uid)

    def issued(self, merchant_uid: str = "ORD-1", **params: object) -> Attempt:
        attempt = self.open(merchant_uid, pay_method="vbank", **params)
        return self.sandbox.issue_account(attempt.imp_uid)

    def look(self, attempt: Attempt) -> Any:
        return self.call("GET", f"/payments/{attempt.imp_uid}?include_sandbox=true").response

    def cancel(self, attempt: Attempt, **fields: object) -> Told:
        return self.call("POST", "/payments/cancel", imp_uid=attempt.imp_uid, **fields)


def test_each_of_the_23_questions_has_its_setting_and_each_default_its_argument() -> None:
    asked = Counter(each.question for each in TABLE.values() if each.question)
    assert sorted(asked) == list(range(1, 24))
    assert [name for name, each in TABLE.items() if each.question and not each.why] == []
    assert [each.question or 0 for each in TABLE.values()] == sorted(
        each.question or 0 for each in TABLE.values()
    )


def test_strict_makes_up_no_figure_and_cuts_nobody_off() -> None:
    assert not strict().keys() & {"calls_a_second", "outside_list", "notice_url_https"}
    place = Place(**strict())
    attempt = place.paid(notice_url=HOOK)
    assert place.call("GET", f"/payments/{attempt.imp_uid}").status == 200
    assert [each.url for each in place.sent] == [HOOK]


@pytest.mark.parametrize(("value", "code"), [("single", 0), ("single-and-cancel", 1)])
def test_1_a_test_payment_and_cancel(value: str, code: int) -> None:
    place = Place(test_payments=value)
    attempt = place.paid(channelKey="test")
    assert place.call("GET", f"/payments/{attempt.imp_uid}").status == 404
    assert place.call("GET", "/payments/find/ORD-1/paid").response["sandbox"] is True
    assert place.cancel(attempt).code == code
    assert place.cancel(place.paid("ORD-2")).code == 0


@pytest.mark.parametrize("value", ["cancelled", "paid"])
def test_2_the_status_after_a_part(value: str) -> None:
    place = Place(part_status=value)
    attempt = place.paid()
    part = place.cancel(attempt, amount=1000, enable_webhook=True).response
    assert (part["status"], part["cancel_amount"]) == (value, 1000)
    assert place.call("GET", f"/payments/status/{value}").response["total"] == 1
    assert place.bodies(CONSOLE)[-1]["status"] == "cancelled"
    assert place.cancel(attempt).response["status"] == "cancelled"


@pytest.mark.parametrize(
    ("value", "pg", "status"),
    [
        ("by-pg", "paypal", "failed"),
        ("by-pg", "paypal_v2", "ready"),
        ("ready", "paypal", "ready"),
        ("pending", "paypal_v2", "pending"),
        ("failed", "kicc", "failed"),
    ],
)
def test_3_a_payment_that_waits_for_its_approval(value: str, pg: str, status: str) -> None:
    place = Place(pending_is=value)
    attempt = place.open(pg=pg)
    assert place.sandbox.approve_later(attempt.imp_uid, 60).status == status
    place.sandbox.clock.advance(60)
    assert place.look(attempt)["status"] == "paid"
    assert place.bodies(CONSOLE)[-1]["status"] == "paid"


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("value", ["ready", "failed", "cancelled"])
def test_4_an_account_expires_at_its_deadline(value: str, told: bool) -> None:
    place = Place(account_expired=value, account_ends_told=told)
    first = place.issued(vbank_due="2026-08-01")
    second = place.issued("ORD-2", vbank_due="2026-08-01", pg="settle")
    assert first.vbank
    due = first.vbank.due
    assert place.call("PUT", f"/vbanks/{second.imp_uid}", vbank_due=due + DAY).code == 0
    del place.sent[:]
    place.sandbox.clock.stop_at(due)
    assert [place.look(each)["status"] for each in (first, second)] == [value, "ready"]
    place.sandbox.clock.advance(DAY)
    assert place.look(second)["status"] == value
    assert [body["status"] for body in place.bodies(CONSOLE)] == (2 * [value] if told else [])


@pytest.mark.parametrize("value", ["ready", "failed"])
@pytest.mark.parametrize("days", [(-1,), (1,), (1, -1), (-1, 1), (1, 0), (-1, 0)])
def test_4_a_deadline_that_was_moved_is_told_of_once(days: tuple[int, ...], value: str) -> None:
    place = Place(account_expired=value, account_ends_told=True)
    account = place.issued(vbank_due="2026-08-05", pg="settle")
    assert account.vbank
    for each in days:
        due = account.vbank.due + each * DAY
        assert place.call("PUT", f"/vbanks/{account.imp_uid}", vbank_due=due).code == 0
    del place.sent[:]
    for at, told in ((due - 1, []), (due, [value]), (due + 9 * DAY, [value])):
        place.sandbox.clock.stop_at(at)
        assert [body["status"] for body in place.bodies(CONSOLE)] == told


def test_4_an_account_that_still_waits_after_its_deadline_and_gets_another_ends_by_that() -> None:
    place = Place(account_expired="ready", account_ends_told=True)
    account = place.issued(vbank_due="2026-08-05", pg="settle")
    del place.sent[:]
    assert place.sandbox.expire(account.imp_uid).waits_for_deposit
    assert account.vbank
    later = account.vbank.due + DAY
    assert place.call("PUT", f"/vbanks/{account.imp_uid}", vbank_due=later).code == 0
    for at, count in ((later - 1, 1), (later, 2), (later + DAY, 2)):
        place.sandbox.clock.stop_at(at)
        assert len(place.bodies(CONSOLE)) == count


def test_4_an_account_that_was_made_or_changed_ends_by_its_deadline_too() -> None:
    place = Place(account_expired="failed", account_ends_told=True)
    gateway, account = place.sandbox.gateway, {"status": "ready", "pay_method": "vbank"}
    first, moved, over = (
        gateway.make(merchant_uid=f"A-{at}", amount=1000, vbank_date=at, **account)
        for at in (NOON + 10, NOON + 20, NOON)
    )
    _ = gateway.change(moved.imp_uid, vbank_date=NOON + 15)
    for at, states in (
        (NOON + 9, ["ready", "ready"]),
        (NOON + 10, ["failed", "ready"]),
        (NOON + 15, ["failed", "failed"]),
        (NOON + 99, ["failed", "failed"]),
    ):
        place.sandbox.clock.stop_at(at)
        assert [place.look(each)["status"] for each in (first, moved)] == states
    assert place.look(over)["status"] == "ready", "made so after its deadline"
    assert [body["status"] for body in place.bodies(CONSOLE)] == ["failed", "failed"]


def test_4_a_deadline_changes_nothing_of_what_was_paid() -> None:
    place = Place(account_expired="failed", account_ends_told=True)
    attempt = place.issued(vbank_due="2026-08-01")
    place.sandbox.deposit(attempt.imp_uid)
    place.sandbox.clock.advance(60 * DAY)
    assert place.look(attempt)["status"] == "paid"


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("value", ["failed", "cancelled", "ready"])
def test_4_an_account_that_is_given_up(value: str, told: bool) -> None:
    place = Place(account_killed=value, account_ends_told=told)
    attempt = place.issued()
    killed = place.call("DELETE", f"/vbanks/{attempt.imp_uid}?pg_api_key=k").response
    assert killed["status"] == value
    assert bool(killed["failed_at"]) is (value == "failed")
    assert len(place.bodies(CONSOLE)) == 1 + told


@pytest.mark.parametrize(("value", "given_back"), [("cancelled", 39000), ("ready", 0)])
def test_4_a_deposit_that_is_taken_back(value: str, given_back: int) -> None:
    place = Place(deposit_taken_back=value)
    attempt = place.issued()
    with pytest.raises(Refused):
        place.sandbox.take_back(attempt.imp_uid)
    place.sandbox.deposit(attempt.imp_uid)
    place.sandbox.take_back(attempt.imp_uid)
    now = place.look(attempt)
    assert (now["status"], now["cancel_amount"]) == (value, given_back)
    with pytest.raises(Refused):
        place.sandbox.take_back(place.paid("ORD-2").imp_uid)


@pytest.mark.parametrize("value", ["cleared", "kept"])
def test_5_what_failed_and_was_paid_after_all(value: str) -> None:
    place = Place(failed_fields=value, pending_is="failed")
    attempt = place.open()
    place.sandbox.approve_later(attempt.imp_uid, 1)
    place.sandbox.clock.advance(1)
    now = place.look(attempt)
    assert now["status"] == "paid"
    assert (bool(now["failed_at"]), bool(now["fail_reason"])) == (value == "kept", value == "kept")


@pytest.mark.parametrize(("value", "fields"), [("sample", 3), ("empty", 0)])
def test_6_the_body_of_the_test_call(value: str, fields: int) -> None:
    place = Place(test_call_body=value)
    place.sandbox.webhooks.test_call()
    (body,) = place.bodies(CONSOLE)
    assert len(body) == fields


@pytest.mark.parametrize(("value", "kind"), [("json", JSON), ("form", FORM)])
def test_7_confirm_asks_in_either_form_as_often_and_as_long_as_set(value: str, kind: str) -> None:
    place = Place(confirm_format=value, confirm_twice=True, confirm_seconds=5)
    attempt = place.paid(confirm_url=CONFIRM)
    first, second, _ = place.sent
    assert (first, first.url, first.content_type) == (second, CONFIRM, kind)
    assert first.times.whole == 5.0
    body = json.loads(first.body) if value == "json" else dict(parse_qs(first.body))
    assert body["imp_uid"] == (attempt.imp_uid if value == "json" else [attempt.imp_uid])


@pytest.mark.parametrize(
    ("value", "times"), [("off", [1, 1, 1]), ("5xx", [6, 1, 1]), ("not-200", [6, 6, 1])]
)
def test_8_what_is_sent_again(value: str, times: list[int]) -> None:
    found = []
    for status in (500, 404, 200):
        place = Place(webhook_resends=value)
        place.status = status
        place.paid()
        place.sandbox.clock.advance(3600)
        found.append(len(place.sent))
    assert found == times


def test_9_the_headers_of_what_is_sent() -> None:
    place = Place()
    place.paid()
    assert (place.sent[-1].content_type, place.sent[-1].headers) == (JSON, ())
    assert place.sent[-1].follows is False
    place.sandbox.settings.change(
        {"webhook_agent": "agent", "webhook_charset": True, "webhook_follows": True}
    )
    place.paid("ORD-2")
    assert place.sent[-1].content_type.lower().startswith(JSON + ";")
    assert "utf-8" in place.sent[-1].content_type.lower()
    assert place.sent[-1].headers == (("User-Agent", "agent"),)
    assert place.sent[-1].follows is True


@pytest.mark.parametrize(("value", "url"), [("payment", HOOK), ("settings", CONSOLE)])
def test_10_where_the_webhook_of_a_cancel_goes(value: str, url: str) -> None:
    place = Place(cancel_webhook_to=value)
    attempt = place.paid(notice_url=HOOK)
    place.cancel(attempt, enable_webhook=True)
    assert [each.url for each in place.sent] == [HOOK, url]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("value", "token"), [("all", False), ("data", True)])
def test_11_a_caller_who_is_not_on_the_list(status: int, value: str, token: bool) -> None:
    place = Place(outside_status=status, outside_calls=value)
    attempt = place.paid()
    place.look(attempt)
    place.sandbox.settings.outside_list = True
    assert place.token().status == (200 if token else status)
    told = place.call("GET", f"/payments/{attempt.imp_uid}")
    assert (told.status, told.code, told.response) == (status, -1, None)


def test_12_too_many_calls_a_second() -> None:
    place = Place()
    attempt = place.paid()
    place.look(attempt)
    place.sandbox.settings.calls_a_second = 2
    path = f"/payments/{attempt.imp_uid}"
    assert [place.call("GET", path).status for _ in range(4)] == [200, 200, 429, 429]
    place.sandbox.clock.advance(1)
    assert place.call("GET", path).status == 200


def test_12_a_reset_begins_the_count_anew() -> None:
    place = Place(calls_a_second=2)
    assert [place.token().status for _ in range(3)] == [200, 200, 429]
    place.sandbox.reset()
    place.sandbox.clock.stop_at(NOON)
    assert place.token().status == 200


@pytest.mark.parametrize("value", [0, 1, -1])
def test_13_the_code_of_a_batch_that_found_some(value: int) -> None:
    place = Place(code_207=value)
    some = urlencode({"imp_uid[]": [place.paid().imp_uid, "imp_0"]}, doseq=True)
    told = place.call("GET", f"/payments?{some}")
    assert (told.status, told.code, len(told.response)) == (207, value, 1)
    assert place.call("GET", "/payments/find/ORD-1").code == 0


@pytest.mark.parametrize(("value", "code"), [(404, -1), (200, 1)])
def test_14_prepare_of_an_unknown_number(value: int, code: int) -> None:
    told = Place(unprepared=value).call("GET", "/payments/prepare/ORD-1")
    assert (told.status, told.code, told.response) == (value, code, None)
    assert told.message == "사전등록된 결제정보가 존재하지 않습니다."


@pytest.mark.parametrize(
    ("pg", "method", "amount"),
    [
        ("kicc", "card", 0),
        ("kakaopay", "card", 39000),
        ("mobilians", "card", 0),
        ("mobilians", "phone", 39000),
        ("paymentwall", "card", 39000),
    ],
)
def test_16_the_amount_of_a_registered_card(pg: str, method: str, amount: int) -> None:
    for value, told in (("zero", amount), ("asked", 39000)):
        place = Place(issuance_amount=value)
        attempt = place.paid(pg=pg, pay_method=method, customer_uid="c")
        now = place.look(attempt)
        assert (now["amount"], now["customer_uid_usage"]) == (told, "issue")
        assert place.look(place.paid("ORD-2", pg=pg))["amount"] == 39000


@pytest.mark.parametrize(
    ("value", "won", "cents"),
    [("plain", "39000", "14.2"), ("fraction", "39000.0", "14.20"), ("text", '"39000"', '"14.2"')],
)
def test_17_how_amounts_are_written(value: str, won: str, cents: str) -> None:
    place = Place(numbers=value)
    place.paid()
    place.paid("ORD-2", amount=Decimal("14.2"))
    text = place.call("GET", "/payments/status/all").text
    assert f'"amount":{won},' in text
    assert f'"amount":{cents},' in text
    assert f'"paid_at":{NOON},' in text
    payco = place.paid("ORD-P", pg="payco")
    balance = place.call("GET", f"/payments/{payco.imp_uid}/balance").response
    assert len({type(part) for part in balance["primary"].values()}) == 1
    place.paid("ORD-3", amount=Decimal("14.125"))
    assert "14.125" in place.call("GET", "/payments/find/ORD-3").text


def test_18_order_numbers_and_paths() -> None:
    place = Place()
    for number in ("주문-1", "a/b"):
        place.paid(number)
        assert place.call("GET", "/payments/find/" + quote(number, safe="")).code == 0
    place.sandbox.settings.change({"order_numbers": "ascii", "slash": "splits"})
    with pytest.raises(Refused):
        place.open("주문-2")
    place.paid("c/d")
    assert place.call("GET", "/payments/find/c%2Fd").status in (400, 404)
    assert place.call("GET", "/payments/find/c%2fd").status in (400, 404)


def test_19_an_imp_uid_with_letters() -> None:
    first = Place().paid().imp_uid
    assert first.removeprefix("imp_").isdigit()
    place = Place(imp_uid_letters=True)
    ids = [place.paid(f"ORD-{n}").imp_uid for n in range(3)]
    assert len(set(ids)) == 3
    assert all(len(each) == 16 and each[4:10].isalpha() for each in ids)


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({}, ["http://a/", "https://b:8443/", "https://c/", "x://[", "http://d:80/"]),
        ({"notice_urls_most": 1}, ["http://a/"]),
        ({"notice_url_https": True}, ["https://b:8443/", "https://c/", "x://["]),
        ({"notice_url_usual_port": True}, ["http://a/", "https://c/", "x://[", "http://d:80/"]),
        (
            {"notice_url_usual_port": True, "notice_url_https": True, "notice_urls_most": 1},
            ["https://c/"],
        ),
    ],
)
def test_20_limits_of_notice_url(settings: dict[str, object], taken: list[str]) -> None:
    place = Place(**settings)
    every = ["http://a/", "https://b:8443/", "https://c/", "x://[", "http://d:80/"]
    assert list(place.open(notice_url=every).notice_urls) == taken


@pytest.mark.parametrize(
    ("value", "after", "code"),
    [
        ("kept", 30 * DAY, 0),
        ("hour", 3599, 0),
        ("hour", 3600, -1),
        ("midnight", 3600, 0),
        ("midnight", DAY, -1),
    ],
)
def test_21_a_test_payment_that_is_gone_at_its_pg(value: str, after: int, code: int) -> None:
    place = Place(test_overnight=value)
    attempt, live = place.paid(channelKey="test"), place.paid("ORD-2")
    place.sandbox.clock.advance(after)
    assert place.look(attempt)["status"] == "paid"
    assert place.cancel(attempt).code == code
    assert place.cancel(live).code == 0


@pytest.mark.parametrize("value", ["unique", "repeated", "absent"])
def test_22_the_ids_of_cancels(value: str) -> None:
    place = Place(cancellation_ids=value)
    attempt = place.paid()
    for _ in range(2):
        place.cancel(attempt, amount=1000, enable_webhook=True)
    kept = [entry["cancellation_id"] for entry in place.look(attempt)["cancel_history"]]
    sent = [body.get("cancellation_id") for body in place.bodies(CONSOLE)[1:]]
    assert len(set(kept)) == (1 if value == "repeated" else 2)
    assert sent == ([None, None] if value == "absent" else kept)


@pytest.mark.parametrize("value", [200, 404])
def test_23_a_look_up_while_the_shop_is_asked(value: int) -> None:
    place = Place(lookup_in_confirm=value)
    found: list[int] = []
    attempt = place.open(confirm_url=CONFIRM)
    path = f"/payments/{attempt.imp_uid}"
    place.call("GET", path)
    place.meanwhile = lambda: found.append(place.call("GET", path).status)
    place.sandbox.approve(attempt.imp_uid)
    assert found == [value]
    assert place.call("GET", path).response["status"] == "paid"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("unprepared=200", ("unprepared", 200)),
        ("calls_a_second=7", ("calls_a_second", 7)),
        ("code_207=-1", ("code_207", -1)),
    ],
)
def test_a_number_is_read_from_the_command_line(text: str, read: tuple[str, object]) -> None:
    assert parse_pair(text) == read


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("unprepared=500", "one of 404, 200"),
        ("unprepared=x", "one of 404, 200"),
        ("notice_urls_most=-1", "a whole number of 0 to 100"),
        ("notice_urls_most=x", "0 to 100"),
    ],
)
def test_a_number_that_is_none_is_named(text: str, allowed: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]) as error:
        parse_pair(text)
    assert allowed in str(error.value)


@pytest.mark.parametrize(("name", "value"), [("unprepared", True), ("notice_urls_most", 1.5)])
def test_a_number_of_another_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        Settings().change({name: value})
