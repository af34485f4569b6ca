"""The endpoints in front of any WSGI application. It translates and decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

try:
    from werkzeug.wsgi import get_input_stream
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.wsgi needs Werkzeug: pip install "imp-verify[wsgi]"'
    ) from error

from .. import Request, Verifier
from .._web.http import Problem
from ._bodies import read_body
from ._mount import check_verifier, routes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["PaymentsMiddleware"]


class PaymentsMiddleware:
    """Answers requests to the payment endpoints; every other request goes on untouched.

    Args:
        app: The shop's own application.
        verifier: A plain `Verifier`.
        prefix: Where the endpoints are, for example "/payments"; counted from where the server
            mounts this application (SCRIPT_NAME).

    Raises:
        ConfigurationError: It is no `Verifier`, or the prefix is no path.
    """

    def __init__(
        self, app: WSGIApplication, verifier: Verifier, *, prefix: str = "/payments"
    ) -> None:
        check_verifier("imp_verify.contrib.wsgi", verifier, Verifier)
        self._app = app
        self._verifier = verifier
        # PEP 3333: PATH_INFO is bytes, each as a character.
        self._routes = {
            path.encode().decode("latin-1"): name for path, name in routes(prefix).items()
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        endpoint = self._routes.get(environ.get("PATH_INFO", ""))
        if endpoint is None:
            return self._app(environ, start_response)
        answer = self._verifier.serve(endpoint, _request(environ))
        status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        headers = list(answer.headers)
        length = answer.length(environ["REQUEST_METHOD"])
        if length is not None:
            headers.append(("Content-Length", str(length)))
        start_response(status, headers)
        return [answer.body]


def _request(environ: WSGIEnvironment) -> Request:
    began = time.monotonic()
    headers = [
        (key[5:].replace("_", "-").lower(), value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    headers.append(("content-type", environ.get("CONTENT_TYPE", "")))
    body, problem = _body(environ)
    return Request(
        method=environ["REQUEST_METHOD"],
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
        client=environ.get("REMOTE_ADDR"),
        began=began,
        problem=problem,
    )


def _body(environ: WSGIEnvironment) -> tuple[bytes, Problem | None]:
    """Read the body, one byte over the limit at most; it is incomplete where the server says
    so."""
    try:
        return read_body(get_input_stream(environ).read, environ.get("CONTENT_LENGTH"))
    except Exception:  # each server has errors of its own for a body that breaks off
        return b"", "incomplete"
