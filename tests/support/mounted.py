"""Every adapter's application, for a server in a process of its own; what it needs is in the
environment.

gunicorn runs `tests.support.mounted:wsgi_app()`, or `used()`, which has answered before the server
forks; uvicorn runs the factory `tests.support.mounted:asgi_app`.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from contextlib import closing
from typing import Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import imp_verify.contrib._asgi
from imp_verify import AsyncVerifier, Outcome, Verifier
from imp_verify.stores.sqlite import SqliteStore
from tests.support.arguments import VerifierArguments

from .gateway import I3, ORDER, PRICE
from .shop import ASYNC, HOOK_FAILS, LANDING, PLAIN, PREFIX

ROOT = "/shop"
"""Where the application is mounted once more."""
ORDER_BEFORE = "ORD-BEFORE-THE-FORK"
SOURCES = ("127.0.0.0/8", "198.51.100.0/24")
PROXIES = tuple(os.environ.get("SHOP_PROXIES", "127.0.0.0/8").split())
ARGUMENTS: VerifierArguments = {
    "landing": LANDING,
    "timeout": 20.0,
    "webhook_sources": SOURCES,
    "trusted_proxies": PROXIES,
}
TABLES = """
    CREATE TABLE IF NOT EXISTS shipments (merchant_uid TEXT, imp_uid TEXT);
    CREATE TABLE IF NOT EXISTS troubles (what TEXT);
"""


def expected(merchant_uid: str, db: Any) -> int | None:
    return PRICE if merchant_uid in (ORDER, ORDER_BEFORE) else None


def ship(outcome: Outcome, db: Any) -> None:
    db.execute("INSERT INTO shipments VALUES (?, ?)", (outcome.merchant_uid, outcome.imp_uid))
    if db.execute("SELECT count(*) FROM troubles").fetchone()[0]:
        raise RuntimeError(HOOK_FAILS)


def _store() -> SqliteStore:
    logging.basicConfig(level=logging.DEBUG)  # to standard error, where the test looks for secrets
    path = os.environ["SHOP_DATABASE"]
    with closing(sqlite3.connect(path, timeout=20)) as db:
        db.executescript(TABLES)
    return SqliteStore(path, expected=expected, on_paid=ship)


def wsgi_app() -> Any:
    app = PLAIN[os.environ["SHOP_FRAMEWORK"]](Verifier(_store(), **ARGUMENTS))
    return DispatcherMiddleware(app, {ROOT: app, "/pid": _pid})


def _pid(environ: Any, start_response: Any) -> list[bytes]:
    """Say which process answers on this connection."""
    pid = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(pid)))])
    return [pid]


def used() -> Any:
    """Make the application and have it verify a payment, in the process that will fork."""
    app = wsgi_app()
    claim = {"imp_uid": I3, "merchant_uid": ORDER_BEFORE, "amount": PRICE}
    for endpoint in ("confirm", "complete", "webhook"):
        sender = {"REMOTE_ADDR": "127.0.0.1"}
        path = f"{PREFIX}/{endpoint}"
        answer = Client(app).post(path, data=json.dumps(claim), environ_overrides=sender)
        assert answer.status_code == 200, answer.text
    return app


def asgi_app() -> Any:
    imp_verify.contrib._asgi._BODY_TIME = float(os.environ["SHOP_BODY_TIME"])
    app = ASYNC[os.environ["SHOP_FRAMEWORK"]](AsyncVerifier(_store(), **ARGUMENTS))

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path", "").startswith(f"{ROOT}/"):
            scope = {**scope, "root_path": ROOT}
        await app(scope, receive, send)

    return mounted
