"""Delivers payments in processes that die at one point after another; prints what was left and what
became of it.

Run as `python -m tests.crashes.dying STORE PLACE` (a file, or the name of a database in which the
tables are made), because it forks: each point is a child of its own, killed right before or right
after one step. A step is an effect of the verification (a call to the gateway or to the store), a
statement or commit of the database's driver, or a hook.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import psycopg

from imp_verify import ExpectedPayment, Verifier
from imp_verify.testing import TrialShop
from imp_verify.testing._harness import PRICE, Trial
from tests.storage import shops, sqlalchemy_shops
from tests.storage.shops import SqliteShop
from tests.storage.sqlalchemy_shops import SqlShop, Variant
from tests.support.databases import SERVERS

SCENES: Mapping[str, dict[str, object]] = {
    "paid": {},
    "account": {"status": "ready", "pay_method": "vbank", "vbank_num": "1002"},
    "partly_cancelled": {"cancel_amount": 1000},
    "failed": {"status": "failed"},
    "forgery": {"amount": 10},
}
PYTHON = {
    Verifier._perform.__code__,
    psycopg.Cursor.execute.__code__,
    psycopg.Connection.commit.__code__,
    shops.tell.__code__,
    sqlalchemy_shops.tell.__code__,
}
C = ("execute", "commit", "rollback")


class Dying:
    """Kills this process at the n-th point.

    Args:
        also: More Python functions whose two sides are points.
    """

    def __init__(self, point: int, also: Iterable[CodeType] = ()) -> None:
        self._left = point
        self._python = PYTHON | set(also)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        mine = frame.f_code in self._python
        if event in ("c_call", "c_return"):
            of = getattr(argument, "__self__", None)
            mine = isinstance(of, sqlite3.Connection | sqlite3.Cursor) and argument.__name__ in C
        if mine:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def names(scene: str, point: int) -> tuple[str, str]:
    return f"ORD-{scene}-{point}", f"imp_{scene}_{point}"


def deliver(shop: TrialShop, scene: str, point: int, *, dies: bool) -> None:
    order, imp_uid = names(scene, point)
    with Trial(shop) as trial:
        trial.pays(imp_uid, order, **SCENES[scene])
        if dies:
            sys.setprofile(Dying(point))
        _ = trial.deliver(imp_uid, order)


def in_child(make: Callable[[], TrialShop], scene: str, point: int) -> bool:
    """Whether the child died at its point; it comes to no point where there are fewer."""
    child = os.fork()
    if child == 0:
        try:
            deliver(make(), scene, point, dies=True)
            os._exit(0)
        finally:
            os._exit(1)
    exited = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert exited in (0, -signal.SIGKILL), exited
    return exited != 0


def left(shop: TrialShop, scene: str, point: int) -> dict[str, list[str]]:
    """What the database holds of one payment: its hooks' rows, and the store's records."""
    _, imp_uid = names(scene, point)
    any_shop: Any = shop
    receipt = any_shop.store.receipts([imp_uid]).get(imp_uid)
    told = [each for each in any_shop.told() if each[1].startswith(f"{imp_uid}:")]
    changes = any_shop.read("SELECT imp_uid, change FROM imp_changes")
    return {
        "told": [hook for hook, _ in told],
        "keys": sorted(key for _, key in told),
        "changes": sorted(f"{uid}:{change}" for uid, change in changes if uid == imp_uid),
        "states": [] if receipt is None else [str(receipt.state)],
    }


def run(make: Callable[[], TrialShop]) -> None:
    """Print one line for each point: the scene, what the death left, and what it is in the end."""
    for scene in SCENES:
        point, died = 0, True
        while died:
            point += 1
            shop = make()
            shop.put(ExpectedPayment(names(scene, point)[0], PRICE))
            shop.close()
            died = in_child(make, scene, point)
            shop = make()
            before = left(shop, scene, point)
            deliver(shop, scene, point, dies=False)
            after = left(shop, scene, point)
            shop.close()
            print(json.dumps([scene, point, died, before, after]), flush=True)


def main(store: str, place: str) -> None:
    logging.disable()
    if store == "sqlite":
        run(lambda: SqliteShop(Path(place)))
    else:  # one for all: once closed it holds no connection, and opens them anew
        shop = SqlShop(Variant("psycopg"), replace(SERVERS["postgresql"], name=place))
        run(lambda: shop)


if __name__ == "__main__":
    main(*sys.argv[1:])
