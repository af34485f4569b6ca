"""The store's tables in Django's admin: what is seen, what cannot be done, what is checked."""

from __future__ import annotations

import gettext
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from django.utils import translation

import imp_verify.contrib.django
from imp_verify import (
    AsyncVerifier,
    ExpectedPayment,
    Outcome,
    Reason,
    Verdict,
)
from imp_verify.contrib.django import get_verifier
from imp_verify.contrib.django.stores import DjangoStore
from imp_verify.testing._harness import paid_outcome
from tests.storage import django_shops
from tests.storage.django_shops import rows
from tests.support import markers
from tests.support.gateway import ScriptedGateway, act, silence

pytestmark = [pytest.mark.xdist_group("django"), pytest.mark.usefixtures("django_databases")]
PAGES = ("receipt", "order", "change", "due")
PRICE = Decimal("39000")
ODD = "<b>&'\"1"
CHECK = {"action": "check"}


@pytest.fixture(scope="module")
def project(django_databases: None) -> Iterator[None]:
    from tests.support.django_admin import SETTINGS

    with override_settings(**SETTINGS):
        call_command("migrate", verbosity=0)
        yield
        connections.close_all()


def paid_now(imp_uid: str, order: str) -> Outcome:
    """Give money that came after the store began, and so is its business."""
    outcome = paid_outcome(imp_uid, ExpectedPayment(order, PRICE))
    assert outcome.payment is not None
    return replace(
        outcome, payment=replace(outcome.payment, raw={"paid_at": int(time.time()) + 60})
    )


@pytest.fixture
def store(project: None) -> Iterator[DjangoStore]:
    """A store that has seen one payment of each kind, in the order of their numbers."""
    django_shops.empty("default")
    asks: dict[str, ExpectedPayment] = {}

    def expected(number: str, using: str) -> ExpectedPayment | None:
        # Whether in another block than the one that is opened for this question alone.
        store.inside.append(bool(connections[using].savepoint_ids))  # type: ignore[attr-defined]
        return asks.get(number)

    store = DjangoStore(expected=expected)
    store.inside = []  # type: ignore[attr-defined]
    for number, order in enumerate(("A", "A", "B", ODD, "D"), 1):
        asks[order] = ExpectedPayment(order, PRICE, open=order != "B")
        outcome = paid_now(f"imp_{number}", order)
        if order == "D":
            forged = replace(outcome, verdict=Verdict.FORGERY, reason=Reason.AMOUNT)
            store.observe(forged)
        else:
            store.settle(outcome)
    claim = replace(paid_outcome("imp_9", asks["A"]), verdict=Verdict.FORGERY)
    store.observe(replace(claim, reason=Reason.ORDER))
    yield store
    connections.close_all()


def user(*permissions: str) -> Client:
    """Log somebody in who has these permissions, or all where none are named."""
    users = apps.get_model("auth", "User").objects
    users.filter(username="clerk").delete()
    clerk = users.create_user("clerk", is_staff=True, is_superuser=not permissions)
    clerk.user_permissions.set(
        apps.get_model("auth", "Permission").objects.filter(codename__in=permissions)
    )
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(clerk)
    return client


def page(client: Client, name: str, query: str = "") -> str:
    answer = client.get(f"/admin/imp_verify/{name}/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def listed(text: str) -> list[str]:
    """Return the payments in a list, from the links of its rows."""
    return re.findall(r'<t[hd] class="field-imp_uid"><?[^>]*>?(imp_\w+)', text)


def test_everything_is_shown_and_escaped(store: DjangoStore) -> None:
    client = user()
    for name in PAGES:
        text = page(client, name)
        assert ODD not in text
        assert "Traceback" not in text
    text = page(client, "receipt")
    assert sorted(listed(text)) == ["imp_1", "imp_2", "imp_3", "imp_4"]
    assert "&lt;b&gt;&amp;&#x27;&quot;1" in text
    assert "39,000\xa0KRW" in text
    assert "paid twice" in text
    detail = page(client, "receipt", "imp_1/change/")
    assert "39,000\xa0KRW" in detail
    assert 'type="text"' not in detail
    assert "imp_1" in page(client, "order", "A/change/")


def test_searched_and_filtered(store: DjangoStore) -> None:
    client = user()
    assert listed(page(client, "receipt", "?q=imp_3")) == ["imp_3"]
    assert sorted(listed(page(client, "receipt", "?q=A"))) == ["imp_1", "imp_2"]
    assert listed(page(client, "receipt", "?state__exact=late")) == ["imp_3"]
    assert listed(page(client, "receipt", "?currency=USD")) == []
    assert len(listed(page(client, "receipt", "?currency=KRW&test__exact=0"))) == 4
    assert listed(page(client, "due", "?kind__exact=forgery")) == ["imp_5"]


def test_nobody_can_change_anything(store: DjangoStore) -> None:
    client = user()
    tables = ("Receipt", "Order", "Change", "Due")
    before = [list(rows(name, "default").values()) for name in tables]
    change = rows("Change", "default").first().pk
    for name, key in zip(PAGES, ("imp_1", "A", change, "imp_2"), strict=True):
        assert client.get(f"/admin/imp_verify/{name}/add/").status_code == 403
        assert client.post(f"/admin/imp_verify/{name}/add/", {"x": 1}).status_code == 403
        path = f"/admin/imp_verify/{name}/{key}"
        assert client.post(f"{path}/change/", {"state": "paying"}).status_code == 403
        assert client.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
        deletion = {"action": "delete_selected", "_selected_action": key, "post": "yes"}
        client.post(f"/admin/imp_verify/{name}/", deletion)
    after = [list(rows(name, "default").values()) for name in tables]
    assert before == after


def test_who_may_not_look_sees_nothing(store: DjangoStore) -> None:
    client = user("view_receipt")
    assert listed(page(client, "receipt")) != []
    assert client.get("/admin/imp_verify/change/").status_code == 403


def given(gateway: ScriptedGateway, store: DjangoStore, **more: object) -> Any:
    setting = {
        "STORE": store,
        "CREDENTIALS": {"KEY": markers.KEY, "SECRET": markers.SECRET},
        "BASE_URL": gateway.address,
        **more,
    }
    return override_settings(IMP_VERIFY=setting)


def check(client: Client, name: str, *keys: object) -> str:
    chosen = {**CHECK, "_selected_action": keys}
    answer = client.post(f"/admin/imp_verify/{name}/", chosen, follow=True)
    return str(answer.content.decode())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_payments_are_checked_again_at_the_gateway_outside_any_transaction(
    gateway: ScriptedGateway,
    store: DjangoStore,
    asynchronous: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    connections.close_all()
    gateway.has(imp_uid="imp_1", merchant_uid="A", status="cancelled", cancel_amount=39000)
    gateway.has(imp_uid="imp_2", merchant_uid="A")
    told: list[Outcome] = []
    store._functions._hooks["on_cancelled"] = lambda outcome, using: told.append(outcome)
    with given(gateway, store, ASYNC=asynchronous):
        store.inside.clear()  # type: ignore[attr-defined]
        text = check(user(), "receipt", "imp_1", "imp_2")
        assert isinstance(get_verifier(), AsyncVerifier) is asynchronous
    assert "2 payments checked (cancelled: 1, duplicate: 1)" in text
    assert [each.imp_uid for each in told] == ["imp_1"]
    assert store.inside == [False, True] * 2  # type: ignore[attr-defined]  # asked, then recorded
    states = dict(rows("Receipt", "default").values_list("imp_uid", "state"))
    assert (states["imp_1"], states["imp_2"]) == ("cancelled", "duplicate")


def test_a_refused_payment_is_checked_again_with_several_accounts(
    gateway: ScriptedGateway, store: DjangoStore
) -> None:
    gateway.has(imp_uid="imp_5", merchant_uid="D", amount=100)
    keys = {"KEY": markers.KEY, "SECRET": markers.SECRET}
    store._functions.expected = lambda number, using: ExpectedPayment(number, PRICE, account="kr")
    with given(gateway, store, CREDENTIALS=None, ACCOUNTS={"kr": keys, "us": keys}):
        assert "1 payment checked (forgery: 1)" in check(user(), "due", "imp_5")


@pytest.mark.parametrize("alias", ["postgresql", "mariadb"])
def test_the_admin_reads_where_the_store_writes(
    gateway: ScriptedGateway, store: DjangoStore, alias: str
) -> None:
    django_shops.empty(alias)
    other = DjangoStore(using=alias, expected=lambda number, using: PRICE)
    for imp_uid in ("imp_8", "imp_9"):
        other.settle(paid_now(imp_uid, "A"))
    with given(gateway, other):
        assert listed(page(user(), "due")) == ["imp_9"]
        assert sorted(listed(page(user(), "receipt"))) == ["imp_8", "imp_9"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_trouble_stops_the_check_and_is_said(
    gateway: ScriptedGateway,
    store: DjangoStore,
    asynchronous: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway.has(imp_uid="imp_1", merchant_uid="other")
    gateway.has(imp_uid="imp_2", merchant_uid="A")
    with given(gateway, store, ASYNC=asynchronous, TIMEOUT=0.2):
        gateway.always = act(silence)
        gateway.payments.clear()
        text = check(user(), "receipt", "imp_2", "imp_3", "imp_4")
    assert "0 payments checked. Trouble at imp_" in text
    assert [each.name for each in caplog.records if each.exc_info] == ["imp_verify"]


def test_only_so_many_are_checked_at_once(gateway: ScriptedGateway, store: DjangoStore) -> None:
    for number in range(51):
        outcome = paid_outcome(f"imp_m{number}", ExpectedPayment("A", PRICE))
        store.settle(outcome)
    keys = [f"imp_m{number}" for number in range(51)]
    with given(gateway, store):
        text = check(user(), "receipt", *keys)
        assert "Choose at most 50 payments." in text
    assert gateway.looked == []


def test_checking_again_is_a_permission_apart(gateway: ScriptedGateway, store: DjangoStore) -> None:
    gateway.has(imp_uid="imp_2", merchant_uid="A")
    with given(gateway, store):
        client = user("view_receipt")
        assert 'value="check"' not in page(client, "receipt")
        check(client, "receipt", "imp_2")
        assert gateway.looked == []
        client = user("view_receipt", "check_receipt")
        assert 'value="check"' in page(client, "receipt")
        assert "1 payment checked (duplicate: 1)" in check(client, "receipt", "imp_2")


def test_it_speaks_korean(store: DjangoStore) -> None:
    client = user()
    answer = client.get("/admin/imp_verify/", headers={"Accept-Language": "ko"})
    text = answer.content.decode()
    for word in ("아임포트 결제", "환불할 결제", "변경 내역"):
        assert word in text


def test_every_text_has_its_korean() -> None:
    folder = Path(imp_verify.contrib.django.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    wanted = set(re.findall(r'\b(?:_|gettext|gettext_noop)\("([^"]+)"\)', source))
    with (folder / "locale/ko/LC_MESSAGES/django.mo").open("rb") as file:
        known: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    assert len(wanted) > 30
    assert wanted - known.keys() == set()
    plain = (folder / "locale/ko/LC_MESSAGES/django.po").read_text(encoding="utf-8")
    compiled = {text for text in known.values() if "\n" not in text}
    assert compiled == set(re.findall(r'^msgstr(?:\[0\])? "(.+)"$', plain, re.MULTILINE))
    with translation.override("ko"):
        assert translation.gettext("payments to give back") == "환불할 결제"
