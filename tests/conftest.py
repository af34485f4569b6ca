"""What every test shares: nothing may be skipped where that is asked for, and random tests say
their seed."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True, derandomize=False)
settings.load_profile("house")

pytest_plugins = ["tests.support.django_fixtures", "tests.support.secrets"]

NO_SKIPS = os.environ.get("IMP_VERIFY_NO_SKIPS") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where everything is installed, a test that is skipped is a test that fails."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, though nothing may be: {report.longrepr}"
    return report  # type: ignore[return-value]
