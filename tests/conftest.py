"""What every test shares: it stays on this machine and runs in any order, what is missing skips it
in one line, nothing may be skipped where that is asked for, and random tests say their seed."""

import gc
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.needs import need
from tests.support.outward import sitecustomize

settings.register_profile("house", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("house")

pytest_plugins = ["tests.support.django_fixtures", "tests.support.secrets"]

HERE = str(Path(__file__).parent)
NO_SKIPS = os.environ.get("IMP_VERIFY_NO_SKIPS") == "1"
SEED = os.environ.setdefault("IMP_VERIFY_SEED", str(random.randrange(1, 2**31)))
"""Of the tests' order; the same in each test process."""

_folder = tempfile.TemporaryDirectory()
OUTWARD = Path(_folder.name) / "outward.txt"
"""What this process and those that it starts tried to reach elsewhere."""
OUTWARD.touch()
os.environ["IMP_VERIFY_OUTWARD"] = str(OUTWARD)
GUARD = str(Path(sitecustomize.__file__).parent)
if GUARD not in sys.path:  # a test process finds both as the first one left them
    sys.path.insert(0, GUARD)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [GUARD, os.environ.get("PYTHONPATH")]))
    sys.addaudithook(sitecustomize.refuse)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle the modules, and the tests of each: none may need what another one left.

    First, for pytest then puts those together that share a server or a database: it would be
    started again for each of them.
    """
    order = random.Random(SEED)
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    shuffled = list(modules.values())
    order.shuffle(shuffled)
    for tests in shuffled:
        order.shuffle(tests)
    items[:] = [item for tests in shuffled for item in tests]


def pytest_collection_finish() -> None:
    """Keep the collector from walking all tests again and again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"in random order: IMP_VERIFY_SEED={SEED} repeats it")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        need(*mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Give those that are skipped for the same thing one line; let a test fail that tried to leave
    this machine, whoever caught what that raised, and one that is skipped where nothing may be."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (HERE, None, report.longrepr[2])  # type: ignore[assignment]
    if left := OUTWARD.read_text(encoding="utf-8"):
        OUTWARD.write_text("", encoding="utf-8")
        report.outcome = "failed"
        report.longrepr = f"{report.longrepr or ''}\ntried to leave this machine:\n{left}"
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though nothing may be: {report.longrepr}"
    return report  # type: ignore[return-value]
