"""docs/performance.md: its tables of servers are as the benchmark writes them, and its commands are
the benchmark's."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module("load")


def block(name: str) -> list[str]:
    [found] = re.findall(
        rf"<!-- {name}:begin -->\n```text\n(.*?)\n```\n<!-- {name}:end -->", PAGE, re.S
    )
    lines: list[str] = found.splitlines()
    return lines


def test_each_row_of_the_servers_is_of_a_shop_that_the_benchmark_has_and_all_was_right(
    load: Any,
) -> None:
    set_up, head, *rows, verdict = block("load")
    assert re.match(r"Python 3\.\d+\.\d+, \d+ processors for all; gateway 20 ms; ", set_up)
    assert head == load.HEAD
    measured = set()
    for row in rows:
        framework, database, transport, *figures = row.replace(" -> ", "->").split()
        measured.add(f"{framework.strip(',')}-{database}-{transport}".lower())
        assert len(figures) == len(head.replace("p50 ms", "p50").split()) - 5, row
        assert float(figures[2].replace(",", "")) > 0, row
    assert measured == set(load.SHOPS)
    assert verdict == "every answered order is paid, once"


def test_ten_minutes_lost_and_doubled_nothing_and_stayed_flat() -> None:
    *_, memory, descriptors, latency, verdict = block("steady")
    for line in (memory, descriptors, latency):
        assert re.fullmatch(r"(memory|descriptors|p50) [+-]\d+\.\d%: flat", line)
    answered, paid = re.findall(r"(?:answered|paid) ([\d,]+\d)", verdict)
    assert answered == paid
    assert verdict.endswith(": right")


def test_what_is_written_stands_between_the_markers_and_nothing_else_changes(
    load: Any, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- load:begin -->\nold\n<!-- load:end -->\nb\n", encoding="utf-8")
    load.write(page, "load", ["one", "two"])
    load.write(page, "load", ["one", "three"])
    assert page.read_text(encoding="utf-8") == (
        "a\n<!-- load:begin -->\n```text\none\nthree\n```\n<!-- load:end -->\nb\n"
    )
    with pytest.raises(SystemExit, match="steady"):
        load.write(page, "steady", [])


def test_the_benchmark_takes_the_page_s_commands(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [console] = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    bench, *lines = (line.removeprefix("$ ") for line in console.splitlines())
    assert bench == "make bench"
    for line in lines:
        python, script, *words = shlex.split(line)
        assert python == ".tox/bench/bin/python"
        assert script == "benchmarks/load.py"
        monkeypatch.setattr(sys, "argv", [script, *words])
        assert load.arguments().all == ("--all" in words)
