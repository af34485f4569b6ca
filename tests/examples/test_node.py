"""The shop in Node, as it stands: its own tests start the sandbox as a command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "node"


def test_the_page_shows_its_tests_as_they_are() -> None:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```js\n(.*?)```", text, re.DOTALL)
    assert shown == (EXAMPLE / "shop.test.mjs").read_text(encoding="utf-8")


@pytest.mark.needs("node")
def test_the_shop_in_node_passes_its_own_tests() -> None:
    ran = subprocess.run(
        [str(shutil.which("node")), "--test", "--test-reporter=tap", "shop.test.mjs"],
        cwd=EXAMPLE,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    written = (EXAMPLE / "shop.test.mjs").read_text(encoding="utf-8").count("\ntest(")
    counts = {name: int(n) for name, n in re.findall(r"^# (\w+) (\d+)$", ran.stdout, re.MULTILINE)}
    assert (counts["pass"], counts["tests"]) == (written, written) == (2, 2)
