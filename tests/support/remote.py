"""A shop on any adapter under a real server, that a test drives as it drives one in-process."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .gateway import I3, ScriptedGateway
from .mounted import ORDER_BEFORE
from .processes import ROOT, environment
from .servers import GUNICORN, UVICORN, Server, head, started, until
from .shop import ASYNC, HOOK_FAILS, PLAIN, PREFIX, Answer, Header, make_answer

OF_THE_SERVER = {"date", "server", "connection"}
BODY_TIME = 1.5
"""Seconds that these servers' ASGI adapters wait for a body, instead of 10."""
PATIENCE = 20.0
COMMANDS = {
    "gthread": f"{GUNICORN} --workers=1 --threads=8 tests.support.mounted:wsgi_app()",
    "preload": f"{GUNICORN} --workers=2 --threads=4 --preload tests.support.mounted:used()",
    "uvicorn": f"{UVICORN} tests.support.mounted:asgi_app",
    "waitress": "waitress-serve --listen=127.0.0.1:0 --call tests.support.mounted:wsgi_app",
    "hypercorn": "hypercorn -b 127.0.0.1:0 tests.support.mounted:asgi_app()",
}
SETUPS = (
    *(f"{server}-{framework}" for server in ("gthread", "preload") for framework in PLAIN),
    *(f"uvicorn-{framework}" for framework in ASYNC),
)
"""Server and adapter, "gthread-flask" for example."""


@dataclass
class Remote:
    """A running shop; its records are in a file that the test empties."""

    setup: str
    server: Server
    database: Path
    root: str = ""

    @property
    def framework(self) -> str:
        return self.setup.partition("-")[2]

    @property
    def is_asgi(self) -> bool:
        return self.framework in ASYNC

    def forget(self) -> None:
        """Forget every record, as if the server had just been started."""
        self.root = ""
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as db, db:
            tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                if not table.startswith("sqlite_"):
                    db.execute(f"DELETE FROM {table}")

    def mount_at(self, root: str) -> None:
        self.root = root

    def fail_hooks(self, fail: bool) -> None:
        change = "INSERT INTO troubles VALUES ('hook')" if fail else "DELETE FROM troubles"
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as db, db:
            db.execute(change)

    @property
    def shipped(self) -> list[str]:
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as db:
            return [uid for (uid,) in db.execute("SELECT imp_uid FROM shipments ORDER BY rowid")]

    def ask(
        self,
        method: str,
        target: str,
        body: object = b"",
        content_type: str | None = "application/json",
        headers: Sequence[Header] = (),
    ) -> Answer:
        """Ask under the prefix; a body that is no bytes is sent as JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Host": "shop.test", "Connection": "close", **dict(headers)}
        if sent:
            fields["Content-Length"] = str(len(sent))
        if sent and content_type:
            fields["Content-Type"] = content_type
        return self.raw(head(method, f"{self.root}{PREFIX}{target}", fields), sent)

    def raw(self, *pieces: bytes, half_close: bool = False) -> Answer:
        """Send these pieces; status 0 where the server hangs up without an answer."""
        wire = self.server.raw(*pieces, half_close=half_close)
        length = wire.headers.get("content-length")
        assert length in (None, str(len(wire.body))) or pieces[0].startswith(b"HEAD ")
        pairs = [pair for pair in wire.headers.items() if pair[0] not in OF_THE_SERVER]
        return make_answer(wire.status, pairs, wire.body)

    def post(self, path: str, *rest: Any, **more: Any) -> Answer:
        return self.ask("POST", path, *rest, **more)

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        pid = self.server.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children] or [pid]

    def held(self) -> dict[str, int]:
        """How many threads and descriptors the processes hold together."""
        return {
            what: sum(len(os.listdir(f"/proc/{pid}/{what}")) for pid in self.workers)
            for what in ("task", "fd")
        }

    @property
    def tracebacks(self) -> list[str]:
        """What the server has written of exceptions, but for the hook that is meant to fail."""
        text = b"".join(self.server.said).decode()
        shown = text.split("Traceback (most recent call last)")[1:]
        return [trace for trace in shown if HOOK_FAILS not in trace]


@contextmanager
def run(setup: str, gateway: ScriptedGateway, folder: Path) -> Iterator[Remote]:
    """Run a shop until the end of the block."""
    server, _, framework = setup.partition("-")
    database = folder / "shop.db"
    variables = {
        **environment(gateway, database),
        "SHOP_FRAMEWORK": framework,
        "SHOP_BODY_TIME": str(BODY_TIME),
    }
    gateway.has(imp_uid=I3, merchant_uid=ORDER_BEFORE)
    with started(COMMANDS[server], variables, ROOT) as running:
        remote = Remote(setup, running, database)
        if server == "preload":
            assert until(lambda: len(remote.workers) == 2)
        assert remote.ask("OPTIONS", "/webhook").status == 204
        assert remote.shipped == ([I3] if server == "preload" else [])
        claim = {"imp_uid": I3, "merchant_uid": ORDER_BEFORE}
        # A first request imports clients: on a busy machine that may outlast its deadline.
        assert until(lambda: remote.post("/webhook", claim).status == 200)
        remote.forget()
        yield remote
    assert remote.tracebacks == []
