"""The table of PGs: its rows stand once, and fit the payments that are made with them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from imp_verify.sandbox import SandboxServer
from imp_verify.sandbox.pgs import ALWAYS, BY_AMOUNT, FULL, IDS_ALONE, NEVER, PGS, PHONE, Pg, pg
from tests.sandbox.conftest import paid


def test_a_pg_that_nobody_knows_has_no_traps() -> None:
    assert pg("unheard_of") == Pg(code="unheard_of")


@pytest.mark.parametrize("row", PGS.values(), ids=PGS)
def test_a_row_says_what_the_table_has_words_for(row: Pg) -> None:
    assert pg(row.code) is row
    assert 0 < len(row.code) <= 16
    assert row.callback in (FULL, IDS_ALONE)
    assert row.issuing in (NEVER, ALWAYS, BY_AMOUNT, PHONE)
    assert not row.currencies or row.currency in row.currencies


def test_every_fact_of_a_pg_has_its_sentence() -> None:
    assert Pg.__doc__
    assert [each.name for each in fields(Pg) if f" {each.name}: " not in Pg.__doc__] == []


@pytest.mark.parametrize("code", PGS)
def test_a_payment_can_be_made_with_each(server: SandboxServer, code: str) -> None:
    attempt = paid(server, "ORD1001", pg=code)
    assert (attempt.pg_provider, attempt.currency) == (code, pg(code).currency)
