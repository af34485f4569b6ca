"""A pytest plugin that reads every log record of the whole run, at DEBUG and whoever wrote it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from .markers import found_in


class Watch(logging.Handler):
    """Formats each record with its traceback, as an error tracker would, and notes what leaks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.leaks: list[str] = []
        self.seen = 0
        self.names: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += 1
        self.names.add(record.name)
        extras = {k: v for k, v in vars(record).items() if k not in ("msg", "args", "exc_info")}
        found = found_in(f"{self.format(record)} {extras}")
        if found:
            self.leaks.append(f"{record.name} at {record.pathname}:{record.lineno}: {found}")

    def check(self) -> None:
        leaks, self.leaks = self.leaks, []
        assert leaks == []


WATCH = Watch()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Open the root logger to DEBUG; what tests themselves see of it stays at WARNING and above."""
    root = logging.getLogger()
    root.addHandler(WATCH)
    root.setLevel(logging.DEBUG)
    plugin: Any = config.pluginmanager.getplugin("logging-plugin")
    for handler in (plugin.caplog_handler, plugin.report_handler) if plugin else ():
        handler.setLevel(logging.WARNING)


def pytest_unconfigure() -> None:
    logging.getLogger().removeHandler(WATCH)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    WATCH.check()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    yield
    WATCH.check()
