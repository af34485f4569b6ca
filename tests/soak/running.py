"""Everything at once: servers whose workers are killed, connections that are cut, and deliveries to
any of them."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.support.processes import ROOT
from tests.support.servers import GUNICORN, UVICORN, Server, Wire, started

CALLERS = 40
EVERY_KILL, EVERY_CUT = 70, 25
"""In deliveries that have ended, well or not."""
COMMANDS = (
    f"{GUNICORN} --threads 8 --workers 2 tests.soak.shop:plain()",
    f"{UVICORN} --workers 2 tests.soak.shop:asynchronous",
)


@contextmanager
def servers(variables: dict[str, str]) -> Iterator[list[Server]]:
    """Two servers of two workers each."""
    with ExitStack() as stack:
        yield [stack.enter_context(started(command, variables, ROOT)) for command in COMMANDS]


def workers() -> list[int]:
    """The servers' worker processes: what our children have started and start again."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                after = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(after[1])
    mine = {pid for pid, parent in parents.items() if parent == os.getpid()}
    return sorted(pid for pid, parent in parents.items() if parent in mine and _serves(pid))


def _serves(pid: int) -> bool:
    with suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"gunicorn" in command or b"spawn_main" in command
    return False


@dataclass
class Havoc:
    """Kills a worker, and cuts some connections, each time that so many deliveries have ended."""

    seed: int
    database: str
    schema: str
    killed: int = 0
    cut: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def __call__(self, ended: int) -> None:
        with self._lock:
            if ended % EVERY_KILL == 0:
                self._kill()
            if ended % EVERY_CUT == 0:
                self._cut()

    def _kill(self) -> None:
        if found := workers():
            with suppress(ProcessLookupError):
                os.kill(self._draw.choice(found), signal.SIGKILL)
                self.killed += 1

    def _cut(self) -> None:
        """Cut some of the shops' connections, whatever they are doing."""
        query = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = %s AND random() < 0.3"""
        with psycopg.connect(self.database, autocommit=True) as db:
            self.cut += len(db.execute(query, (self.schema,)).fetchall())


@dataclass(frozen=True)
class Delivery:
    """One request to one endpoint."""

    endpoint: str
    imp_uid: str
    number: str

    def to(self, server: Server) -> Wire | None:
        """Return the answer, None where it was lost."""
        claim = {"imp_uid": self.imp_uid, "merchant_uid": self.number}
        query = f"imp_uid={self.imp_uid}&merchant_uid={self.number}"
        with suppress(OSError):
            if self.endpoint == "redirect":
                answer = server.ask("GET", f"/pay/redirect?{query}")
            else:
                answer = server.ask("POST", f"/pay/{self.endpoint}", {**claim, "status": "paid"})
            return answer if answer.status else None
        return None


@dataclass
class Sender:
    """Sends deliveries from many threads, and counts what came back."""

    servers: list[Server]
    seed: int
    ended: Callable[[int], object] = lambda _: None
    """Called after each delivery with how many there were."""
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """Send all, many at once and in this order, each to any server; give those to be sent
        again, as the gateway would: lost, or answered with 5xx."""
        draw = random.Random(self.seed)
        with ThreadPoolExecutor(CALLERS) as pool:
            sent = [
                (each, pool.submit(self._one, each, draw.choice(self.servers)))
                for each in deliveries
            ]
        return [each for each, arrived in sent if not arrived.result()]

    def _one(self, delivery: Delivery, server: Server) -> bool:
        answer = delivery.to(server)
        what = "lost" if answer is None else str(answer.status)
        with self._lock:
            self.counts[f"{delivery.endpoint} {what}"] += 1
            number = self.counts.total()
        self.ended(number)
        return answer is not None and answer.status < 500
