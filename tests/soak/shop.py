"""The shop that the soak's servers run: its orders and its hooks' rows on the store's database.

gunicorn runs `tests.soak.shop:plain()`, uvicorn the factory `tests.soak.shop:asynchronous`; the
address and the schema are in the environment.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from imp_verify import AsyncVerifier, ExpectedPayment, Landing, Outcome, Verifier
from imp_verify.stores._hooks import HookArguments
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore

HOOKS = tuple(HookArguments.__annotations__)
LANDING = Landing("/orders/{merchant_uid}", "/cart", "/wait")
ORDER = text("SELECT total, open FROM orders WHERE number = :number")
TOLD = text("INSERT INTO told (hook, change, imp_uid, number) VALUES (:hook, :key, :uid, :number)")


def _row(hook: str, outcome: Outcome) -> dict[str, object]:
    number, uid = outcome.merchant_uid, outcome.imp_uid
    return {"hook": hook, "key": outcome.key, "uid": uid, "number": number}


def _read(number: str, row: Any) -> ExpectedPayment | None:
    return None if row is None else ExpectedPayment(number, int(row.total), open=row.open)


def expected(number: str, db: Connection) -> ExpectedPayment | None:
    return _read(number, db.execute(ORDER, {"number": number}).one_or_none())


def tell(hook: str, outcome: Outcome, db: Connection) -> None:
    db.execute(TOLD, _row(hook, outcome))


async def expected_later(number: str, db: AsyncConnection) -> ExpectedPayment | None:
    return _read(number, (await db.execute(ORDER, {"number": number})).one_or_none())


async def tell_later(hook: str, outcome: Outcome, db: AsyncConnection) -> None:
    await db.execute(TOLD, _row(hook, outcome))


def engine_options() -> dict[str, Any]:
    """A pool of 4: one connection a verification is enough. What was cut is noticed when it is
    borrowed."""
    return {"pool_size": 4, "max_overflow": 0, "pool_pre_ping": True}


def plain() -> Any:
    from flask import Flask

    from imp_verify.contrib import flask as on_flask

    schema = os.environ["SOAK_SCHEMA"]
    options = f"-c search_path={schema} -c application_name={schema}"
    engine = create_engine(
        os.environ["SOAK_PLAIN_URL"], connect_args={"options": options}, **engine_options()
    )
    hooks: Any = {name: partial(tell, name) for name in HOOKS}
    store = SqlAlchemyStore(engine, expected=expected, **hooks)
    app = Flask("soak")
    verifier = Verifier(store, landing=LANDING)
    app.register_blueprint(on_flask.payments(verifier), url_prefix="/pay")
    return app


def asynchronous() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from imp_verify.contrib import starlette as on_starlette

    schema = os.environ["SOAK_SCHEMA"]
    settings = {"search_path": schema, "application_name": schema}
    engine = create_async_engine(
        os.environ["SOAK_ASYNC_URL"],
        connect_args={"server_settings": settings},
        **engine_options(),
    )
    hooks: Any = {name: partial(tell_later, name) for name in HOOKS}
    store = AsyncSqlAlchemyStore(engine, expected=expected_later, **hooks)
    verifier = AsyncVerifier(store, landing=LANDING)
    return Starlette(routes=[Mount("/pay", on_starlette.payments(verifier))])
