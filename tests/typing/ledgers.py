"""What a type checker must see of the ledgers: every ready-made store is one. Checked by mypy and
pyright, never run."""

from datetime import datetime
from typing import assert_type

from imp_verify import GiveBack
from imp_verify.stores import AsyncLedger, Due, Ledger, Run
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore


def plain_stores_are_ledgers(
    memory: MemoryStore, sqlite: SqliteStore, tables: SqlAlchemyStore
) -> list[Ledger]:
    return [memory, sqlite, tables]


def async_stores_are_async_ledgers(tables: AsyncSqlAlchemyStore) -> AsyncLedger:
    return tables


def a_ledger_answers_at_once(ledger: Ledger, until: datetime) -> None:
    assert_type(ledger.claim("imp_123456789012", until), Due | None)
    assert_type(ledger.claim("imp_123456789012", until, by_hand=True), Due | None)
    assert_type(ledger.run(""), Run)


async def an_async_one_is_awaited(ledger: AsyncLedger, until: datetime) -> None:
    assert_type(await ledger.claim("imp_123456789012", until), Due | None)
    assert_type(await ledger.run(""), Run)


def a_reason_is_text(refusal: GiveBack) -> None:
    assert_type(refusal.reason, str)
