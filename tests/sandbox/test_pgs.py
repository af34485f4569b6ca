"""The table of PGs: its rows stand once, and fit the payments that are made with them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from imp_verify.sandbox import Refused, SandboxServer
from imp_verify.sandbox.pgs import ALWAYS, BY_AMOUNT, FULL, IDS_ALONE, NEVER, PGS, PHONE, Pg, pg
from tests.sandbox.conftest import opened, paid


def test_a_pg_that_nobody_knows_has_no_traps() -> None:
    assert pg("unheard_of") == Pg(code="unheard_of")


@pytest.mark.parametrize("row", PGS.values(), ids=PGS)
def test_a_row_says_what_the_table_has_words_for(row: Pg) -> None:
    assert pg(row.code) is row
    assert 0 < len(row.code) <= 16
    assert row.callback in (FULL, IDS_ALONE)
    assert row.issuing in (NEVER, ALWAYS, BY_AMOUNT, PHONE)
    assert not row.currencies or row.currency in row.currencies
    assert row.currency not in row.not_currencies


def test_every_fact_of_a_pg_has_its_sentence() -> None:
    assert Pg.__doc__
    assert [each.name for each in fields(Pg) if f" {each.name}: " not in Pg.__doc__] == []


@pytest.mark.parametrize("code", PGS)
def test_a_payment_can_be_made_with_each(server: SandboxServer, code: str) -> None:
    attempt = paid(server, "ORD1001", pg=code)
    assert (attempt.pg_provider, attempt.currency) == (code, pg(code).currency)


@pytest.mark.parametrize(
    ("code", "currency"),
    [
        *(("paypal", "KRW"), ("paypal_v2", "KRW"), ("smartro_v2", "USD")),
        *(("eximbay", "VND"), ("payletter_global", "EUR")),
    ],
)
def test_a_window_in_a_currency_that_a_pg_does_not_take_is_not_opened(
    server: SandboxServer, code: str, currency: str
) -> None:
    with pytest.raises(Refused, match=currency if PGS[code].not_currencies else "KRW"):
        opened(server, "ORD1001", pg=code, currency=currency)
    assert server.sandbox.gateway.attempts() == []


@pytest.mark.parametrize(
    ("code", "asked", "told"),
    [
        *(("kcp", each, "card") for each in ("kakaopay", "naverpay", "payco")),
        *(("kcp", "phone", "phone"), ("html5_inicis", "kakaopay", "kakaopay")),
        *(("payco", "trans", "card"), ("smilepay", "trans", "card")),
    ],
)
def test_pay_method_is_what_the_pg_records_and_not_what_the_page_asked_for(
    server: SandboxServer, code: str, asked: str, told: str
) -> None:
    attempt = paid(server, pg=code, pay_method=asked)
    assert attempt.pay_method == told
    assert (attempt.card is not None) is (told == "card")
