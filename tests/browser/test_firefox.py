"""One purchase in Firefox: the button, the window over the page, the shop's own page after it."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.examples import PRICE, start
from tests.browser.shop import NODE_MODULES

SCRIPT = NODE_MODULES.parent / "firefox.mjs"


@pytest.mark.needs("node", "firefox")
def test_an_example_sells_in_firefox(tmp_path: Path) -> None:
    node = shutil.which("node")
    with ExitStack() as ends:
        shop = start("fastapi_shop", tmp_path, ends)
        number = shop.order()
        address = f"{shop.url}/orders/{number}/pay"
        run = subprocess.run(
            [str(node), str(SCRIPT), str(shutil.which("firefox-esr")), address, shop.gateway.url],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        found = json.loads(run.stdout)
        assert found["complaints"] == []
        assert found["url"] == f"{shop.url}/orders/{number}"
        assert json.loads(found["text"]) == {"number": number, "total": PRICE, "state": "paid"}
        shop.gateway.sandbox.webhooks.deliver()
        assert shop.changes(number) == ["paid"]
