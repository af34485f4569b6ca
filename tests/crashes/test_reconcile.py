"""`reconcile` in four processes at once over one file, and killed at every step: nothing is lost,
and no hook is called twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imp_verify import ExpectedPayment
from imp_verify.models import FindingKind
from imp_verify.sandbox import Attempt, Sandbox, SandboxServer
from imp_verify.testing._harness import PRICE
from tests.crashes import reconciling
from tests.storage.shops import SqliteShop

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SPAWN = multiprocessing.get_context("spawn")
PROCESSES = 4
FEWEST = 100
ALL = os.environ.get("IMP_VERIFY_ALL_STEPS") == "1"
"""Points of a run at least: its effects with their two sides, and the driver's statements."""
Books = Mapping[str, list[list[str]]]
"""What `reconciling.books` printed."""
AGO = 300
"""A run reads until a minute ago."""


class World:
    """A shop whose notices were all lost for a while, and what its hooks must be told in the end.

    For each of `count`: a payment that nobody heard of, one that was given back in full and one in
    part, an account that was paid into, a forgery, and two payments of one order.
    """

    def __init__(self, gateway: SandboxServer, path: Path, count: int) -> None:
        self.sandbox: Sandbox = gateway.sandbox
        self.url, self.path = gateway.url, path
        now = datetime.now(UTC).replace(microsecond=0)
        self.sandbox.clock.stop_at(int(now.timestamp()) - AGO)
        shop = SqliteShop(path)
        began = (now - timedelta(hours=1)).isoformat()
        assert shop.sqlite.run("").finished is None
        shop.write("UPDATE imp_runs SET began = ?", began)
        self._verifier = reconciling.make_verifier(shop, self.url)
        self._shop = shop
        self.wanted: Counter[tuple[str, str]] = Counter()
        self.forged: set[str] = set()
        self.twice: set[str] = set()
        for number in range(count):
            self._lose(number)
        self._verifier.close()
        shop.close()

    def _lose(self, number: int) -> None:
        _ = self._paid(f"LOST-{number}", "on_paid")
        refunded = self._heard(f"ALL-{number}", "on_paid", "on_cancelled")
        _ = self.sandbox.cancel(refunded.imp_uid)
        part = self._heard(f"PART-{number}", "on_paid", "on_partly_cancelled")
        self.sandbox.gateway.cancel(part.imp_uid, amount=part.amount - 1000)
        account = {"status": "ready", "pay_method": "vbank"}
        waits = self._heard(f"ACCOUNT-{number}", "on_virtual_account", "on_paid", **account)
        _ = self.sandbox.deposit(waits.imp_uid)
        self.forged.add(self._paid(f"FORGED-{number}", "on_forgery", amount=100).imp_uid)
        first = self._paid(f"TWICE-{number}", "on_paid", "on_duplicate")
        second = self._paid(f"TWICE-{number}")
        self.twice |= {first.imp_uid, second.imp_uid}

    def _paid(self, order: str, *hooks: str, **fields: object) -> Attempt:
        self._shop.put(ExpectedPayment(order, PRICE))
        self.wanted.update((hook, order) for hook in hooks)
        fields = {"merchant_uid": order, "amount": PRICE, **fields}
        return self.sandbox.gateway.make(**fields)

    def _heard(self, order: str, *hooks: str, **fields: object) -> Attempt:
        attempt = self._paid(order, *hooks, **fields)
        _ = self._verifier.verify(attempt.imp_uid, order)
        return attempt

    def fill(self, count: int) -> None:
        """Let there be attempts that came to nothing, so that the list has several pages."""
        self.sandbox.gateway.make_all(
            {"merchant_uid": f"N{n}", "amount": PRICE, "status": "failed"} for n in range(count)
        )

    def check(self) -> None:
        """All is there, once, as the gateway has it; and one more run finds what is due alone."""
        shop = SqliteShop(self.path)
        told = Counter((hook, order) for hook, order in shop.read("SELECT hook, number FROM told"))
        assert told == self.wanted
        attempts = [a for a in self.sandbox.gateway.attempts() if a.status != "failed"]
        receipts = shop.sqlite.receipts([each.imp_uid for each in attempts])
        assert {each.imp_uid for each in attempts} - set(receipts) == self.forged
        for each in attempts:
            if receipt := receipts.get(each.imp_uid):
                assert (receipt.amount, receipt.cancel_amount) == (each.amount, each.cancel_amount)
                assert (receipt.state == "cancelled") is (each.remaining == 0)
        duplicates = {uid for uid, each in receipts.items() if each.state == "duplicate"}
        assert duplicates < self.twice
        due = {each.imp_uid for each in shop.sqlite.dues(None, 1000)}
        assert due == duplicates | self.forged
        verifier = reconciling.make_verifier(shop, self.url)
        found = list(verifier.reconcile())
        assert {each.kind for each in found} == {FindingKind.DUE}
        assert len(found) == len(due)
        verifier.close()
        shop.close()


@pytest.fixture
def gateway() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


def run_together(world: World, points: list[int | None]) -> list[int | None]:
    """Run as many processes at once, each killed at its point; give what they exit with."""
    gate = SPAWN.Barrier(len(points))
    started = [
        SPAWN.Process(
            target=reconciling.reconcile_together,
            args=(gate, world.path, world.url, point),
            daemon=True,
        )
        for point in points
    ]
    for each in started:
        each.start()
    for each in started:
        each.join(120)
    return [each.exitcode for each in started]


def test_four_runs_at_once_repair_each_payment_once(gateway: SandboxServer, tmp_path: Path) -> None:
    world = World(gateway, tmp_path / "shop.db", 12)
    world.fill(2100)
    assert run_together(world, [None] * PROCESSES) == [0] * PROCESSES
    world.check()


def die_everywhere(world: World, folder: Path) -> list[tuple[int, bool, Books, Books]]:
    """Run the deaths in a process of their own: they fork, and no thread may be there then."""
    arguments = [str(world.path), str(folder), world.url]
    command = [sys.executable, "-W", "error", "-m", "tests.crashes.reconciling", *arguments]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def keys(books: Books) -> list[str]:
    return [key for _, key in books["told"]]


if ALL:

    @pytest.mark.parametrize("point", [50, 300, 1000])
    def test_one_of_four_is_killed_in_the_middle_and_the_others_do_its_work(
        gateway: SandboxServer, tmp_path: Path, point: int
    ) -> None:
        world = World(gateway, tmp_path / "shop.db", 12)
        world.fill(2100)
        others: list[int | None] = [0] * (PROCESSES - 1)
        ended = run_together(world, [point, *[None] * (PROCESSES - 1)])
        assert ended == [-signal.SIGKILL, *others]
        world.check()

    def test_four_that_are_all_killed_leave_the_rest_to_the_next_run(
        gateway: SandboxServer, tmp_path: Path
    ) -> None:
        world = World(gateway, tmp_path / "shop.db", 12)
        world.fill(2100)
        ended = run_together(world, [200, 400, 600, 800])
        assert ended == [-signal.SIGKILL] * PROCESSES
        assert run_together(world, [None]) == [0]
        world.check()

    def test_a_death_at_any_step_leaves_all_or_nothing_and_the_next_run_does_the_rest(
        gateway: SandboxServer, tmp_path: Path
    ) -> None:
        world = World(gateway, tmp_path / "shop.db", 1)
        points = die_everywhere(world, tmp_path)
        assert len(points) > FEWEST
        *deaths, (_, reached, _, whole) = points
        assert not reached
        assert all(died for _, died, _, _ in deaths)
        for point, _, before, after in points:
            assert (point, sorted(keys(before))) == (point, [key for key, _ in before["changes"]])
            assert (point, set(keys(before)) - set(keys(whole))) == (point, set())
            assert (point, after) == (point, whole)
        assert len(keys(whole)) == len(set(keys(whole))) == world.wanted.total()
        left = {len(before["told"]) for _, _, before, _ in deaths}
        assert left == set(range(min(left), world.wanted.total() + 1)), "some died between any two"
