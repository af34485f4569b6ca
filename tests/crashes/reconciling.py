"""Runs of `reconcile` in processes of their own, that may die at one point after another.

Run as `python -m tests.crashes.reconciling FILE FOLDER URL`, because it forks: a copy of the
database for each point, in which one run is killed there, and another run does the rest. Prints a
line for each point: whether it was reached, what the death left, and what there is in the end.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from imp_verify import Credentials, Verifier
from imp_verify.sandbox import Account
from imp_verify.transports.requests import RequestsTransport  # once, and not in each child
from tests.crashes.dying import Dying
from tests.storage.shops import SqliteShop

ACCOUNT = Account()


def make_verifier(shop: SqliteShop, url: str, policy: Iterable[str] = ()) -> Verifier:
    return Verifier(
        shop.sqlite,
        credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
        base_url=url,
        test_mode=True,
        transport=RequestsTransport(),
        give_back=policy,
    )


def reconcile(path: Path, url: str, point: int | None = None) -> None:
    """Run as a cron job does, killed at the n-th point where one is given."""
    logging.disable()
    shop = SqliteShop(path)
    verifier = make_verifier(shop, url)
    if point is not None:
        sys.setprofile(Dying(point))
    for _ in verifier.reconcile():
        pass
    sys.setprofile(None)
    verifier.close()
    shop.close()


def reconcile_together(gate: Any, path: Path, url: str, point: int | None = None) -> None:
    """Begin when all have come to the gate."""
    gate.wait(60)
    reconcile(path, url, point)


def in_child(work: Callable[[], None]) -> bool:
    """Whether the child was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    exited = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert exited in (0, -signal.SIGKILL), exited
    return exited != 0


def books(path: Path) -> dict[str, list[list[str]]]:
    """What hooks were told, and what the store has recorded as handed on."""
    shop = SqliteShop(path)
    told = shop.read("SELECT hook, change FROM told ORDER BY change")
    changes = shop.read("SELECT imp_uid || ':' || change, '' FROM imp_changes ORDER BY 1")
    dues = shop.read("SELECT imp_uid, kind FROM imp_dues ORDER BY imp_uid")
    shop.close()
    found = {"told": told, "changes": changes, "dues": dues}
    return {name: [list(row) for row in rows] for name, rows in found.items()}


def main(template: str, folder: str, url: str) -> None:
    point, died = 0, True
    while died:
        point += 1
        path = Path(folder) / f"{point}.db"
        shutil.copyfile(template, path)
        died = in_child(lambda path=path, point=point: reconcile(path, url, point))  # type: ignore[misc]
        before = books(path)
        assert not in_child(lambda path=path: reconcile(path, url))  # type: ignore[misc]
        print(json.dumps([point, died, before, books(path)]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
