"""The shops that load.py puts under load, each for a server to call as a factory.

Which transport and database is in the environment: LOAD_GATEWAY, LOAD_TRANSPORT, LOAD_DATABASE (a
URL of SQLAlchemy, or the path of a SQLite file).
"""

from __future__ import annotations

import logging
import os
import sqlite3
from typing import Any

import flask
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from imp_verify import AsyncVerifier, Credentials, Outcome, Verifier
from imp_verify.contrib import flask as flask_adapter
from imp_verify.contrib import starlette as starlette_adapter
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from imp_verify.stores.sqlite import SqliteStore
from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport

POOL = {"pool_size": 16, "max_overflow": 0}
"""Of a process: connections to PostgreSQL, which has 100 for all as it comes."""
ASK = "SELECT total FROM shop_orders WHERE number = :number"
PAY = "UPDATE shop_orders SET paid = paid + 1 WHERE number = :number"
TRANSPORTS: dict[str, type[Any]] = {
    "requests": RequestsTransport,
    "urllib3": Urllib3Transport,
    "httpx2": HttpxTransport,
    "aiohttp": AiohttpTransport,
}


def settings() -> dict[str, Any]:
    """Give what both verifiers are told. What they could not do is counted by the callers."""
    logging.getLogger("imp_verify").setLevel(logging.CRITICAL)
    return {
        "credentials": Credentials("key", "secret"),
        "base_url": os.environ["LOAD_GATEWAY"],
        "transport": TRANSPORTS[os.environ["LOAD_TRANSPORT"]](),
    }


def sqlite_store(path: str) -> SqliteStore:
    """Keep orders in a file."""

    def expected(order: str, db: sqlite3.Connection) -> int | None:
        row = db.execute(ASK, {"number": order}).fetchone()
        return row and int(row[0])

    def on_paid(paid: Outcome, db: sqlite3.Connection) -> None:
        _ = db.execute(PAY, {"number": paid.merchant_uid})

    return SqliteStore(path, expected=expected, on_paid=on_paid)


def sqlalchemy_store(url: str) -> SqlAlchemyStore:
    """Keep orders in PostgreSQL, for a server of threads."""

    def expected(order: str, db: Connection) -> int | None:
        return db.execute(text(ASK), {"number": order}).scalar_one_or_none()

    def on_paid(paid: Outcome, db: Connection) -> None:
        _ = db.execute(text(PAY), {"number": paid.merchant_uid})

    return SqlAlchemyStore(create_engine(url, **POOL), expected=expected, on_paid=on_paid)


def async_store(url: str) -> AsyncSqlAlchemyStore:
    """Keep orders in PostgreSQL, for an event loop."""

    async def expected(order: str, db: AsyncConnection) -> int | None:
        return (await db.execute(text(ASK), {"number": order})).scalar_one_or_none()

    async def on_paid(paid: Outcome, db: AsyncConnection) -> None:
        _ = await db.execute(text(PAY), {"number": paid.merchant_uid})

    engine = create_async_engine(url, **POOL)
    return AsyncSqlAlchemyStore(engine, expected=expected, on_paid=on_paid)


def flask_shop() -> flask.Flask:
    """Make the plain shop."""
    database = os.environ["LOAD_DATABASE"]
    store = sqlalchemy_store(database) if "://" in database else sqlite_store(database)
    store.create_all()
    app = flask.Flask(__name__)
    verifier = Verifier(store, **settings())
    app.register_blueprint(flask_adapter.payments(verifier), url_prefix="/payments")
    app.add_url_rule("/process", view_func=lambda: str(os.getpid()))
    return app


def starlette_shop() -> Starlette:
    """Make the asynchronous shop, whose tables are there already."""

    async def process(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(os.getpid()))

    verifier = AsyncVerifier(async_store(os.environ["LOAD_DATABASE"]), **settings())
    mount = Mount("/payments", starlette_adapter.payments(verifier))
    return Starlette(routes=[mount, Route("/process", process)])
