"""The short row in Firefox, for each build of the SDK: declined, closed, bought."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.examples import PRICE, start
from tests.browser.shop import NODE_MODULES, SCRIPTS

ALL = os.environ.get("IMP_VERIFY_ALL_WINDOWS") == "1"
DRIVER = NODE_MODULES.parent / "firefox.mjs"


@pytest.mark.needs("node", "firefox")
@pytest.mark.parametrize(
    "script", [pytest.param(SCRIPTS[each], id=each) for each in SCRIPTS if ALL or each == "v1"]
)
def test_an_example_sells_in_firefox(tmp_path: Path, script: str) -> None:
    node = shutil.which("node")
    with ExitStack() as ends:
        shop = start("fastapi_shop", tmp_path, ends)
        number = shop.order()
        address = f"{shop.url}/orders/{number}/pay"
        firefox, gateway = shutil.which("firefox-esr"), shop.gateway
        run = subprocess.run(
            [str(node), str(DRIVER), str(firefox), address, gateway.url, script],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        found = json.loads(run.stdout)
        assert found["complaints"] == []
        (declined, closed) = found["said"]
        assert ("한도초과" in declined[0], "취소하셨습니다" in closed[0]) == (True, True)
        assert (declined[1], closed[1]) == (True, True), "the focus is back on the button"
        assert found["url"] == f"{shop.url}/orders/{number}"
        assert json.loads(found["text"]) == {"number": number, "total": PRICE, "state": "paid"}
        gateway.sandbox.webhooks.deliver()
        assert shop.changes(number) == ["failed", "failed", "paid"]
