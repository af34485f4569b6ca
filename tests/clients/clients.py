"""The clients, each in a process and an environment of its own, that cannot leave this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.outward import sitecustomize

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE = shutil.which("node") or "node"
GUARD = str(HERE / "npm" / "guard.js")
NPM = ("iamport", "iamporter", "iamport-rest-client-nodejs", "iamport-server-api")
PYPI = ("iamporter", "async-iamport", "iamport-rest-client")
NAMES = (*(f"npm {name}" for name in NPM), *(f"PyPI {name}" for name in PYPI))


def command(client: str) -> list[str]:
    registry, name = client.split()
    if registry == "PyPI":
        python = ROOT / ".venv-clients" / name / "bin" / "python"
        return [str(python), str(HERE / "pypi" / "runner.py"), name]
    return [NODE, "--require", GUARD, str(HERE / "npm" / "runner.js"), name]


def environment(**more: str) -> dict[str, str]:
    """Return all that a client finds: no proxy among it, and the guard of each Python."""
    kept = {name: os.environ[name] for name in ("PATH", "IMP_VERIFY_OUTWARD")}
    guard = str(Path(sitecustomize.__file__).parent)
    return {**kept, "PYTHONPATH": guard, "PYTHONIOENCODING": "utf-8", **more}


class Client:
    """A client that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **line: object) -> Any:
        """Let it make one call; give what it shows of the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        assert told, f"the client's process ended: {self._process.wait()}"
        return json.loads(told)


@contextmanager
def running(client: str) -> Iterator[Client]:
    process = subprocess.Popen(
        command(client),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        yield Client(process)
