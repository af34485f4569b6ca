"""Each flavour of the code to paste, pasted, bundled where it is a component, and bought from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from imp_verify import cli
from imp_verify.contrib.browser import FLAVORS
from tests.browser.conftest import Visit
from tests.browser.shop import NODE_MODULES, NUMBER, PRICE, Shop, needs_node

HEAD = '<!doctype html><html lang="{language}"><meta charset="utf-8"><title>shop</title>'
APP = '<script src="/payments/imp-verify.js" defer></script><div id="app"></div>'


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


def printed(capfd: pytest.CaptureFixture[str], *args: str) -> str:
    """Return what the command prints."""
    assert cli.main(["snippet", *args]) == 0
    return capfd.readouterr().out


def bundled(code: str, flavor: str, folder: Path) -> str:
    source, made = folder / FLAVORS[flavor], folder / "bundle.js"
    source.write_text(code, encoding="utf-8")
    node = shutil.which("node")
    assert node
    subprocess.run([node, NODE_MODULES.parent / "bundle.mjs", source, made], check=True)
    return f"<script defer>{made.read_text(encoding='utf-8')}</script>"


def page_of(code: str, flavor: str, language: str, folder: Path) -> str:
    head = HEAD.format(language=language)
    if flavor == "html":
        return code
    if flavor in ("react", "vue"):
        script = bundled(code, flavor, folder).replace("<script defer>", '<script type="module">')
        return f"{head}{APP}{script}"
    return head + code


@needs_node
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("flavor", FLAVORS)
def test_pasted_code_sells(
    shop: Shop,
    new_visit: Callable[..., Visit],
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    flavor: str,
    language: str,
) -> None:
    code = printed(capfd, "--flavor", flavor, "--language", language, "--public-url", shop.url)
    text = page_of(code, flavor, language, tmp_path)
    shop.page = lambda: text
    page = shop.open(new_visit().page())
    assert flavor != "html" or shop.complaints(page, "html") == []
    shop.click(page, "decline")
    expect(page.locator("#pay-status")).to_contain_text("한도초과")  # the PG's own words
    expect(page.locator("#pay")).to_be_enabled()
    shop.click(page, "approve")
    expect(page.locator("h1")).to_have_text("결제가 완료되었습니다")
    first, second = sorted(shop.attempts, key=lambda attempt: attempt.status)
    assert (first.status, second.status) == ("failed", "paid")
    assert (second.merchant_uid, second.amount) == (NUMBER, PRICE)
    assert page.url == (
        f"{shop.url}/payments/redirect?imp_uid={second.imp_uid}&merchant_uid={NUMBER}"
    )
    shop.gateway.sandbox.webhooks.deliver()
    assert shop.told == ["on_failed", "on_paid"]
