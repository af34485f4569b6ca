"""The money to give back in Django's admin: what is listed, what is given back, and what is said of
all that is not. The sandbox is the gateway, over sockets."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from django.utils.timezone import now

from imp_verify import (
    AsyncVerifier,
    ExpectedPayment,
    GatewayUnavailable,
    GiveBack,
    Outcome,
    Verdict,
)
from imp_verify.contrib.django import get_verifier
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.sandbox import Account, Fault, SandboxServer
from tests.storage import django_shops
from tests.storage.django_shops import rows
from tests.support.django_databases import ALIASES, need_alias

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
PRICE = 39000
LIST = "/admin/imp_verify/due/"
EVERY_RIGHT = ("view_due", "give_back_due", "check_receipt")


@pytest.fixture(scope="module")
def project(django_databases: None) -> Iterator[None]:
    from tests.support.django_admin import SETTINGS

    with override_settings(**SETTINGS):
        call_command("migrate", verbosity=0)
        yield
        connections.close_all()


@dataclass
class Shop:
    """A shop on Django with the sandbox as its gateway."""

    gateway: SandboxServer
    using: str = "default"
    more: dict[str, Any] = field(default_factory=dict)
    sold_out: bool = False
    closed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        def expected(number: str, using: str) -> ExpectedPayment:
            return ExpectedPayment(number, PRICE, open=number not in self.closed)

        def ship(outcome: Outcome, using: str) -> None:
            if self.sold_out:
                raise GiveBack("sold out")

        self.store = DjangoStore(using=self.using, expected=expected, on_paid=ship)
        _ = self.store.run("")  # it begins before anything is paid
        self.settings = {
            "STORE": self.store,
            "CREDENTIALS": {"KEY": Account().key, "SECRET": Account().secret},
            "BASE_URL": self.gateway.url,
            "TEST_MODE": True,
            **self.more,
        }

    def pay(self, number: str, **fields: object) -> str:
        """Pay an order and have it verified; gives the payment."""
        given = {"merchant_uid": number, "amount": PRICE, "status": "paid", **fields}
        imp_uid = self.gateway.sandbox.gateway.make(**given).imp_uid
        verifier = get_verifier()
        assert not isinstance(verifier, AsyncVerifier)
        _ = verifier.verify(imp_uid, number)
        return imp_uid

    def twice(self, number: str = "A", **fields: object) -> str:
        """Pay an order, and once more; gives the second payment."""
        _ = self.pay(number)
        return self.pay(number, **fields)

    def back(self, imp_uid: str) -> int:
        return int(self.gateway.sandbox.gateway.attempt(imp_uid).cancel_amount)

    def due(self, imp_uid: str) -> Any:
        return rows("Due", self.using).get(pk=imp_uid)

    def refuse(self, words: str) -> None:
        body = f'{{"code": 1, "message": "{words}", "response": null}}'
        self.gateway.sandbox.faults.add(Fault("cancel", status=200, body=body))


@pytest.fixture
def shops(project: None) -> Iterator[Any]:
    with ExitStack() as stack:

        def make(using: str = "default", **more: Any) -> Shop:
            need_alias(using)
            django_shops.empty(using)
            shop = Shop(stack.enter_context(SandboxServer()), using, more)
            stack.enter_context(override_settings(IMP_VERIFY=shop.settings))
            return shop

        yield make
    # What the admin remembers of its users, who could not be taken away else.
    apps.get_model("admin", "LogEntry").objects.all().delete()
    connections.close_all()


@pytest.fixture
def shop(shops: Any) -> Shop:
    made: Shop = shops()
    return made


def clerk(*permissions: str, language: str = "en") -> Client:
    users = apps.get_model("auth", "User").objects
    made = users.create_user(f"clerk-{users.count()}", is_staff=True)
    some = apps.get_model("auth", "Permission").objects.filter(codename__in=permissions)
    assert some.count() == len(permissions)
    made.user_permissions.set(some)
    client = Client(headers={"Accept-Language": language})
    client.force_login(made)
    return client


def text_of(answer: Any) -> str:
    """Give what a page says, without its tags; an amount's own space as any other."""
    assert answer.status_code == 200
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", html.unescape(plain))


def listed(answer: Any) -> list[str]:
    return re.findall(r'<th class="field-imp_uid"><a[^>]*>(imp_\w+)', answer.content.decode())


def act(client: Client, *imp_uids: str, action: str = "give_back_chosen", query: str = "") -> Any:
    chosen = {"action": action, "_selected_action": imp_uids}
    return client.post(LIST + query, chosen, follow=True)


def messages(answer: Any) -> list[tuple[str, str]]:
    """Give the level and text of each message."""
    found = re.search(r'<ul class="messagelist">(.*?)</ul>', answer.content.decode(), re.DOTALL)
    items = re.findall(r'<li[^>]*class="(\w+)">(.*?)</li>', found[1] if found else "", re.DOTALL)
    return [(level, html.unescape(text).replace("\xa0", " ")) for level, text in items]


@pytest.mark.parametrize("using", ALIASES)
def test_what_is_due_is_listed_with_all_that_is_known_of_it_and_given_back(
    using: str, shops: Any
) -> None:
    shop = shops(using)
    shop.closed.add("C")
    duplicate, late = shop.twice(), shop.pay("C")
    forged = shop.pay("B", amount=100)
    shop.sold_out = True
    refused = shop.pay("D")
    client = clerk(*EVERY_RIGHT)
    page = client.get(LIST)
    assert sorted(listed(page)) == sorted([duplicate, forged, late])  # D was given back by itself
    text = text_of(page)
    for said in (
        *(f"{duplicate} A paid twice 39,000 KRW", f"{forged} B forged 100 KRW"),
        *(f"{late} C paid too late 39,000 KRW", "Give it back, or reopen the order"),
    ):
        assert said in text
    answer = act(client, duplicate, forged, late)
    assert sorted(messages(answer)) == sorted(
        [
            ("success", f"Given back: {duplicate} (A, 39,000 KRW)"),
            ("success", f"Given back: {forged} (B, 100 KRW)"),
            ("success", f"Given back: {late} (C, 39,000 KRW)"),
        ]
    )
    assert [shop.back(each) for each in (duplicate, forged, late)] == [PRICE, 100, PRICE]
    assert listed(answer) == []
    assert listed(client.get(LIST + "?done=yes")).count(duplicate) == 1
    assert sorted(listed(client.get(LIST + "?done=all"))) == sorted(
        [duplicate, forged, late, refused]
    )
    detail = text_of(client.get(f"{LIST}{quote(duplicate)}/change/"))
    assert "39,000 KRW" in detail
    assert "Give it back" not in detail
    history = text_of(client.get(f"{LIST}{quote(duplicate)}/history/"))
    assert f"Given back: {duplicate}" in history
    assert "clerk-" in history


def test_giving_back_is_a_permission_apart(shop: Shop) -> None:
    due = shop.twice()
    client = clerk("view_due", "check_receipt")
    page = client.get(LIST)
    assert listed(page) == [due]
    assert 'value="give_back_chosen"' not in page.content.decode()
    assert 'value="check"' in page.content.decode()
    _ = act(client, due)
    assert (shop.back(due), shop.due(due).tries) == (0, 0)
    assert clerk("view_receipt", "give_back_due").get(LIST).status_code == 403
    page = clerk("view_due", "give_back_due").get(LIST)
    assert 'value="check"' not in page.content.decode()


def test_it_is_done_in_no_transaction_with_either_verifier(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside one the store would refuse the claim."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    due = shop.twice()
    with override_settings(IMP_VERIFY={**shop.settings, "ASYNC": True}):
        connections.close_all()
        answer = act(clerk(*EVERY_RIGHT), due)
        assert isinstance(get_verifier(), AsyncVerifier)
    assert messages(answer) == [("success", f"Given back: {due} (A, 39,000 KRW)")]
    assert shop.back(due) == PRICE


def test_what_was_paid_to_an_account_is_left_and_said_also_before_it_is_known(shop: Shop) -> None:
    due = shop.twice(pay_method="vbank")
    client = clerk(*EVERY_RIGHT)
    assert "Needs a bank account" not in text_of(client.get(LIST))
    for _ in range(2):  # the first asks the gateway, the second knows
        [(level, text)] = messages(act(client, due))
        assert level == "warning"
        assert text == (
            f"Left: {due} (A, 39,000 KRW). It needs the buyer's bank account: imp-verify give-back."
        )
        assert shop.due(due).error == "needs_account"
    assert "Needs a bank account: imp-verify give-back" in text_of(client.get(LIST))
    assert shop.back(due) == 0


def test_what_was_asked_of_a_pg_that_cancels_later_is_never_asked_twice(shop: Shop) -> None:
    due = shop.twice(pg_provider="paypal", currency="KRW")
    client = clerk(*EVERY_RIGHT)
    assert messages(act(client, due)) == [
        ("warning", f"Asked: {due} (A, 39,000 KRW). Look in the console whether it is gone.")
    ]
    rows("Due", "default").filter(pk=due).update(next_try=now() - timedelta(days=1))
    assert messages(act(client, due)) == [
        ("warning", f"Left: {due} (A, 39,000 KRW). It was asked already: look in the console.")
    ]
    assert shop.due(due).tries == 1
    assert "Look in the console whether it is gone" in text_of(client.get(LIST))


def test_what_is_done_or_pays_by_now_is_left(shop: Shop) -> None:
    shop.closed.add("B")
    due, late = shop.twice(), shop.pay("B")
    client = clerk(*EVERY_RIGHT)
    shop.closed.clear()
    assert messages(act(client, late)) == [
        ("warning", f"Left: {late} (B, 39,000 KRW). It pays its order now.")
    ]
    assert messages(act(client, due))[0][0] == "success"
    # A page from before: its rows are no longer among those that are due.
    assert messages(act(client, due)) == [("warning", "None is due any more.")]
    assert messages(act(client, due, query="?done=all")) == [
        ("warning", f"Left: {due} (A, 39,000 KRW). It is due no more.")
    ]
    assert (shop.back(due), shop.back(late)) == (PRICE, 0)


def test_what_is_another_thing_by_now_is_left_until_it_is_chosen_again(shop: Shop) -> None:
    due = shop.twice()
    rows("Due", "default").filter(pk=due).update(kind="late")
    client = clerk(*EVERY_RIGHT)
    assert messages(act(client, due)) == [
        ("warning", f"Left: {due} (A, 39,000 KRW). It is something else by now: look again.")
    ]
    assert (shop.back(due), shop.due(due).kind) == (0, "duplicate")
    assert messages(act(client, due))[0][0] == "success"


def test_what_a_clerk_cancelled_in_the_console_meanwhile_is_not_cancelled_again(
    shop: Shop,
) -> None:
    due = shop.twice()
    _ = shop.gateway.sandbox.refund(due, reason="by hand")
    assert messages(act(clerk(*EVERY_RIGHT), due))[0][0] == "success"
    assert (shop.back(due), shop.due(due).tries) == (PRICE, 0)


def test_a_refusal_is_told_in_the_gateways_words_and_the_next_is_tried(shop: Shop) -> None:
    first, second = shop.twice("A"), shop.twice("B")
    rows("Due", "default").filter(pk=first).update(created=now() - timedelta(hours=1))
    shop.refuse("<b>the PG is closed</b>")
    client = clerk(*EVERY_RIGHT)
    answer = act(client, first, second)
    assert messages(answer) == [
        (
            "error",
            f"Left: {first} (A, 39,000 KRW). The gateway refuses: <b>the PG is closed</b>",
        ),
        ("success", f"Given back: {second} (B, 39,000 KRW)"),
    ]
    assert "<b>the PG" not in answer.content.decode()
    assert "the PG is closed" in text_of(client.get(LIST))
    assert (shop.back(first), shop.back(second)) == (0, PRICE)


def test_one_that_may_be_the_one_to_keep_is_left_until_it_is_chosen_again(shop: Shop) -> None:
    first = shop.pay("A")
    due = shop.pay("A")
    verifier = get_verifier()
    assert not isinstance(verifier, AsyncVerifier)
    assert verifier.cancel(first, reason="x", refundable=PRICE).verdict is Verdict.CANCELLED
    client = clerk(*EVERY_RIGHT)
    assert messages(act(client, due)) == [
        (
            "warning",
            f"Left: {due} (A, 39,000 KRW). The order's own payment is gone: this one may be kept.",
        )
    ]
    assert "Keep it or give it back" in text_of(client.get(LIST))
    assert messages(act(client, due))[0][0] == "success"


def test_one_that_somebody_gives_back_at_this_moment_is_left(shop: Shop) -> None:
    due = shop.twice()
    assert shop.store.claim(due, now() + timedelta(minutes=5), by_hand=True) is not None
    client = clerk(*EVERY_RIGHT)
    assert "Is being given back" in text_of(client.get(LIST))
    assert messages(act(client, due)) == [
        (
            "warning",
            f"Left: {due} (A, 39,000 KRW). Somebody may be giving it back now: look again.",
        )
    ]
    assert shop.back(due) == 0


def test_trouble_ends_it_and_says_how_many_were_not_tried(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = shop.twice("A"), shop.twice("B")
    shop.gateway.sandbox.faults.add(Fault("payment", 503, times=2))
    answer = act(clerk(*EVERY_RIGHT), first, second)
    [(level, text), rest] = messages(answer)
    assert (level, text[:11]) == ("error", "Trouble at ")
    assert rest == ("warning", "Not tried: 1.")
    assert shop.back(first) + shop.back(second) == 0
    assert [each.name for each in caplog.records if each.exc_info] == ["imp_verify"]
    with override_settings(
        IMP_VERIFY={**shop.settings, "CREDENTIALS": {"KEY": "a", "SECRET": "b"}}
    ):
        assert messages(act(clerk(*EVERY_RIGHT), first))[0][1].startswith("Trouble at ")
    with override_settings(IMP_VERIFY=None):
        assert listed(clerk(*EVERY_RIGHT).get(LIST)) != []
        assert messages(act(clerk(*EVERY_RIGHT), first))[0][1].startswith("Trouble at ")


def test_an_answer_that_was_lost_may_mean_that_it_is_done(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    due = shop.twice()
    shop.gateway.sandbox.faults.add(Fault("cancel", lost=True))
    answer = act(clerk(*EVERY_RIGHT), due)
    assert messages(answer) == [
        ("error", f"No answer: {due} (A, 39,000 KRW). It may be done: look in the console.")
    ]
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [GatewayUnavailable]
    assert listed(answer) == []  # it was looked up, and is gone
    assert shop.back(due) == PRICE


def test_one_that_the_gateway_does_not_know_is_left(shop: Shop) -> None:
    due = shop.twice()
    rows("Due", "default").filter(pk=due).update(imp_uid="imp_000000000000")
    assert messages(act(clerk(*EVERY_RIGHT), "imp_000000000000")) == [
        ("warning", "Left: imp_000000000000 (A, 39,000 KRW). The gateway does not know it.")
    ]


def test_only_so_many_are_given_back_at_once(shop: Shop) -> None:
    dues = [shop.twice(f"O{number}") for number in range(11)]
    client = clerk(*EVERY_RIGHT)
    assert messages(act(client, *dues)) == [("error", "Choose at most 10 payments.")]
    assert sum(map(shop.back, dues)) == 0


def test_test_payments_are_listed_in_test_mode_alone(shop: Shop) -> None:
    due = shop.twice()
    rows("Due", "default").filter(pk=due).update(test=True)
    client = clerk(*EVERY_RIGHT)
    assert listed(client.get(LIST)) == [due]
    with override_settings(IMP_VERIFY={**shop.settings, "TEST_MODE": False}):
        assert listed(client.get(LIST)) == []
        assert messages(act(client, due)) == [("warning", "None is due any more.")]
    assert shop.back(due) == 0


def test_what_the_policy_names_is_said_to_be_tried_by_itself(shop: Shop) -> None:
    _ = shop.twice()
    client = clerk(*EVERY_RIGHT)
    assert "Is tried again by itself" not in text_of(client.get(LIST))
    with override_settings(IMP_VERIFY={**shop.settings, "GIVE_BACK": ["duplicate"]}):
        assert "Is tried again by itself" in text_of(client.get(LIST))


def test_it_speaks_korean(shop: Shop) -> None:
    due = shop.twice()
    client = clerk(*EVERY_RIGHT, language="ko")
    text = text_of(client.get(LIST))
    for word in ("환불할 결제", "중복 결제", "39,000 KRW", "할 일", "환불하기", "환불 대상"):
        assert word in text
    [(_, told)] = messages(act(client, due))
    assert told == f"환불 완료: {due} (A, 39,000 KRW)"


def test_the_amount_is_exact(shop: Shop) -> None:
    due = shop.twice()
    rows("Due", "default").filter(pk=due).update(amount=Decimal("12345678.00000001"))
    assert "12,345,678.00000001 KRW" in text_of(clerk(*EVERY_RIGHT).get(LIST))
