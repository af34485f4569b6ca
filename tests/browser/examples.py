"""The examples as shops that a browser can visit: each under its own server, with a sandbox."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import requests

from imp_verify.sandbox import Account, SandboxServer
from tests.examples.test_examples import COMMANDS, EXAMPLES
from tests.support.servers import started

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
    # Bound and not listening: nobody else is given this port, and the server may still bind it.
    held = ends.enter_context(socket.socket())
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port = held.getsockname()[1]
    gateway = ends.enter_context(SandboxServer())
    variables = {
        **os.environ,
        "IMP_KEY": Account().key,
        "IMP_SECRET": Account().secret,
        "IMP_API_URL": gateway.url,
        "IMP_TEST_MODE": "1",
        "IMP_USER_CODE": Account().user_code,
        "IMP_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SHOP_DB": str(folder / f"{name}.db"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    changed = {"127.0.0.1:0": f"127.0.0.1:{port}", "0": str(port)}
    command = [changed.get(word, word) for word in COMMANDS[name]]
    server = ends.enter_context(started(name, command, variables, EXAMPLES))
    assert server.port == port
    gateway.sandbox.settings.webhook_url = f"{variables['IMP_PUBLIC_URL']}/payments/webhook"
    return Example(variables["IMP_PUBLIC_URL"], Path(variables["SHOP_DB"]), gateway)
