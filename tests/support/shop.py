"""A shop on any framework, in memory or on SQLite, that a test drives like a browser would."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Unpack
from urllib.parse import urlencode

from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.test import run_wsgi_app

import imp_verify.contrib.asgi
import imp_verify.contrib.flask
import imp_verify.contrib.starlette
import imp_verify.contrib.wsgi
from imp_verify import (
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    Landing,
    Outcome,
    Receipt,
    Verifier,
)
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from tests.support.arguments import VerifierArguments

from .gateway import I1, I2, ORDER, PRICE, ScriptedGateway
from .markers import KEY, SECRET, found_in

PREFIX = "/pay"
HOOKS = (
    *("on_paid", "on_virtual_account", "on_cancelled", "on_partly_cancelled", "on_failed"),
    *("on_duplicate", "on_late", "on_forgery", "on_review"),
)
LANDING = Landing("/thanks?o={merchant_uid}&s={status}", "/cart?why={reason}", "/wait")
WORDS = {
    "success": (200, "일반 결제 성공"),
    "vbankIssued": (200, "가상계좌 발급 성공"),
    "forgery": (400, "위조된 결제시도"),
}
TIMEOUT = 30.0
HOOK_FAILS = "the shop's hook fails"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, str]:
        assert self.headers["content-type"] == "application/json", self.headers
        assert self.headers["cache-control"] == "no-store"
        content: dict[str, str] = json.loads(self.body)
        assert content.keys() in ({"status", "message"}, {"status", "message", "reason"})
        return content

    @property
    def word(self) -> str:
        return self.json["status"]

    @property
    def told(self) -> tuple[int, str]:
        """Status code and status word, and for the seed's own answers the very bytes."""
        word = self.word
        if word in WORDS:
            status, message = WORDS[word]
            assert self.status == status
            exact = {"status": word, "message": message}
            text = json.dumps(exact, ensure_ascii=False, separators=(",", ":"))
            assert self.body == text.encode()
        if self.status == 503:
            assert self.headers["retry-after"] == "10"
        return self.status, word

    @property
    def lands(self) -> str:
        """Where a redirect goes."""
        assert self.status == 303
        assert self.headers["cache-control"] == "no-store"
        assert self.headers["referrer-policy"] == "no-referrer"
        return self.headers["location"]


Header = tuple[str, str]


class Driver(Protocol):
    """One way to ask a web application without a network; many requests may run at once."""

    app: Any
    root: str
    """Where the server mounts the application: SCRIPT_NAME or root_path."""

    @property
    def verifier(self) -> Verifier | AsyncVerifier: ...

    def start(
        self, method: str, path: str, query: str, headers: Sequence[Header], body: bytes
    ) -> Future[Answer]: ...

    def close(self) -> None: ...


def make_answer(status: int, pairs: Iterable[Header], body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in pairs}
    answer = Answer(status, headers, body)
    assert found_in(f"{headers}{body.decode()}") == []
    assert "set-cookie" not in headers
    assert not any(name.startswith("access-control-") for name in headers)
    return answer


class WsgiDriver:
    """Calls a WSGI application in a pool of threads."""

    def __init__(self, verifier: Verifier, app: Any) -> None:
        self.verifier = verifier
        self.app = app
        self.root = ""
        self._pool = ThreadPoolExecutor(64)

    def start(
        self, method: str, path: str, query: str, headers: Sequence[Header], body: bytes
    ) -> Future[Answer]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": self.root,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "shop.test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "203.0.113.9",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if body:
            environ["CONTENT_LENGTH"] = str(len(body))
        for name, value in headers:
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        return self._pool.submit(self._call, environ)

    def _call(self, environ: dict[str, Any]) -> Answer:
        app_iter, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        return make_answer(int(status.split()[0]), headers.items(), b"".join(app_iter))

    def close(self) -> None:
        self._pool.shutdown()
        assert isinstance(self.verifier, Verifier)
        self.verifier.close()


class AsgiDriver:
    """Calls an ASGI application on one event loop, which runs in a thread of its own."""

    def __init__(self, verifier: AsyncVerifier, app: Any) -> None:
        self.verifier = verifier
        self.app = app
        self.root = ""
        self.path_has_root = True
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def start(
        self, method: str, path: str, query: str, headers: Sequence[Header], body: bytes
    ) -> Future[Answer]:
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        return self.run(self.call(self.scope(method, path, query, headers), messages))

    def scope(
        self, method: str, path: str, query: str = "", headers: Sequence[Header] = ()
    ) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": self.root + path if self.path_has_root else path,
            "raw_path": path.encode(),
            "root_path": self.root,
            "query_string": query.encode("latin-1"),
            "headers": [
                (name.lower().encode(), value.encode("latin-1")) for name, value in headers
            ],
            "client": ("203.0.113.9", 50000),
            "server": ("shop.test", 80),
        }

    async def call(
        self, scope: dict[str, Any], messages: list[dict[str, Any]], app: Any = None
    ) -> Answer:
        """Give the application these messages, and the news that the client has left after them."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await (app or self.app)(scope, receive, send)
        if not sent:
            return Answer(0, {}, b"")
        start, *bodies = sent
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
        body = b"".join(message.get("body", b"") for message in bodies)
        length = dict(pairs).get("content-length")
        assert length is None or scope["method"] == "HEAD" or int(length) == len(body)
        return make_answer(start["status"], pairs, body)

    def close(self) -> None:
        assert isinstance(self.verifier, AsyncVerifier)
        self.run(self.verifier.close()).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._runner.close()


def flask(verifier: Verifier) -> Any:
    app = Flask("shop")
    app.register_blueprint(imp_verify.contrib.flask.payments(verifier), url_prefix=PREFIX)
    return app


def wsgi(verifier: Verifier) -> Any:
    def bare(environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"the shop's own"]

    return imp_verify.contrib.wsgi.PaymentsMiddleware(bare, verifier, prefix=PREFIX)


def starlette(verifier: AsyncVerifier) -> Any:
    return Starlette(routes=[Mount(PREFIX, imp_verify.contrib.starlette.payments(verifier))])


def asgi(verifier: AsyncVerifier) -> Any:
    async def bare(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": b"the shop's own"})

    return imp_verify.contrib.asgi.PaymentsMiddleware(bare, verifier, prefix=PREFIX)


def fastapi(verifier: AsyncVerifier) -> Any:
    from fastapi import FastAPI

    from imp_verify.contrib.fastapi import payments

    app = FastAPI()
    app.include_router(payments(verifier), prefix=PREFIX)
    return app


def quart(verifier: AsyncVerifier) -> Any:
    from quart import Quart

    from imp_verify.contrib.quart import payments

    app = Quart("shop")
    app.register_blueprint(payments(verifier), url_prefix=PREFIX)
    return app


def django(verifier: Verifier) -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    _in_django(verifier)
    return WSGIHandler()


def django_async(verifier: AsyncVerifier) -> Any:
    from django.core.handlers.asgi import ASGIHandler

    _in_django(verifier)
    return ASGIHandler()


def _in_django(verifier: Verifier | AsyncVerifier) -> None:
    """Django has one set of settings for a process: these hold until the shop is closed."""
    from django.test import override_settings

    from . import django_site  # noqa: F401  # it makes the settings

    changed = override_settings(IMP_VERIFY={"VERIFIER": verifier})
    changed.enable()
    UNDO.append(changed.disable)


UNDO: list[Callable[[], None]] = []
"""What a shop has changed in this process, to be changed back when it is closed."""
PLAIN: dict[str, Callable[[Verifier], Any]] = {"flask": flask, "wsgi": wsgi, "django": django}
ASYNC: dict[str, Callable[[AsyncVerifier], Any]] = {
    "starlette": starlette,
    "asgi": asgi,
    "fastapi": fastapi,
    "quart": quart,
    "django_async": django_async,
}
"""How a framework mounts the endpoints under `PREFIX`: a WSGI or an ASGI application."""
LISTENS = ("quart", "django_async")
"""These drop a request whose client leaves: in-process it stays until it has its answer."""


@dataclass
class Shop:
    """Orders in a dictionary, hooks counted, shipments in the store's own database."""

    gateway: ScriptedGateway
    framework: str
    keeps: str
    path: Path
    arguments: VerifierArguments
    orders: dict[str, Any] = field(default_factory=lambda: {ORDER: PRICE})
    told: list[tuple[str, Outcome]] = field(default_factory=list)
    expecting: Callable[[str], Any] | None = None
    """Asked in place of the orders, where a test sets it."""
    on_hook: Callable[[str, Outcome], object] | None = None
    """Called at the end of every hook; what it raises, the hook raises."""
    hold: Callable[[ExpectedPayment, str], str | None] | None = None
    asked_for: list[str] = field(default_factory=list)
    _sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        hooks: dict[str, Any] = {name: self._hook(name) for name in HOOKS}
        functions = {"expected": self._expected, "hold": self._hold, **hooks}
        self.store = store = self._open(functions)
        self.driver: Driver
        if self.framework in PLAIN:
            verifier = Verifier(store, **self.arguments)
            self.driver = WsgiDriver(verifier, PLAIN[self.framework](verifier))
        else:
            from .apps import patient

            asynchronous = AsyncVerifier(store, **self.arguments)
            app = ASYNC[self.framework](asynchronous)
            stays = self.framework in LISTENS
            self.driver = AsgiDriver(asynchronous, patient(app) if stays else app)

    def _open(self, functions: dict[str, Any]) -> Any:
        if self.keeps == "memory":
            return MemoryStore(**functions)
        with closing(sqlite3.connect(self.path)) as db:
            db.execute("CREATE TABLE shipments (merchant_uid TEXT, imp_uid TEXT)")
        return SqliteStore(self.path, **functions)

    def close(self) -> None:
        self.driver.close()
        while UNDO:
            UNDO.pop()()
        if isinstance(self.store, SqliteStore):
            self.store.close()

    @property
    def may_block(self) -> bool:
        """Whether the shop's functions run in threads: on the event loop nobody may wait."""
        return self.framework in PLAIN or self.keeps == "sqlite"

    @property
    def test_mode(self) -> bool:
        return bool(self.arguments.get("test_mode"))

    def _expected(self, merchant_uid: str, transaction: Any) -> Any:
        self.asked_for.append(merchant_uid)
        if self.expecting is not None:
            return self.expecting(merchant_uid)
        return self.orders.get(merchant_uid)

    def _hold(self, expected: ExpectedPayment, imp_uid: str, transaction: Any) -> str | None:
        return None if self.hold is None else self.hold(expected, imp_uid)

    def _hook(self, name: str) -> Callable[[Outcome, Any], None]:
        def hook(outcome: Outcome, transaction: Any) -> None:
            if name == "on_paid" and transaction is not None:
                self._ship(outcome, transaction)
            if self.on_hook is not None:
                self.on_hook(name, outcome)
            if name == "on_paid" and transaction is None:
                self._sent.append(str(outcome.imp_uid))
            self.told.append((name, outcome))

        return hook

    def _ship(self, outcome: Outcome, transaction: Any) -> None:
        row = (outcome.merchant_uid, outcome.imp_uid)
        transaction.execute("INSERT INTO shipments VALUES (?, ?)", row)

    def start(
        self,
        method: str,
        target: str,
        body: object = b"",
        content_type: str | None = "application/json",
        headers: Sequence[Header] = (),
    ) -> Future[Answer]:
        """Begin a request under the prefix; a body that is no bytes is sent as JSON."""
        path, _, query = target.partition("?")
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        extra = [("Content-Type", content_type)] if content_type and sent else []
        return self.driver.start(method, PREFIX + path, query, [*extra, *headers], sent)

    def ask(self, method: str, target: str, *rest: Any, **more: Any) -> Answer:
        return self.start(method, target, *rest, **more).result(TIMEOUT)

    def post(self, path: str, *rest: Any, **more: Any) -> Answer:
        return self.ask("POST", path, *rest, **more)

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def mount_at(self, root: str) -> None:
        """Have the server mount the application there from now on: SCRIPT_NAME or root_path."""
        self.driver.root = root

    def fail_hooks(self, fail: bool) -> None:
        """Have every hook fail from now on, or no longer."""

        def failing(*_: object) -> None:
            raise RuntimeError(HOOK_FAILS)

        self.on_hook = failing if fail else None

    def complete(self, **changes: object) -> Answer:
        return self.post("/complete", body(**changes))

    def webhook(self, **changes: object) -> Answer:
        return self.post("/webhook", body(**{"status": "paid", **changes}))

    def confirm(self, **changes: object) -> Answer:
        return self.post("/confirm", body(**{"amount": PRICE, **changes}))

    def redirect(self, **changes: object) -> Answer:
        query = {"imp_uid": I1, "merchant_uid": ORDER, "imp_success": "true", **changes}
        present = {name: value for name, value in query.items() if value is not ...}
        return self.get(f"/redirect?{urlencode(present)}")

    @property
    def hooks(self) -> list[str]:
        """The names of the hooks that ran to their end, in order."""
        return [name for name, _ in self.told]

    @property
    def paid(self) -> int:
        return self.hooks.count("on_paid")

    def receipt(self, imp_uid: str = I1) -> Receipt | None:
        return self.store.receipts([imp_uid]).get(imp_uid)  # type: ignore[no-any-return]

    def state(self, imp_uid: str = I1) -> str | None:
        receipt = self.receipt(imp_uid)
        return None if receipt is None else str(receipt.state)

    @property
    def shipped(self) -> list[str]:
        """The imp_uids of what was committed by on_paid."""
        if self.keeps == "memory":
            return list(self._sent)
        with closing(sqlite3.connect(self.path)) as db:
            return [uid for (uid,) in db.execute("SELECT imp_uid FROM shipments ORDER BY rowid")]

    def rows(self, table: str) -> int:
        """How many rows a table of the store has; 0 before its first use."""
        with closing(sqlite3.connect(self.path)) as db, suppress(sqlite3.OperationalError):
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        return 0

    def assert_nothing_recorded(self, *imp_uids: str) -> None:
        """No receipt at all, no hook, no shipment: not even of an attempt."""
        for imp_uid in imp_uids or (I1, I2):
            assert self.state(imp_uid) is None
        assert self.hooks == []
        assert self.shipped == []
        if self.keeps != "memory":
            assert self.rows("imp_receipts") == self.rows("imp_changes") == 0

    def assert_not_paid(self) -> None:
        """Nothing that pays or waits, no on_paid, nothing shipped."""
        for imp_uid in (I1, I2):
            assert self.state(imp_uid) not in ("paying", "waiting")
        assert self.paid == 0
        assert self.shipped == []

    def assert_paid_once(self, imp_uid: str = I1) -> None:
        assert self.state(imp_uid) == "paying"
        assert self.paid == 1
        assert self.shipped == [imp_uid]


def body(**changes: object) -> dict[str, object]:
    """The ids of a request, but for the changes; one set to ... is left out."""
    fields = {"imp_uid": I1, "merchant_uid": ORDER, **changes}
    return {name: value for name, value in fields.items() if value is not ...}


class MakeShop(Protocol):
    def __call__(self, **arguments: Unpack[VerifierArguments]) -> Shop: ...


def credentials() -> Credentials:
    return Credentials(KEY, SECRET)
