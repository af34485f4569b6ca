"""Killed right before and right after every step: nothing half is left, and the next delivery does
what is missing, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.storage.sqlalchemy_shops import cleared
from tests.support.databases import own_database

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WANTED = {
    "paid": (["on_paid"], ["paying"]),
    "account": (["on_virtual_account"], ["waiting"]),
    "partly_cancelled": (["on_paid", "on_partly_cancelled"], ["paying"]),
    "failed": (["on_failed"], ["failed"]),
    "forgery": (["on_forgery"], []),
}
NOTHING: tuple[list[str], list[str]] = ([], [])
FEWEST = 20
"""Points of a scene at least: five effects with their two sides, and the driver's statements."""


class Books(NamedTuple):
    """What a database holds of one payment."""

    told: list[str]
    keys: list[str]
    """Of what the hooks were told, as they wrote it down."""
    changes: list[str]
    """The same as the store has recorded it."""
    states: list[str]


class Point(NamedTuple):
    """What one death left behind, and what is there after one more delivery."""

    scene: str
    number: int
    died: bool
    before: Books
    after: Books


def die_everywhere(store: str, place: str) -> list[Point]:
    """Run the deaths in a process of their own: they fork, and no thread may be there then."""
    command = [sys.executable, "-W", "error", "-m", "tests.crashes.dying", store, place]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [_read(*json.loads(line)) for line in done.stdout.splitlines()]


def _read(
    scene: str, number: int, died: bool, before: dict[str, list[str]], after: dict[str, list[str]]
) -> Point:
    return Point(scene, number, died, Books(**before), Books(**after))


def check(points: Iterable[Point]) -> None:
    points = list(points)
    for scene, wanted in WANTED.items():
        here = [each for each in points if each.scene == scene]
        deaths = [each for each in here if each.died]
        assert len(deaths) == len(here) - 1 >= FEWEST  # the last one came to no such point
        for each in here:
            for books in (each.before, each.after):
                assert (each, books.keys) == (each, books.changes)
                assert len(books.keys) == len(books.told)
            assert (each, _facts(each.before)) in ((each, NOTHING), (each, wanted))
            assert (each, _facts(each.after)) == (each, wanted)
        left = [_facts(each.before) for each in deaths]
        assert NOTHING in left  # some died before the commit,
        assert wanted in left  # and some after it


def _facts(books: Books) -> tuple[list[str], list[str]]:
    return books.told, books.states


def test_r11_a_death_at_any_step_leaves_all_or_nothing_and_the_next_delivery_does_the_rest(
    tmp_path: Path,
) -> None:
    check(die_everywhere("sqlite", str(tmp_path / "shop.db")))


if os.environ.get("IMP_VERIFY_ALL_STEPS") == "1":

    def test_r11_a_death_at_any_step_leaves_all_or_nothing_on_postgresql_too() -> None:
        with own_database("postgresql") as place:
            cleared(place)
            check(die_everywhere("postgresql", place.name))
