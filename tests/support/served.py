"""The shops that servers and processes of their own run; what they need is in the environment.

gunicorn runs `tests.support.served:flask_app()`, uvicorn the factory
`tests.support.served:starlette_app`; `python -m tests.support.served` asks itself what it reads.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from contextlib import closing
from typing import Any

from flask import Flask

from imp_verify import AsyncVerifier, ExpectedPayment, Landing, Outcome, Verifier
from imp_verify.contrib import flask as on_flask
from imp_verify.contrib import starlette as on_starlette
from imp_verify.stores.sqlite import SqliteStore

PRICE = 39000
LANDING = Landing("/orders/{merchant_uid}", "/cart", "/wait")
ELSEWHERE = ["192.0.2.0/24"]
"""Networks that no test comes from."""


def expected(merchant_uid: str, db: Any) -> ExpectedPayment | int | None:
    if merchant_uid.startswith("CLOSED"):
        return ExpectedPayment(merchant_uid, PRICE, open=False)
    if merchant_uid.startswith("BROKEN"):
        raise RuntimeError("the shop's database is down")
    return PRICE if merchant_uid.startswith(("ORD", "FAILS")) else None


def ship(outcome: Outcome, db: Any) -> None:
    db.execute("INSERT INTO shipments VALUES (?, ?)", (outcome.merchant_uid, outcome.imp_uid))
    if str(outcome.merchant_uid).startswith("FAILS"):
        raise RuntimeError("the shop's hook fails")


def hold(wanted: ExpectedPayment, imp_uid: str, db: Any) -> str | None:
    return "재고 부족" if wanted.merchant_uid == "ORD-SOLDOUT" else None


def make_store() -> SqliteStore:
    logging.basicConfig(level=logging.DEBUG)  # to standard error, where the test looks for secrets
    path = os.environ["SHOP_DATABASE"]
    with closing(sqlite3.connect(path, timeout=20)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS shipments (merchant_uid TEXT, imp_uid TEXT)")
    return SqliteStore(path, expected=expected, hold=hold, on_paid=ship)


def flask_app() -> Flask:
    store = make_store()
    app = Flask("served")
    verifier = Verifier(store, landing=LANDING)
    app.register_blueprint(on_flask.payments(verifier), url_prefix="/pay")
    picky = Verifier(store, webhook_sources=ELSEWHERE)
    app.register_blueprint(on_flask.payments(picky, name="picky"), url_prefix="/picky")
    return app


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    store = make_store()
    verifier = AsyncVerifier(store, landing=LANDING)
    picky = AsyncVerifier(store, webhook_sources=ELSEWHERE)
    return Starlette(
        routes=[
            Mount("/pay", on_starlette.payments(verifier)),
            Mount("/picky", on_starlette.payments(picky)),
        ]
    )


def main() -> None:
    """Ask the Flask shop what each line of the input says; print a line for each answer."""
    client = flask_app().test_client()
    print("ready", flush=True)
    for line in sys.stdin:
        method, target, body = json.loads(line)
        answer = client.open(f"/pay{target}", method=method, json=body)
        told = answer.get_json(silent=True)
        row = {"status": answer.status_code, "location": answer.location, "body": told}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
