"""The endpoints as a Flask blueprint. It translates and decides nothing."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

try:
    from flask import Blueprint, Response, request
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.flask needs Flask: pip install "imp-verify[flask]"'
    ) from error

from .. import ENDPOINTS, MAX_BODY, Request, Verifier

__all__ = ["payments"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def payments(verifier: Verifier, *, name: str = "payments") -> Blueprint:
    """Make the payment endpoints, to be registered under the shop's prefix.

    Args:
        verifier: A plain `Verifier`.
        name: The blueprint's name; a second verifier in one app needs another.
    """
    blueprint = Blueprint(name, __name__)
    for endpoint in ENDPOINTS:
        view = partial(_view, verifier, endpoint)
        for slash in ("", "/"):
            blueprint.add_url_rule(
                f"/{endpoint}{slash}",
                endpoint=endpoint if not slash else f"{endpoint}_slash",
                view_func=view,
                methods=_METHODS,
                provide_automatic_options=False,
                strict_slashes=True,
            )
    return blueprint


def _view(verifier: Verifier, endpoint: str) -> Response:
    answer = verifier.serve(
        endpoint,
        Request(
            method=request.method,
            query=request.query_string.decode("latin-1"),
            headers=list(request.headers.items()),
            body=_body(),
            client=request.remote_addr,
        ),
    )
    response = Response(answer.body, answer.status)
    response.headers.clear()
    response.headers.extend(answer.headers)
    return response


def _body() -> bytes:
    """Read the body, one byte over the limit at most, or take it from where the shop's own code
    has put it."""
    chunks: list[bytes] = []
    left = MAX_BODY + 1
    while left > 0 and (chunk := request.stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    if chunks:
        return b"".join(chunks)
    return request.get_data(cache=False) or urlencode(list(request.form.items(multi=True))).encode()
