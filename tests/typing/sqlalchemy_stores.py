"""What a type checker must see of the stores on SQLAlchemy. Checked by mypy and pyright, never
run."""

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from imp_verify import AsyncVerifier, Outcome, Verifier
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore


def with_connection(merchant_uid: str, db: Connection) -> int:
    return 39000


def with_session(merchant_uid: str, db: Session) -> int:
    return 39000


def ship(outcome: Outcome, db: Connection) -> None: ...


def ship_in_session(outcome: Outcome, db: Session) -> None: ...


async def with_connection_later(merchant_uid: str, db: AsyncConnection) -> int:
    return 39000


async def with_session_later(merchant_uid: str, db: AsyncSession) -> int:
    return 39000


async def ship_later(outcome: Outcome, db: AsyncConnection) -> None: ...


def plain(engine: Engine, maker: sessionmaker[Session], scope: scoped_session[Session]) -> None:
    _ = Verifier(SqlAlchemyStore(engine, expected=with_connection, on_paid=ship))
    _ = Verifier(SqlAlchemyStore(maker, expected=with_session, on_paid=ship_in_session))
    _ = Verifier(
        SqlAlchemyStore(scope, expected=with_session, on_paid=ship_in_session, lock_timeout=2.5)
    )


def asynchronous(engine: AsyncEngine, maker: async_sessionmaker[AsyncSession]) -> None:
    store = AsyncSqlAlchemyStore(engine, expected=with_connection_later, on_paid=ship_later)
    _ = AsyncVerifier(store)
    _ = AsyncVerifier(AsyncSqlAlchemyStore(maker, expected=with_session_later))
