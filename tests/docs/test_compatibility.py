"""docs/compatibility.md: its oldest releases are those that the package asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(found["project"])


def lower_bounds() -> dict[str, str]:
    """Return what the package's own requirements say, by name."""
    extras = project()["optional-dependencies"]
    wanted = [*project()["dependencies"], *(each for some in extras.values() for each in some)]
    return dict(re.findall(r"(?:^|\n)([\w-]+)>=([\d.]+)", "\n".join(wanted)))


def test_the_oldest_releases_are_those_that_the_package_asks_for() -> None:
    rows = re.findall(r"^\| (\w[^|]*?) \| ([\d.]+) \| (.+?) \|$", TEXT, re.MULTILINE)
    told = {name.partition(",")[0].lower(): release for name, release, _ in rows}
    assert project()["requires-python"] == f">={told.pop('python')}"
    own = lower_bounds()
    assert told == {name: own[name] for name in told}
    # The rest is uvicorn, of the sandbox alone.
    assert own.keys() - told.keys() == {"uvicorn"}


def test_the_newest_python_is_the_newest_of_the_metadata() -> None:
    [newest] = re.findall(r"^\| Python \| [\d.]+ \| ([\d.]+) \|$", TEXT, re.MULTILINE)
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project()["classifiers"]))
    assert newest == max(named, key=lambda each: int(each.partition(".")[2]))


def test_the_async_store_needs_what_the_page_says() -> None:
    [async_store] = project()["optional-dependencies"]["sqlalchemy-async"]
    assert f"needs {async_store.rpartition('>=')[2]}." in TEXT


def test_the_changelog_of_the_site_is_the_projects() -> None:
    page = (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")
    assert page == "```{include} ../CHANGELOG.md\n```\n"
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").startswith("# Changelog\n")
