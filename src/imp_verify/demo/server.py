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

from imp_verify.demo.shop import Settings, make_shop, make_verifier
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
        database: str | None = None,
        language: str = "ko",
        sdk_url: str = SDK_PATH,
        webhook_order: str = "both",
    ) -> None:
        self._port = port
        self._language = language
        self._sdk_url = sdk_url
        self._ends = ExitStack()
        self._account = Account()
        self.database = database or ""
        self.url = ""
        self.sandbox = SandboxServer(
            accounts=[self._account], webhook_order=webhook_order, language=language
        )

    def start(self) -> None:
        """Start both servers; returns when the shop can be visited."""
        with ExitStack() as ends:
            if not self.database:
                folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="imp-verify-"))
                self.database = os.path.join(folder, "shop.db")
            # The port first: when it is taken, nothing else has been started.
            listener = ends.enter_context(socket.create_server((LOOPBACK, self._port)))
            self.url = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
            ends.enter_context(self.sandbox)
            # A browser leaves the scheme's own port out of an origin.
            origin = self.url.removesuffix(":80")
            self.sandbox.sandbox.settings.change(
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
            sandbox_url=self.sandbox.url,
            sdk_url=urljoin(self.sandbox.url, self._sdk_url),
            account=self._account,
            language=self._language,
        )

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
