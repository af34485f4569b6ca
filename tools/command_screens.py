"""The screens of the commands: each run for real in a terminal's colours, on a shop in a temporary
folder and the sandbox."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from imp_verify import Credentials, Verifier
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.stores.sqlite import SqliteStore

SHOP = """
from imp_verify import ExpectedPayment, Verifier
from imp_verify.stores.sqlite import SqliteStore

def expected(merchant_uid, db):
    is_order = merchant_uid.startswith("ORD")
    return ExpectedPayment(merchant_uid, 39000) if is_order else None

verifier = Verifier(SqliteStore("shop.db", expected=expected))
"""
PRICE, WIDTH, HOUR = 39000, 100, 3600
PAGE = """<style>
body {{ margin: 0; background: {background}; color: {foreground} }}
pre {{ margin: 0; padding: 16px 20px; width: fit-content;
  font: 15px/20px "DejaVu Sans Mono", "Noto Sans Mono CJK KR", monospace }}
i {{ display: inline-block; width: 2ch; height: 20px; text-align: center; vertical-align: top;
  font-style: normal }}
big {{ font-size: 16px; margin: 0 -2px }}
</style><pre>{code}</pre>"""
"""What is wide on a terminal is twice as wide as the rest, whatever the font thinks."""


class Screens:
    """A shop whose payments are made as they are wanted, and what its commands print."""

    def __init__(self, server: SandboxServer, folder: Path, language: str) -> None:
        self._server, self._folder, self._language = server, folder, language
        _ = (folder / "shop.py").write_text(SHOP)
        account = Account()
        store = SqliteStore(folder / "shop.db", expected=lambda number, _: PRICE)
        keys = Credentials(account.key, account.secret)
        self._verifier = Verifier(store, credentials=keys, base_url=server.url)
        _ = store.run("")
        with closing(sqlite3.connect(folder / "shop.db")) as db, db:
            _ = db.execute("UPDATE imp_runs SET began = '2020-01-01T00:00:00.000+00:00'")
        self._environment = {
            **os.environ,
            **{"IMP_KEY": account.key, "IMP_SECRET": account.secret, "IMP_API_URL": server.url},
            **{"IMP_VERIFY_APP": "shop:verifier", "IMP_PUBLIC_URL": "http://127.0.0.1:9"},
            **{"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(WIDTH)},
        }
        self._environment.pop("NO_COLOR", None)

    def pay(self, number: str, *, recorded: bool = False, **fields: object) -> str:
        """Have an order paid; its notice is lost unless it is recorded."""
        given = {"merchant_uid": number, "amount": PRICE, "status": "paid", **fields}
        imp_uid = self._server.sandbox.gateway.make(**given).imp_uid
        if recorded:
            _ = self._verifier.verify(imp_uid, number)
        return imp_uid

    def refund(self, imp_uid: str) -> None:
        """Give a payment back where the shop does not see it."""
        _ = self._server.sandbox.refund(imp_uid, reason="by hand")

    def show(self, *commands: str) -> str:
        """Run commands one after the other; gives what they print as a page."""
        console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
        for number, command in enumerate(commands):
            console.print(Text(f"{'' if number == 0 else chr(10)}$ imp-verify {command}", "bold"))
            console.print(Text.from_ansi(self._run(command)))
        text = console.export_html(theme=SVG_EXPORT_THEME, code_format=PAGE, inline_styles=True)
        return "".join(
            f"<i><big>{each}</big></i>" if cell_len(each) == 2 else each for each in text
        )

    def _run(self, command: str) -> str:
        line = [sys.executable, "-m", "imp_verify.cli", *command.split()]
        line += ["--language", self._language]
        done = subprocess.run(
            line,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            encoding="utf-8",
        )
        assert done.stdout, command
        return done.stdout.rstrip("\n")

    def close(self) -> None:
        """Close what was opened."""
        self._verifier.close()
        self._verifier.store.close()  # type: ignore[attr-defined]


def screens(language: str) -> Iterator[tuple[str, str]]:
    """Give verify, reconcile, give-back and doctor, each with something to say, as a page."""
    with SandboxServer() as server, tempfile.TemporaryDirectory() as folder:
        server.sandbox.clock.advance(-HOUR)  # reconcile looks at what was a minute ago
        shop = Screens(server, Path(folder), language)
        forged = shop.pay("ORD-1001", amount=390)
        yield "verify", shop.show(f"verify {forged} ORD-1001")
        _ = shop.pay("ORD-1002")
        shop.refund(shop.pay("ORD-1003", recorded=True))
        for number in ("ORD-1004", "ORD-1005"):
            _ = shop.pay(number, recorded=True)
        second = shop.pay("ORD-1004", recorded=True)
        _ = shop.pay("ORD-1005", recorded=True, pay_method="vbank")
        _ = shop.pay("NEW-7", amount=5000)
        yield "reconcile", shop.show("reconcile")
        yield "give-back", shop.show("give-back", f"give-back {second}")
        server.sandbox.clock.advance(HOUR + 47)
        yield "doctor", shop.show("doctor")
        shop.close()
