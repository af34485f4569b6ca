"""The pages of examples/web, built with Vite, served beside their shop, and bought from."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from imp_verify.contrib.browser import snippet
from imp_verify.sandbox import SandboxServer
from tests.browser.conftest import Visit
from tests.browser.shop import NODE_MODULES, NUMBER, PRICE, needs_node, stand_in
from tests.examples.test_examples import EXAMPLES, GUNICORN
from tests.support.processes import beside_sandbox
from tests.support.servers import free_port, started

WEB = EXAMPLES / "web"
PRINTED = {
    "plain": ("esnext", "index.html"),
    "react": ("react", "src/PayButton.jsx"),
    "vue": ("vue", "src/PayButton.vue"),
}
VITE = "node_modules/vite/bin/vite.js"


def project(name: str, folder: Path, url: str) -> Path:
    """Copy a project, with the packages of tests/js and, where it names it, its own address."""
    made = folder / name
    shutil.copytree(WEB / name, made, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (made / "node_modules").symlink_to(NODE_MODULES)
    flavor, file = PRINTED[name]
    printed, here = snippet(flavor), snippet(flavor, public_url=url)
    text = (made / file).read_text(encoding="utf-8")
    (made / file).write_text(text.replace(printed, here), encoding="utf-8")
    return made


@pytest.mark.parametrize("name", PRINTED)
def test_what_the_command_prints_stands_in_the_example(name: str) -> None:
    flavor, file = PRINTED[name]
    text = (WEB / name / file).read_text(encoding="utf-8")
    printed = snippet(flavor)
    assert printed in text if name == "plain" else printed == text


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_names_the_very_packages_that_it_is_tried_with(name: str) -> None:
    tried = json.loads((NODE_MODULES.parent / "package.json").read_text(encoding="utf-8"))
    named = json.loads((WEB / name / "package.json").read_text(encoding="utf-8"))
    packages = {**named.get("dependencies", {}), **named["devDependencies"]}
    assert packages.items() <= tried["devDependencies"].items()


@pytest.mark.parametrize(("state", "words"), [("new", None), ("paid", "마감된 주문입니다")])
def test_the_server_beside_them_gives_the_data_of_an_open_order_only(
    monkeypatch: pytest.MonkeyPatch, state: str, words: str | None
) -> None:
    settings = {"KEY": "key", "SECRET": "secret", "USER_CODE": "imp00000000", "TEST_MODE": "1"}
    for name, value in {**settings, "PUBLIC_URL": "https://shop.test"}.items():
        monkeypatch.setenv(f"IMP_{name}", value)
    names = runpy.run_path(str(WEB / "shop.py"))
    names["orders"][NUMBER]["state"] = state
    client = names["app"].test_client()
    answer = client.get(f"/orders/{NUMBER}/checkout")
    assert answer.status_code == (404 if words else 200)
    assert answer.json.get("message") == words
    assert client.get("/orders/ORD2/checkout").json == {"message": "주문을 찾을 수 없습니다"}


def too_old_for_vite() -> bool:
    """Debian 12 has node 18, and Vite needs 20.19."""
    node = shutil.which("node")
    if node is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, encoding="utf-8", check=True)
    return tuple(int(part) for part in told.stdout.strip("v\n").split(".")[:2]) < (20, 19)


if not too_old_for_vite():

    @needs_node
    @pytest.mark.parametrize("name", PRINTED)
    def test_a_built_page_sells(name: str, tmp_path: Path, new_visit: Callable[..., Visit]) -> None:
        node, port, shop_port = shutil.which("node"), free_port(), free_port()
        url, shop = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{shop_port}"
        folder = project(name, tmp_path, url)
        built = subprocess.run(
            [str(node), VITE, "build", "--logLevel", "warn"],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (built.returncode, built.stdout + built.stderr) == (0, "")
        with ExitStack() as ends:
            gateway = ends.enter_context(SandboxServer(webhook_url=f"{url}/payments/webhook"))
            sdk = f"{gateway.url}/v1/iamport.js"
            variables = beside_sandbox(gateway, IMP_PUBLIC_URL=url, SHOP_SDK=sdk)
            ends.enter_context(started(f"{GUNICORN} shop:app", variables, WEB, port=shop_port))
            preview = f"{node} {VITE} preview --host 127.0.0.1 --strictPort --port {{port}}"
            environment = {**os.environ, "SHOP": shop, "NO_COLOR": "1"}
            ends.enter_context(started(preview, environment, folder, port=port))
            page = new_visit().page()
            stand_in(page, gateway)
            page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
            page.goto(url)
            expect(page.locator("button")).to_be_enabled()
            page.locator("button").click()
            window = page.frame_locator("#imp-sandbox-window iframe")
            window.locator("button[formaction$='/approve']").click()
            page.wait_for_url(f"{url}/orders/{NUMBER}")
            gateway.sandbox.webhooks.deliver()
            answer = requests.get(f"{shop}/orders/{NUMBER}", timeout=30).json()
            assert answer == {"number": NUMBER, "total": PRICE, "state": "paid"}
