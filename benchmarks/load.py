"""Payments on real servers under load: requests per second, latency, CPU, memory and descriptors.

The shop runs under its server, on its database; the gateway is a process of its own that takes
20 ms for an answer; the callers, in this process, each keep one connection open and ask again as
soon as they are answered. Every request is for an order of its own, by turns from the browser and
from the gateway, and every answer must say 200 and success, or 503, which is counted as an error.
At the end of each server the database is asked: as many orders are paid as requests were answered,
each once.

All of them share this machine, so that the figures compare what is in the table and promise nothing
about another one. Linux only: what a process takes is read in /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from load_caller import Load, connect, percentiles
from sqlalchemy import URL, Engine, create_engine, make_url, text

from imp_verify.stores.sqlalchemy import metadata

T = TypeVar("T")
HERE = Path(__file__).parent
DELAY = 0.02
PRICE = 39000
WARM = 0.5
"""Seconds of each load that are not measured."""
MOST = 4_000
"""Orders a second that are made ready; whoever asks for more gets errors."""
EVERY = 30
"""Seconds from one line of --steady to the next."""


@dataclass(frozen=True)
class Shop:
    """One combination of server, database and transport."""

    framework: str
    database: str
    transport: str

    def __str__(self) -> str:
        return f"{self.framework}-{self.database}-{self.transport}".lower()


SHOPS = {
    str(shop): shop
    for shop in (
        Shop("Flask", "SQLite", "requests"),
        Shop("Flask", "SQLite", "urllib3"),
        Shop("Flask", "PostgreSQL", "requests"),
        Shop("Flask", "PostgreSQL", "urllib3"),
        Shop("Starlette", "PostgreSQL", "httpx2"),
        Shop("Starlette", "PostgreSQL", "aiohttp"),
    )
}


class Database:
    """The shop's database: orders are made here before they are paid, and counted afterwards."""

    def __init__(self, engine: Engine, told: Callable[[Shop], str]) -> None:
        self.told = told
        self.made = 0
        self._engine = engine
        metadata.create_all(engine)
        self._run(
            "CREATE TABLE shop_orders"
            " (number VARCHAR(64) PRIMARY KEY, total INTEGER NOT NULL, paid INTEGER NOT NULL)"
        )

    def _run(self, statement: str, **values: int) -> None:
        with self._engine.begin() as db:
            _ = db.execute(text(statement), values)

    def make(self, last: int) -> None:
        """Have orders up to this number."""
        if last > self.made:
            self._run(
                "WITH RECURSIVE n(i) AS (SELECT CAST(:first AS INTEGER) UNION ALL"
                " SELECT i + 1 FROM n WHERE i < :last)"
                f" INSERT INTO shop_orders SELECT 'ORD-' || i, {PRICE}, 0 FROM n",
                first=self.made + 1,
                last=last,
            )
            self.made = last

    def paid(self) -> tuple[int, int, int]:
        """Return how many orders the store says are paid, how many the shop, and how often."""
        with self._engine.connect() as db:
            kept = "SELECT count(*) FROM imp_orders WHERE paid_by IS NOT NULL"
            own = "SELECT count(*), coalesce(sum(paid), 0) FROM shop_orders WHERE paid > 0"
            return (db.execute(text(kept)).scalar_one(), *db.execute(text(own)).one())


@contextmanager
def database(shop: Shop) -> Iterator[Database]:
    """Make a database that nobody else uses, and drop it again."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        if shop.database == "SQLite":
            path = f"{folder}/shop.db"
            engine = create_engine(f"sqlite:///{path}")
            yield Database(engine, lambda shop: path)
            engine.dispose()
            return
        server = create_engine(postgresql(), isolation_level="AUTOCOMMIT")
        name = f"imp_verify_load_{os.getpid()}"
        with server.connect() as db:
            _ = db.exec_driver_sql(f"CREATE DATABASE {name}")
        url = server.url.set(database=name)
        engine = create_engine(url)
        try:
            yield Database(engine, lambda shop: driver(shop, url))
        finally:
            engine.dispose()
            with server.connect() as db:
                _ = db.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            server.dispose()


def postgresql() -> URL:
    """Give the server that the environment names, or the usual one on this machine."""
    user, host = os.environ.get("PGUSER", "root"), os.environ.get("PGHOST", "127.0.0.1")
    port, name = os.environ.get("PGPORT", "5432"), os.environ.get("PGDATABASE", "test")
    password = os.environ.get("PGPASSWORD")
    url = make_url(f"postgresql+psycopg://{user}@{host}:{port}/{name}")
    return url.set(password=password) if password else url


def driver(shop: Shop, url: URL) -> str:
    """Give the URL with the driver that suits the server."""
    name = "psycopg" if shop.framework == "Flask" else "asyncpg"
    return url.set(drivername=f"postgresql+{name}").render_as_string(hide_password=False)


class Server:
    """A shop's server and its processes, as /proc has them."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, workers: int) -> None:
        self.port, self.workers = port, workers
        self._process = process

    def pids(self) -> list[int]:
        """Return the processes, the one that watches the others first."""
        found = [self._process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found

    def cpu(self) -> float:
        """Return the seconds of processor time so far."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self, name: str) -> float:
        """Return the MiB of all processes: VmRSS now, or VmHWM at the most."""
        wanted = re.compile(rf"{name}:\s+(\d+) kB")
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return sum(int(found[1]) for each in status if (found := wanted.search(each))) / 1024

    def descriptors(self) -> int:
        """Return how many descriptors are open."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())


def command(shop: Shop, workers: int, threads: int, descriptor: int) -> list[str]:
    """Give the command of a shop's server, which takes over a socket that listens."""
    if shop.framework == "Flask":
        server = f"gunicorn --worker-class gthread --threads {threads} --keep-alive 75"
        server += f" --log-level warning --bind fd://{descriptor} load_shop:flask_shop()"
    else:
        server = "uvicorn --loop uvloop --http httptools --log-level warning --no-access-log"
        server += f" --fd {descriptor} --factory load_shop:starlette_shop"
    return [sys.executable, "-m", *server.split(), "--workers", str(workers)]


@contextmanager
def serving(shop: Shop, told: str, gateway: str, workers: int, threads: int) -> Iterator[Server]:
    """Start a shop under its server; requests wait at the socket until it is there."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    environ |= {"LOAD_DATABASE": told, "LOAD_GATEWAY": gateway, "LOAD_TRANSPORT": shop.transport}
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        # As the servers do for one that they open; without it half of the time were spent on ACKs.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = subprocess.Popen(
            command(shop, workers, threads, listening.fileno()),
            env=environ,
            cwd=HERE,
            pass_fds=[listening.fileno()],
        )
        port = listening.getsockname()[1]
    try:
        yield Server(process, port, workers)
    finally:
        process.terminate()
        _ = process.wait(30)


class Run:
    """One server, one load after the other."""

    def __init__(self, server: Server, base: Database) -> None:
        self.server, self.base = server, base
        self.successes = self.errors = self.wrong = 0
        self._orders = itertools.count(1)

    async def start(self, number: int, seconds: float) -> Load:
        """Begin a load for so long."""
        last = self.base.made + int(MOST * (seconds + 2 * WARM)) + number
        await asyncio.to_thread(self.base.make, last)
        callers = await connect(self.server.port, self.server.workers, number)
        load = Load(callers, self._orders)
        await asyncio.sleep(WARM)
        _ = load.take()
        return load

    async def end(self, load: Load) -> None:
        """End a load and add up what was answered."""
        await load.end()
        self.successes += load.successes
        self.errors += load.unavailable + load.wrong
        self.wrong += load.wrong
        await asyncio.sleep(0.1)  # the server sees who hung up

    def right(self) -> bool:
        """Say whether just what was answered is paid; after an error it may be or not."""
        kept, orders, times = self.base.paid()
        nothing_doubled = kept == orders == times
        nothing_lost = self.successes <= kept <= self.successes + self.errors
        return nothing_doubled and nothing_lost and not self.wrong


HEAD = (
    f"{'shop':<24}{'transport':<11}{'processes':>9}{'callers':>9}{'requests/s':>12}{'p50 ms':>9}"
    f"{'p99 ms':>9}{'errors':>8}{'CPU ms':>8}{'peak MiB':>10}{'descriptors':>14}"
)


async def measure(run: Run, shop: Shop, callers: int, seconds: float) -> str:
    """Give one row."""
    server = run.server
    errors, before = run.errors, server.descriptors()
    load = await run.start(callers, seconds)
    cpu, began = server.cpu(), time.perf_counter()
    await asyncio.sleep(seconds)
    took, spent = load.take(), time.perf_counter() - began
    cpu, peak = server.cpu() - cpu, server.memory("VmHWM")
    await run.end(load)
    figures = percentiles(took, spent)
    each = cpu / len(took) * 1e3 if took else 0
    return (
        f"{shop.framework + ', ' + shop.database:<24}{shop.transport:<11}{server.workers:>9}"
        f"{callers:>9}{figures.rate:>12,.0f}{figures.p50:>9.1f}{figures.p99:>9.1f}"
        f"{run.errors - errors:>8}{each:>8.2f}{peak:>10.0f}"
        f"{f'{before} -> {server.descriptors()}':>14}"
    )


async def steady(run: Run, callers: int, seconds: int) -> tuple[list[str], bool]:
    """Keep one load up; give a line for each half minute and what they come to."""
    every = min(EVERY, max(1, seconds // 6))
    lines = [f"{'second':>8}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'MiB':>8}{'open':>8}"]
    say(lines[0])
    values: dict[str, list[float]] = {"p50": [], "memory": [], "descriptors": []}
    load = await run.start(callers, seconds)
    began = last = time.perf_counter()
    for second in range(every, seconds + 1, every):
        await asyncio.sleep(began + second - time.perf_counter())
        now = time.perf_counter()
        figures = percentiles(load.take(), now - last)
        last = now
        memory, opened = run.server.memory("VmRSS"), run.server.descriptors()
        for name, value in zip(values, (figures.p50, memory, opened), strict=True):
            values[name].append(value)
        lines.append(
            f"{second:>8}{figures.rate:>12,.0f}{figures.p50:>9.1f}{figures.p99:>9.1f}"
            f"{memory:>8.0f}{opened:>8}"
        )
        say(lines[-1])
    await run.end(load)
    good = True
    for name, most in (("memory", 0.05), ("descriptors", 0.05), ("p50", 0.25)):
        more = growth(values[name])
        good &= more <= most
        lines.append(f"{name} {more:+.1%}: {'flat' if more <= most else 'NOT FLAT'}")
        say(lines[-1])
    return lines, good


def growth(values: list[float]) -> float:
    """Compare the median of the last third with that of the first, whose first value is warm-up."""
    third = max(1, len(values) // 3)
    first = statistics.median(values[1 : third + 1] or values)
    return statistics.median(values[-third:]) / first - 1


def run_loop(coroutine: Coroutine[None, None, T]) -> T:
    """Run on uvloop, which a test of the table's form does without."""
    import uvloop

    return uvloop.run(coroutine)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


@contextmanager
def gateway() -> Iterator[str]:
    """Start the gateway in a process of its own and give its address."""
    command = [sys.executable, str(HERE / "gateway.py"), "--delay", str(DELAY)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


@contextmanager
def running(shop: Shop, base: str, workers: int, threads: int) -> Iterator[Run]:
    """Start a shop with a database of its own."""
    with (
        database(shop) as made,
        serving(shop, made.told(shop), base, workers, threads) as server,
    ):
        yield Run(server, made)


def verdict(run: Run) -> tuple[str, bool]:
    """Say whether what was answered is what is paid."""
    kept = run.base.paid()[0]
    good = run.right()
    told = f"answered {run.successes:,}, errors {run.errors:,}, paid {kept:,}"
    return f"{told}: {'right' if good else 'WRONG'}", good


def write(page: Path, name: str, lines: list[str]) -> None:
    """Put lines between the page's markers of this name."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(f"<!-- {name}:begin -->\n")
    _, end, after = rest.partition(f"<!-- {name}:end -->")
    if not end:
        raise SystemExit(f"{page} has no markers {name}:begin and {name}:end")
    block = "\n".join(["```text", *lines, "```", ""])
    _ = page.write_text(before + begin + block + end + after, "utf-8")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    more = "8 and 256 callers too, and 5 seconds for each row: five minutes"
    _ = parser.add_argument("--all", action="store_true", help=more)
    _ = parser.add_argument("--on", nargs="*", choices=SHOPS, help="only these")
    _ = parser.add_argument("--callers", type=int, nargs="*", help="1 64")
    _ = parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    _ = parser.add_argument("--seconds", type=float, help="for each row: 1.5")
    _ = parser.add_argument("--threads", type=int, default=32, help="of a gunicorn process: 32")
    _ = parser.add_argument("--steady", type=int, default=0, metavar="SECONDS", help=STEADY)
    _ = parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into it")
    said = parser.parse_args()
    said.callers = said.callers or ([1, 8, 64, 256] if said.all else [1, 64])
    said.seconds = said.seconds or (5 if said.all else 1.5)
    return said


STEADY = (
    "64 callers on one shop (flask-postgresql-requests, or --on), with the first of --processes"
)


def first_line(said: argparse.Namespace, what: str) -> str:
    """Say what the figures were measured with."""
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} processors for all; gateway"
        f" {DELAY * 1e3:.0f} ms; {said.threads} threads a gunicorn process; {what}"
    )


def keep_up(said: argparse.Namespace) -> int:
    """Measure one shop for long."""
    shop = SHOPS[(said.on or ["flask-postgresql-requests"])[0]]
    workers, callers = said.processes[0], 64
    what = f"{shop.framework}, {shop.database}, {shop.transport}"
    what += f"; processes: {workers}, callers: {callers}"
    lines = [first_line(said, what)]
    say(lines[0])
    with gateway() as base, running(shop, base, workers, said.threads) as run:
        told, flat = run_loop(steady(run, callers, said.steady))
        last, good = verdict(run)
    say(last)
    if said.write:
        write(said.write, "steady", [*lines, *told, last])
    return 0 if good and flat else 1


def compare(said: argparse.Namespace) -> int:
    """Measure every shop."""
    lines, well = [first_line(said, f"{said.seconds:g} s a row"), HEAD], True
    say("\n".join(lines))
    with gateway() as base:
        for name in said.on or SHOPS:
            for workers in said.processes:
                with running(SHOPS[name], base, workers, said.threads) as run:
                    for row in run_loop(rows(run, SHOPS[name], said)):
                        lines.append(row)
                    told, good = verdict(run)
                    well &= good
                    if not good:
                        say(f"{name}: {told}")
    lines.append("every answered order is paid, once" if well else "NOT every answer was right")
    say(lines[-1])
    if said.write:
        write(said.write, "load", lines)
    return 0 if well else 1


async def rows(run: Run, shop: Shop, said: argparse.Namespace) -> list[str]:
    """Measure one server with each number of callers."""
    told = []
    for callers in said.callers:
        told.append(await measure(run, shop, callers, said.seconds))
        say(told[-1])
    return told


def main() -> int:
    """Measure and print; 1 where an answer was wrong, or anything lost or doubled."""
    if not Path("/proc/self/fd").is_dir():
        raise SystemExit("this reads /proc: Linux only")
    _ = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended with it
    said = arguments()
    return keep_up(said) if said.steady else compare(said)


if __name__ == "__main__":
    sys.exit(main())
