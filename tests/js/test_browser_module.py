"""imp-verify.js in node's own test runner: against jsdom, its types, its size and its syntax."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from imp_verify._web.answers import INVALID, TOO_LARGE, TROUBLE, Wording, verdict_answer
from imp_verify.models import Verdict

HERE = Path(__file__).parent
SUITES = sorted(path.name for path in HERE.glob("*.test.mjs"))
NODE = shutil.which("node")
TEST = re.compile(r"^\s*test\(", re.MULTILINE)


def answers() -> list[tuple[int, str]]:
    """Return every status code and word that complete answers with."""
    keys = (*Verdict, TROUBLE, INVALID, TOO_LARGE)
    given = [verdict_answer("complete", key, Wording("ko")) for key in keys]
    return sorted({(answer.status, json.loads(answer.body)["status"]) for answer in given})


@pytest.mark.xdist_group("node")
@pytest.mark.needs("node")
@pytest.mark.parametrize("suite", SUITES)
def test_the_browser_module_passes_its_own_suite(suite: str) -> None:
    with as_file(files("imp_verify") / "_web") as directory:
        ran = subprocess.run(
            [str(NODE), "--test", "--test-reporter=tap", suite],
            cwd=HERE,
            env={
                **os.environ,
                "IMP_VERIFY_BROWSER_DIRECTORY": str(directory),
                "IMP_VERIFY_ANSWERS": json.dumps(answers()),
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr
    counts = {name: int(n) for name, n in re.findall(r"^# (\w+) (\d+)$", ran.stdout, re.MULTILINE)}
    # A suite that runs nothing passes too, so what ran is compared with what is written.
    written = len(TEST.findall((HERE / suite).read_text(encoding="utf-8")))
    assert counts["pass"] == counts["tests"] >= written > 0
    assert (counts["skipped"], counts["todo"], counts["cancelled"]) == (0, 0, 0)
