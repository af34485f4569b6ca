"""`cancel` and what gives money back, killed at every step, and in four processes at once: nothing
is given back twice or forgotten, and nothing that pays goes back."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imp_verify import ExpectedPayment
from imp_verify.sandbox import Attempt, Sandbox, SandboxServer
from imp_verify.testing._harness import PRICE
from tests.crashes import giving_back
from tests.crashes.giving_back import PART, GivingShop
from tests.crashes.reconciling import make_verifier

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SPAWN = multiprocessing.get_context("spawn")
ALL = os.environ.get("IMP_VERIFY_ALL_STEPS") == "1"
PROCESSES = 4
STRIDE = 1 if ALL else 17
FEWEST = 40
"""Points of a scene at least."""
PAYS = ["on_paid"]
WANTED: dict[str, tuple[list[list[str]], list[str | None]]] = {
    "cancel": ([["on_cancelled", "on_paid"]], ["cancelled"]),
    "part": ([["on_paid", "on_partly_cancelled"]], ["paying"]),
    "hand": ([PAYS, ["on_duplicate"]], ["paying", "cancelled"]),
    "account": ([PAYS, ["on_duplicate"]], ["paying", "cancelled"]),
    "duplicate": ([PAYS, ["on_duplicate"]], ["paying", "cancelled"]),
    "forgery": ([["on_forgery"]], [None]),
    "refused": ([["on_late"]], ["cancelled"]),
    "late_pg": ([PAYS, ["on_duplicate"]], ["paying", "duplicate"]),
}
"""What hooks each payment of a scene's order was told of in the end, and its receipt's state."""


class CountingSandbox(Sandbox):
    """A gateway that counts the cancels that it accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: Counter[str] = Counter()

    def refund(self, imp_uid: str, **named: Any) -> Attempt:
        attempt = super().refund(imp_uid, **named)
        self.accepted[imp_uid] += 1
        return attempt


class Gateway(SandboxServer):
    def __init__(self) -> None:
        self.counting = CountingSandbox()
        super().__init__(sandbox=self.counting)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    with server:
        yield server


def shop_of_an_hour_ago(path: Path) -> GivingShop:
    shop = GivingShop(path)
    _ = shop.sqlite.run("")
    began = datetime.now(UTC) - timedelta(hours=1)
    shop.write("UPDATE imp_runs SET began = ?", began.isoformat())
    return shop


def die_everywhere(path: Path, url: str) -> list[tuple[str, int, bool, bool, dict[str, Any]]]:
    """Run the deaths in a process of their own: they fork, and no thread may be there then."""
    command = [sys.executable, "-W", "error", "-m", "tests.crashes.giving_back"]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [*command, str(path), url, str(STRIDE)],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_death_at_any_step_gives_nothing_back_twice_and_forgets_nothing(
    gateway: Gateway, tmp_path: Path
) -> None:
    shop_of_an_hour_ago(tmp_path / "shop.db").close()
    points = die_everywhere(tmp_path / "shop.db", gateway.url)
    for scene, (told, states) in WANTED.items():
        here = [each for each in points if each[0] == scene]
        assert [died for _, _, died, _, _ in here] == [True] * (len(here) - 1) + [False]
        assert (len(here) - 1) * STRIDE >= FEWEST
        for _, point, _, _, after in here:
            assert (scene, point, after["told"]) == (scene, point, told)
            assert (scene, point, after["states"]) == (scene, point, states)
            check_gateway(gateway, scene, point, after)
        if ALL and scene != "late_pg":
            assert any(unknown for _, _, _, unknown, _ in here), "some died before they knew of it"
            assert not all(unknown for _, _, _, unknown, _ in here)


def check_gateway(gateway: Gateway, scene: str, point: int, after: dict[str, Any]) -> None:
    *others, last = after["uids"]
    assert [gateway.counting.accepted[uid] for uid in others] == [0] * len(others)
    back, accepted = gateway.sandbox.gateway.attempt(last), gateway.counting.accepted[last]
    if scene == "late_pg":  # no number guards it: asked for once, and then a person looks
        assert (scene, point, after["due"]) == (scene, point, [False, "asked"])
        assert accepted <= 1
        return
    assert (scene, point, accepted) == (scene, point, 1)
    assert back.cancel_amount == (PART if scene == "part" else back.amount)
    assert after["due"] in (None, [True, None], [True, "asked"])
    assert (after["due"] is None) is (scene in ("cancel", "part"))


# --- four at once --------------------------------------------------------------------------------


class World:
    """A shop with money to give back, of which nobody has tried any yet."""

    def __init__(self, gateway: Gateway, path: Path, count: int) -> None:
        self.gateway, self.path = gateway, path
        self.pays: list[str] = []
        self.due: list[str] = []
        shop = shop_of_an_hour_ago(path)
        verifier = make_verifier(shop, gateway.url)
        for number in range(count):
            orders = [f"{name}-{number}" for name in ("TWICE", "FORGED", "CLOSED")]
            for order in orders:
                shop.put(ExpectedPayment(order, PRICE, open=not order.startswith("CLOSED")))
            make = gateway.sandbox.gateway.make
            paid = make(merchant_uid=orders[0], amount=PRICE)
            others = [
                make(merchant_uid=order, amount=100 if order.startswith("FORGED") else PRICE)
                for order in orders
            ]
            for each in (paid, *others):
                _ = verifier.verify(each.imp_uid, each.merchant_uid)
            self.pays.append(paid.imp_uid)
            self.due += [each.imp_uid for each in others]
        assert [each.imp_uid for each in shop.sqlite.dues(None, 1000)] == sorted(self.due)
        verifier.close()
        shop.close()

    def run(self, *points: int | None) -> list[int | None]:
        """Run as many processes at once, each killed at its point; give what they exit with."""
        gate = SPAWN.Barrier(len(points))
        arguments = (gate, self.path, self.gateway.url)
        started = [
            SPAWN.Process(
                target=giving_back.give_back_together, args=(*arguments, each), daemon=True
            )
            for each in points
        ]
        for each in started:
            each.start()
        for each in started:
            each.join(120)
        return [each.exitcode for each in started]

    def let_tries_come(self) -> None:
        shop = GivingShop(self.path)
        shop.let_tries_come()
        shop.close()

    def check(self) -> None:
        sandbox = self.gateway.counting
        assert sandbox.accepted == Counter(self.due)
        assert all(sandbox.gateway.attempt(uid).remaining == 0 for uid in self.due)
        assert all(sandbox.gateway.attempt(uid).cancel_amount == 0 for uid in self.pays)
        shop = GivingShop(self.path)
        assert list(shop.sqlite.dues(None, 10)) == []
        told = Counter(shop.told())
        assert set(told.values()) == {1}
        hooks = Counter(hook for hook, _ in told)
        names = ("on_paid", "on_duplicate", "on_forgery", "on_late")
        assert hooks == dict.fromkeys(names, len(self.pays))
        shop.close()


TOGETHER: list[tuple[int | None, ...]] = [(40, 90, None, None)]
if ALL:
    TOGETHER += [(None,) * PROCESSES, (40, 90, 140, 190), (300, 350, 400, None)]


@pytest.mark.parametrize("points", TOGETHER)
def test_four_at_once_give_each_back_once_and_the_next_ends_what_the_killed_ones_began(
    gateway: Gateway, tmp_path: Path, points: tuple[int | None, ...]
) -> None:
    world = World(gateway, tmp_path / "shop.db", 10)
    ended = world.run(*points)
    assert ended == [0 if point is None else -signal.SIGKILL for point in points]
    if set(points) != {None}:
        world.let_tries_come()
        assert world.run(None) == [0]
    world.check()
