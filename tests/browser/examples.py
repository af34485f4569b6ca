"""The examples as shops that a browser can visit: each under its own server, with a sandbox."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import requests

from imp_verify.sandbox import SandboxServer
from tests.examples.test_examples import COMMANDS, EXAMPLES
from tests.support.processes import beside_sandbox
from tests.support.servers import free_port, started

PRICE = 39000


@dataclass(frozen=True)
class Example:
    """An example that is running, and its gateway."""

    url: str
    database: Path
    gateway: SandboxServer

    def order(self) -> str:
        answer = requests.post(
            f"{self.url}/orders?total={PRICE}", allow_redirects=False, timeout=30
        )
        return answer.headers["location"].rpartition("/")[2]

    def changes(self, number: str) -> list[str]:
        """Return what the store has handed on for an order, in its order."""
        with closing(sqlite3.connect(self.database)) as db:
            found = db.execute(
                "SELECT verdict FROM imp_changes WHERE merchant_uid = ? ORDER BY rowid", (number,)
            )
            return [verdict for (verdict,) in found]


def start(name: str, folder: Path, ends: ExitStack) -> Example:
    """Run an example until the end of the stack, with webhooks."""
    port = free_port()
    gateway = ends.enter_context(SandboxServer())
    url, database = f"http://127.0.0.1:{port}", folder / f"{name}.db"
    variables = beside_sandbox(gateway, IMP_PUBLIC_URL=url, SHOP_DB=str(database))
    ends.enter_context(started(COMMANDS[name], variables, EXAMPLES, port=port))
    gateway.sandbox.settings.webhook_url = f"{url}/payments/webhook"
    return Example(url, database, gateway)
