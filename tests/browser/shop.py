"""A shop whose pages a test writes, on loopback, with the sandbox as its gateway."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, Response
from playwright.sync_api import Page, Route, expect
from werkzeug.serving import make_server

from imp_verify import Checkout, Credentials, Verifier
from imp_verify.contrib.flask import payments
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.stores.memory import MemoryStore

NODE_MODULES = Path(__file__).parents[1] / "js" / "node_modules"
needs_node = pytest.mark.needs("node")

NUMBER, OTHER, PRICE = "ORD1001", "ORD1002", 39000
SDK = re.compile(r"https://cdn\.iamport\.kr/(v1/iamport\.js|js/iamport\.payment-[0-9.]+\.js)")
OLD_SDK = "https://cdn.iamport.kr/js/iamport.payment-1.2.0.js"
JQUERY = "https://code.jquery.com/jquery-1.12.4.min.js"
JQUERY_3 = "https://code.jquery.com/jquery-3.7.1.min.js"
AXIOS = "https://cdn.jsdelivr.net/npm/axios/dist/axios.min.js"
SCRIPTS = {
    "1.2": "js/iamport.payment-1.2.0.js",
    "1.3": "js/iamport.payment-1.3.0.js",
    "v1": "v1/iamport.js",
}
LIBRARIES = {
    JQUERY: "jquery/dist/jquery.min.js",
    JQUERY_3: "jquery3/dist/jquery.min.js",
    AXIOS: "axios/dist/axios.min.js",
}


def stand_in(page: Page, gateway: SandboxServer, script: str = "") -> None:
    """Let the SDK's real addresses be the sandbox's stand-in, and the libraries' what npm has.

    Args:
        page: The browser's.
        gateway: The sandbox.
        script: The one that all addresses give; left out each gives its own.
    """

    def sdk(route: Route) -> None:
        found = SDK.fullmatch(route.request.url)
        assert found
        answer = requests.get(f"{gateway.url}/{script or found[1]}", timeout=30)
        route.fulfill(content_type="text/javascript", body=answer.text)

    def library(route: Route) -> None:
        file = NODE_MODULES / LIBRARIES[route.request.url]
        readable = {"Access-Control-Allow-Origin": "*"}  # as `integrity` needs it
        route.fulfill(content_type="text/javascript", headers=readable, body=file.read_bytes())

    page.route(SDK, sdk)
    for address in LIBRARIES:
        page.route(address, library)


class Shop:
    """Runs while its `with` block does; knows orders of one price, and counts what it was told.

    Attributes:
        numbers: The orders.
        page: Gives the page at /, as a Flask view.
        policy: That page's content security policy; {gateway} is the sandbox's address.
        told: The hooks that were called.
        app: The application, to be added to before the first visit.
    """

    def __init__(self, **settings: Any) -> None:
        self.told: list[str] = []
        self.numbers = [NUMBER, OTHER]
        self.page: Callable[[], str] = str
        self.policy = ""
        self._settings = settings
        self._ends = ExitStack()

    def __enter__(self) -> Shop:
        with ExitStack() as ends:
            listener = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
            host, port = listener.getsockname()
            self.url = f"http://{host}:{port}"
            self.gateway = ends.enter_context(SandboxServer())
            self.gateway.sandbox.settings.webhook_url = f"{self.url}/payments/webhook"
            verifier = self._verifier()
            ends.callback(verifier.close)
            self.app = app = Flask("shop")
            app.register_blueprint(payments(verifier), url_prefix="/payments")
            app.add_url_rule("/", "page", self._show)
            app.add_url_rule("/favicon.ico", "icon", lambda: Response(status=204))
            server = make_server(host, port, app, threaded=True, fd=listener.fileno())
            ends.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            ends.callback(thread.join)
            ends.callback(server.shutdown)
            self._ends = ends.pop_all()
        return self

    def _show(self) -> Response:
        response = Response(self.page())
        if self.policy:
            policy = self.policy.format(gateway=self.gateway.url)
            response.headers["Content-Security-Policy"] = policy
        return response

    def _verifier(self) -> Verifier:
        account = Account()
        store = MemoryStore(
            expected=lambda number, _: PRICE if number in self.numbers else None,
            on_paid=lambda outcome, _: self.told.append("on_paid"),
            on_failed=lambda outcome, _: self.told.append("on_failed"),
        )
        return Verifier(
            store,
            credentials=Credentials(account.key, account.secret),
            base_url=self.gateway.url,
            test_mode=True,
            checkout=Checkout(account.user_code, "channel-key-1"),
            public_url=self.url,
            **self._settings,
        )

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def open(self, page: Page) -> Page:
        """Visit the page; the SDK's real addresses are the sandbox's stand-in."""
        stand_in(page, self.gateway)
        page.goto(self.url)
        expect(page.locator("button").first).to_be_enabled()
        return page

    def click(self, page: Page, action: str) -> None:
        """Open the window by the page's button, and press a button in it."""
        page.locator("button").click()
        window = page.frame_locator("#imp-sandbox-window iframe")
        window.locator(f"button[formaction$='/{action}']").click()

    def complaints(self, page: Page, part: str) -> list[str]:
        """Return what axe finds in a part of the page that a reader would stumble over."""
        page.add_script_tag(path=NODE_MODULES / "axe-core" / "axe.min.js")
        found = page.evaluate(f"axe.run({part!r}, {{resultTypes: ['violations']}})")
        assert "button-name" in {each["id"] for each in found["passes"]}
        return [each["id"] for each in found["violations"]]

    @property
    def attempts(self) -> list[Any]:
        return self.gateway.sandbox.gateway.attempts()
