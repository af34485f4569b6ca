"""Make the pictures in docs/images again, in Debian's Chromium: the demo shop, the built-in result
pages, the sandbox's log, the commands' screens. `python tools/screenshots.py docs/images`, or
`make screenshots`."""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from math import ceil
from pathlib import Path

from command_screens import screens
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from imp_verify import Credentials, Request, Verifier
from imp_verify.demo import Demo
from imp_verify.sandbox import Account, Sandbox, SandboxServer
from imp_verify.sandbox.deliveries import Reply
from imp_verify.stores.memory import MemoryStore

CHROMIUM = shutil.which("chromium")
PRICE = 64900
SHOP = "http://127.0.0.1:5000/payments/webhook"


def main(folder: Path) -> None:
    """Write one picture of everything for each language."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for language in ("ko", "en"):
            shop(browser, language, folder)
            results(browser, language, folder)
            log(browser, language, folder)
            commands(browser, language, folder)
        browser.close()


def shop(browser: Browser, language: str, folder: Path) -> None:
    """The demo: products, checkout with the window open, and the order after it."""
    with Demo(language=language) as demo:
        page = browser.new_page(viewport={"width": 1000, "height": 720})
        page.goto(f"{demo.url}/")
        take(page, folder / f"shop-{language}.png")
        page.click("button[value=chair]")
        page.set_viewport_size({"width": 1000, "height": 880})
        page.wait_for_selector("#pay:enabled")
        take(page, folder / f"checkout-{language}.png")
        page.click("#pay")
        window = page.frame_locator("#imp-sandbox-window iframe")
        approve = window.locator("button[formaction$='/approve']")
        approve.wait_for()
        take(page, folder / f"window-{language}.png")
        approve.click()
        page.wait_for_selector("#state[data-state=paid]")
        page.set_viewport_size({"width": 1000, "height": 560})
        take(page, folder / f"order-{language}.png")
        page.close()


def results(browser: Browser, language: str, folder: Path) -> None:
    """The built-in pages that a buyer on a phone comes back to."""
    with SandboxServer() as server:
        verifier = Verifier(
            MemoryStore(expected=lambda number, _: PRICE),
            credentials=Credentials(Account().key, Account().secret),
            base_url=server.url,
            test_mode=True,
            language=language,
        )
        page = browser.new_page(viewport={"width": 390, "height": 610}, device_scale_factor=1.25)
        for name in ("paid", "account", "failed", "pending"):
            query = f"imp_uid={attempt(server.sandbox, name)}&merchant_uid=ORD{name}"
            answer = verifier.serve("redirect", Request("GET", query))
            page.set_content(answer.body.decode())
            take(page, folder / f"result-{name}-{language}.png")
        page.close()
        verifier.close()


def log(browser: Browser, language: str, folder: Path) -> None:
    """The sandbox's log page: a webhook that the shop refused, sent again, and a look-up."""
    answers = iter((200, 500, 200))
    with SandboxServer(language=language, webhook_url=SHOP) as server:
        sandbox = server.sandbox
        sandbox.reach(lambda sent: Reply(status := next(answers), str(status), milliseconds=12))
        verifier = Verifier(
            MemoryStore(expected=lambda number, _: PRICE),
            credentials=Credentials(Account().key, Account().secret),
            base_url=server.url,
            test_mode=True,
        )
        _ = attempt(sandbox, "account")
        paid = attempt(sandbox, "paid")
        verifier.verify(paid, "ORDpaid")
        sandbox.webhooks.resend_all(paid)
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.goto(f"{server.url}/?lang={language}")
        take(page, folder / f"log-{language}.png")
        page.close()
        verifier.close()


def commands(browser: Browser, language: str, folder: Path) -> None:
    """What the commands print, each for real."""
    page = browser.new_page()
    for name, text in screens(language):
        page.set_content(text)
        box = page.locator("pre").bounding_box()
        assert box is not None
        page.set_viewport_size({"width": ceil(box["width"]), "height": ceil(box["height"])})
        take(page, folder / f"command-{name}-{language}.png")
    page.close()


def attempt(sandbox: Sandbox, name: str) -> str:
    """Pay, have an account issued, be declined, or leave the window open."""
    method = "vbank" if name == "account" else "card"
    order = {"merchant_uid": f"ORD{name}", "amount": PRICE, "pay_method": method}
    opened = sandbox.gateway.open(order)
    if name == "paid":
        sandbox.approve(opened.imp_uid)
    if name == "account":
        sandbox.issue_account(opened.imp_uid)
    if name == "failed":
        sandbox.decline(opened.imp_uid)
    return opened.imp_uid


def take(page: Page, path: Path) -> None:
    """Write what is to be seen, in as many colours as flat pages need."""
    seen = Image.open(BytesIO(page.screenshot(animations="disabled")))
    seen.convert("RGB").quantize(256).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or ["docs/images"]))
