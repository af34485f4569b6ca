"""Running the demo: the sandbox and the shop, each on its own loopback port, in this process."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from contextlib import ExitStack
from urllib.parse import urljoin

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from imp_verify.demo.shop import PRODUCTS, Settings, amount_in_words, make_shop, make_verifier
from imp_verify.demo.texts import TEXTS
from imp_verify.sandbox import Account, SandboxServer

LOOPBACK = "127.0.0.1"
SDK_PATH = "/v1/iamport.js"


class _Quiet(WSGIRequestHandler):
    """Answers without a log line for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Demo:
    """The demo shop, running while its `with` block does.

    Args:
        port: The shop's; 0 takes a free one.
        host: The address of this machine that browsers go to, an IPv4 address or a name. Any other
            than that of loopback opens the shop, and the sandbox, to whoever can reach it.
        database: The SQLite file; None makes one that is removed at the end.
        language: ko or en, until a visitor chooses.
        sdk_url: Where pages load the SDK from; a path is one of the sandbox's.
        webhook_order: As in the sandbox's Settings; `both` is what the real gateway does.

    Attributes:
        sandbox: The gateway, a SandboxServer.
        url: The shop's address, without a slash at its end.
        database: The SQLite file's path.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = LOOPBACK,
        database: str | None = None,
        language: str = "ko",
        sdk_url: str = SDK_PATH,
        webhook_order: str = "both",
    ) -> None:
        self._port = port
        self._host = host
        self._language = language
        self._sdk_url = sdk_url
        self._ends = ExitStack()
        self._account = Account()
        self.database = database or ""
        self.url = ""
        self.sandbox = SandboxServer(
            host=host, accounts=[self._account], webhook_order=webhook_order, language=language
        )

    def start(self) -> None:
        """Start both servers; returns when the shop can be visited."""
        with ExitStack() as ends:
            if not self.database:
                folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="imp-verify-"))
                self.database = os.path.join(folder, "shop.db")
            # The port first: when it is taken, nothing else has been started.
            listener = ends.enter_context(socket.create_server((self._host, self._port)))
            self.url = f"http://{self._host}:{listener.getsockname()[1]}"
            ends.enter_context(self.sandbox)
            # A browser leaves the scheme's own port out of an origin.
            origin = self.url.removesuffix(":80")
            self.sandbox.sandbox.start_with(
                {
                    "webhook_url": self.url + "/payments/webhook",
                    "shops": [origin, origin.replace(LOOPBACK, "localhost")],
                }
            )
            settings = self._settings()
            verifier = make_verifier(settings)
            ends.callback(verifier.close)
            _serve(make_shop(settings, verifier), listener, ends)
            self._ends = ends.pop_all()

    def _settings(self) -> Settings:
        return Settings(
            database=self.database,
            public_url=self.url,
            gateway_url=self.sandbox.url,
            sandbox_url=self.sandbox.public_url,
            sdk_url=urljoin(self.sandbox.public_url, self._sdk_url),
            account=self._account,
            language=self._language,
        )

    def guide(self) -> str:
        """Return what to tell who has started it: the shop's address in the first line, then the
        sandbox's, what is sold and what to try."""
        words, language = TEXTS[self._language], self._language
        products = ", ".join(
            f"{words[each.key + '_name']} {amount_in_words(each.amount, each.currency, language)}"
            for each in PRODUCTS.values()
        )
        return words["guide"].format(
            url=self.url, sandbox=self.sandbox.public_url, products=products
        )

    def warning(self) -> str | None:
        """Return what to say where others can come too; None where it is this machine's alone."""
        if self._host in (LOOPBACK, "localhost"):
            return None
        return TEXTS[self._language]["open_to_others"].format(host=self._host)

    def stop(self) -> None:
        """End both servers, and remove the database where it was made for the occasion."""
        self._ends.close()

    def __enter__(self) -> Demo:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _serve(app: Flask, listener: socket.socket, ends: ExitStack) -> None:
    # Left to bind for itself, werkzeug ends the whole process when the port is taken.
    host, port = listener.getsockname()
    server = make_server(
        host,
        port,
        app,
        threaded=True,
        request_handler=_Quiet,
        fd=listener.fileno(),
    )
    ends.callback(server.server_close)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    ends.callback(thread.join)
    ends.callback(server.shutdown)
