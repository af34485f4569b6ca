"""Shops in processes of their own on one SQLite file, told line by line what to ask themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from imp_verify.sandbox import Account, SandboxServer

from .gateway import ScriptedGateway
from .markers import KEY, SECRET

ROOT = Path(__file__).parents[2]


def environment(gateway: ScriptedGateway, database: Path) -> dict[str, str]:
    """What a shop in another process is told: where the gateway is, where to keep its records."""
    return {
        **os.environ,
        "IMP_KEY": KEY,
        "IMP_SECRET": SECRET,
        "IMP_API_URL": gateway.address,
        "IMP_TEST_MODE": "",
        "SHOP_DATABASE": str(database),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def beside_sandbox(sandbox: SandboxServer, **more: str) -> dict[str, str]:
    """What an example or a shop of the README is told, whose gateway is a sandbox."""
    return {
        **os.environ,
        "IMP_KEY": Account().key,
        "IMP_SECRET": Account().secret,
        "IMP_API_URL": sandbox.url,
        "IMP_TEST_MODE": "1",
        "IMP_USER_CODE": Account().user_code,
        "IMP_PUBLIC_URL": "https://shop.test",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


class Process:
    """One shop; what it is asked goes to its input, what it answers comes from its output."""

    def __init__(self, gateway: ScriptedGateway, database: Path) -> None:
        command = [sys.executable, "-W", "error", "-m", "tests.support.served"]
        self._process = subprocess.Popen(
            command,
            env=environment(gateway, database),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def begin(self, method: str, target: str, body: object = None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([method, target, body]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._line())
        return read

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class Processes(ExitStack):
    """Several of them, on one database."""

    def __init__(self, gateway: ScriptedGateway, database: Path, number: int) -> None:
        super().__init__()
        self._wanted = (gateway, database, number)

    def __enter__(self) -> Sequence[Process]:  # type: ignore[override]
        gateway, database, number = self._wanted
        super().__enter__()
        return [self.enter_context(Process(gateway, database)) for _ in range(number)]
