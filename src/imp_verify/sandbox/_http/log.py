"""What the developer looks at: the list of payments and of what was sent, and the pages' files."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from imp_verify.sandbox import pages
from imp_verify.sandbox._http.responses import TYPES, package_file, page
from imp_verify.sandbox.sandbox import Sandbox

_FILES = ("sandbox.css", "window.js")


class Log:
    """The endpoints of the log's page, over one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/", self._overview),
            Route("/static/{name}", self._static),
            Route("/deliver", self._deliver, methods=["POST"]),
        ]

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return Response("Not Found", 404)
        return Response(package_file(name), media_type=TYPES[name.rpartition(".")[2]])

    async def _overview(self, request: Request) -> Response:
        webhooks = self._sandbox.webhooks
        attempts = self._sandbox.gateway.attempts()
        shop = next(iter(self._sandbox.settings.shops), "")
        language = request.query_params.get("lang") or self._sandbox.settings.language
        known = (attempts, webhooks.deliveries, webhooks.pending)
        return page(pages.overview(*known, language, shop))

    async def _deliver(self, request: Request) -> Response:
        await run_in_threadpool(self._sandbox.webhooks.deliver)
        return RedirectResponse("/", 303)
