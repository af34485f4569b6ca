"""`imp-verify reconcile`'s work with 1,000, 10,000 and, with --all, 100,000 payments, 1 % of which
are wrong.

The sandbox is the gateway, in a process of its own, and the shop is on SQLite, in another. All
payments are recorded before the clock starts, but for one in a hundred, whose notice was lost.
Printed are the calls, the seconds of the run, those in which a call was waited for (the gateway's
own time), the processor's seconds in the others, and the peak memory of the shop's process, which
is new for each number. A second run shows that nothing is left.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

HELD = (1_000, 10_000)
PRICE = 39000
EVERY = 100
"""One payment of so many is wrong."""
LEAST = 5_000
"""Payments a second beside the gateway's own time."""


@dataclass(frozen=True)
class Run:
    """What one run took.

    Attributes:
        gateway: Seconds of `seconds` in which a call was waited for.
        processor: Seconds of processor time beside them.
        before, peak: MiB that the process had at most, until the run began and until it ended.
    """

    found: int
    pages: int
    look_ups: int
    tokens: int
    seconds: float
    gateway: float
    processor: float
    before: float
    peak: float


def sandbox() -> None:
    """Be the gateway: print the address, and make as many payments as each line that is read
    says."""
    from imp_verify.sandbox import SandboxServer

    with SandboxServer() as server:
        print(server.url, flush=True)
        for line in sys.stdin:
            held, now = int(line), int(time.time()) - 600
            server.sandbox.clock.stop_at(now)
            made = server.sandbox.gateway.make_all(
                {"merchant_uid": f"ORD-{n}", "amount": PRICE, "paid_at": now - (held - n) // 2}
                for n in range(held)
            )
            print(json.dumps([each.imp_uid for each in made]), flush=True)


def shop(url: str, folder: str) -> None:
    """Be the shop: run it twice, and print what it took."""
    from imp_verify import Credentials, Verifier
    from imp_verify.sandbox import Account
    from imp_verify.stores.sqlite import SqliteStore
    from imp_verify.transports import GatewayRequest, GatewayResponse
    from imp_verify.transports.requests import RequestsTransport

    class Counting(RequestsTransport):
        """Counts the calls and the seconds that they take."""

        def __init__(self) -> None:
            super().__init__()
            self.calls: Counter[str] = Counter()
            self.seconds = self.processor = 0.0

        def __call__(self, request: GatewayRequest) -> GatewayResponse:
            path = request.url.removeprefix(url)
            kind = "pages" if "/status/" in path else "look_ups"
            self.calls["tokens" if request.method == "POST" else kind] += 1
            began, worked = time.perf_counter(), time.process_time()
            try:
                return super().__call__(request)
            finally:
                self.seconds += time.perf_counter() - began
                self.processor += time.process_time() - worked

    store = SqliteStore(Path(folder) / "shop.db", expected=lambda order, db: PRICE)
    credentials = Credentials(Account().key, Account().secret)
    since = datetime.now(UTC) - timedelta(days=2)
    runs = []
    for _ in range(2):
        transport = Counting()
        verifier = Verifier(store, credentials=credentials, base_url=url, transport=transport)
        before, began, worked = peak(), time.perf_counter(), time.process_time()
        found = sum(1 for _ in verifier.reconcile(since))
        seconds = time.perf_counter() - began
        processor = time.process_time() - worked - transport.processor
        pages, look_ups, tokens = (
            transport.calls[name] for name in ("pages", "look_ups", "tokens")
        )
        took = (seconds, transport.seconds, processor)
        runs.append(Run(found, pages, look_ups, tokens, *took, before, peak()))
        verifier.close()
    print(json.dumps([asdict(run) for run in runs]), flush=True)


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def record(folder: str, imp_uids: Iterable[str]) -> None:
    """Record what the shop has heard of, as the store itself does."""
    from imp_verify.stores.sqlite import SqliteStore

    path = Path(folder) / "shop.db"
    store = SqliteStore(path, expected=lambda order, db: PRICE)
    store.create_all()
    store.close()
    now = datetime.now(UTC)
    at, began = (
        each.isoformat(timespec="milliseconds") for each in (now, now - timedelta(days=30))
    )
    heard = [(uid, f"ORD-{n}") for n, uid in enumerate(imp_uids) if n % EVERY]
    db = sqlite3.connect(path)
    with db:
        _ = db.execute("UPDATE imp_runs SET began = ?", (began,))
        _ = db.executemany(
            "INSERT INTO imp_orders (paid_by, merchant_uid, was_paid) VALUES (?, ?, 1)", heard
        )
        _ = db.executemany(
            "INSERT INTO imp_receipts (imp_uid, merchant_uid, state, amount, cancel_amount,"
            " currency, test, pay_method, created_at, updated_at)"
            f" VALUES (?, ?, 'paying', '{PRICE}', '0', 'KRW', 0, 'card', '{at}', '{at}')",
            heard,
        )
    db.close()


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run this file in a process of its own, with pipes."""
    command = [sys.executable, __file__, *arguments]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield run
    finally:
        _ = run.communicate()


def measure(held: int) -> list[Run]:
    """Return what both runs took with so many payments."""
    scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR"))
    with scratch as folder, process("--sandbox") as gateway:
        assert gateway.stdin is not None
        assert gateway.stdout is not None
        url = gateway.stdout.readline().strip()
        print(held, file=gateway.stdin, flush=True)
        record(folder, json.loads(gateway.stdout.readline()))
        with process("--shop", url, folder) as run:
            assert run.stdout is not None
            return [Run(**each) for each in json.loads(run.stdout.readline())]


def main() -> int:
    """Print a row for each run; 1 where a budget is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, nargs="*", help="1000 10000")
    parser.add_argument("--all", action="store_true", help="100,000 payments too")
    parser.add_argument("--sandbox", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shop", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sandbox:
        sandbox()
        return 0
    if arguments.shop:
        shop(*arguments.shop)
        return 0
    print(f"Python {sys.version.split()[0]}, one payment of {EVERY} wrong")
    print(
        f"{'payments':>9} {'run':>7} {'found':>6} {'pages':>6} {'look-ups':>8} {'tokens':>6}"
        f" {'seconds':>8} {'gateway':>8} {'cpu':>6} {'payments/s beside it':>21}"
        f" {'memory, MiB':>14}"
    )
    good = True
    for held in arguments.payments or (*HELD, *([100_000] if arguments.all else [])):
        for name, run in zip(("first", "second"), measure(held), strict=True):
            rate = held / (run.seconds - run.gateway)
            right = (held + EVERY - 1) // EVERY if name == "first" else 0
            calls = run.pages <= -(-held // 1000) + 2 and run.look_ups <= right
            good &= run.found == right and calls and rate >= LEAST
            print(
                f"{held:>9,} {name:>7} {run.found:>6,} {run.pages:>6,} {run.look_ups:>8,}"
                f" {run.tokens:>6} {run.seconds:>8.2f} {run.gateway:>8.2f}"
                f" {run.processor:>6.2f} {rate:>21,.0f} {run.before:>6.0f} ->{run.peak:>5.0f}",
                flush=True,
            )
    print("met" if good else "NOT MET")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
