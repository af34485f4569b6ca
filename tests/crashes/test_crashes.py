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


class Point(NamedTuple):
    """What one death left behind, and what is there after one more delivery."""

    scene: str
    number: int
    died: bool
    before: tuple[list[str], list[str]]
    after: tuple[list[str], list[str]]


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
    both = ((each["told"], each["states"]) for each in (before, after))
    return Point(scene, number, died, *both)


def check(points: Iterable[Point]) -> None:
    points = list(points)
    for scene, wanted in WANTED.items():
        here = [each for each in points if each.scene == scene]
        deaths = [each for each in here if each.died]
        assert len(deaths) == len(here) - 1 >= FEWEST  # the last one came to no such point
        for each in here:
            assert (each, each.before) in ((each, NOTHING), (each, wanted))
            assert (each, each.after) == (each, wanted)
        left = [each.before for each in deaths]
        assert NOTHING in left  # some died before the commit,
        assert wanted in left  # and some after it


@pytest.mark.parametrize("store", ["sqlite"])
def test_r11_a_death_at_any_step_leaves_all_or_nothing_and_the_next_delivery_does_the_rest(
    store: str, tmp_path: Path
) -> None:
    check(die_everywhere(store, str(tmp_path / "shop.db")))
