"""The endpoints as a Flask blueprint. It translates and decides nothing."""

from __future__ import annotations

import time
from typing import Any

try:
    import click
    from flask import Blueprint, Response, current_app, request, url_for
    from werkzeug.exceptions import RequestEntityTooLarge
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.flask needs Flask: pip install "imp-verify[flask]"'
    ) from error

from .. import Request, Verifier
from .._web.http import Problem
from ._bodies import form_body, read_body
from ._mount import add_command, add_rules, check_verifier, find, mounted
from .browser import Markup, Place, button

__all__ = ["imp_verify_button", "payments"]


def payments(verifier: Verifier, *, name: str = "payments") -> Blueprint:
    """Make the payment endpoints, to be registered under the shop's prefix, on any number of
    applications; their templates get `imp_verify_button`, their command line `flask imp-verify`.

    Args:
        verifier: A plain `Verifier`.
        name: The blueprint's name; a second verifier in one app needs another.

    Raises:
        ConfigurationError: It is no `Verifier`.
    """
    check_verifier("imp_verify.contrib.flask", verifier, Verifier)
    blueprint = Blueprint(name, __name__)
    add_rules(blueprint, _view, verifier, imp_verify_button)
    add_command(blueprint, _command)
    blueprint.url_value_preprocessor(_exempt)
    return blueprint


def imp_verify_button(
    order: Any, *, payments: str | None = None, nonce: str | None = None, **options: Any
) -> Markup:
    """`{{ imp_verify_button(order) }}`: see `imp_verify.contrib.browser.button`. `payments` names
    the blueprint, where there are several; else it is the first."""
    verifier, path = find(current_app, url_for, payments)
    accepted = request.headers.getlist("Accept-Language")
    place = Place.of(path, request.root_path, nonce, accepted)
    return button(verifier, order, place=place, **options)


def _command(app: Any) -> click.Command:
    """Make `flask imp-verify`: the commands of `imp_verify.cli`, with the verifier of this app."""

    @click.command(
        "imp-verify",
        short_help="Verify payments: verify, reconcile, give-back, doctor, trigger.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.option("--payments", metavar="NAME")
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(context: click.Context, payments: str | None, arguments: tuple[str, ...]) -> None:
        from ..cli import main

        with app.app_context():
            source = lambda: (*mounted(app, payments), None)  # noqa: E731
            context.exit(main(arguments, name="flask imp-verify", source=source))

    return command


def _exempt(endpoint: str | None, values: object) -> None:
    """Take the endpoints out of Flask-WTF's CSRF check, which comes after this, whenever it was set
    up."""
    exempt = getattr(current_app.extensions.get("csrf"), "exempt", None)
    if exempt is not None:
        exempt(_view)


def _view(verifier: Verifier, endpoint: str) -> Response:
    began = time.monotonic()
    headers = list(request.headers.items())
    body, problem = _body()
    # Where the shop's own code has had a form parsed, it is form text by now.
    if not body and problem is None and request.form:
        body = form_body(list(request.form.items(multi=True)))
        headers = [pair for pair in headers if pair[0].lower() != "content-type"]
    answer = verifier.serve(
        endpoint,
        Request(
            method=request.method,
            query=request.query_string.decode("latin-1"),
            headers=headers,
            body=body,
            client=request.remote_addr,
            began=began,
            problem=problem,
        ),
    )
    response = Response(answer.body, answer.status)
    response.headers.clear()
    response.headers.extend(answer.headers)
    return response


def _body() -> tuple[bytes, Problem | None]:
    """Read the body, one byte over the limit at most, or take it from where Flask has kept it. One
    over a limit of the shop's own is as one over ours."""
    try:
        body, problem = read_body(request.stream.read, request.environ.get("CONTENT_LENGTH"))
    except RequestEntityTooLarge:
        return b"", "too large"
    except Exception:  # each server has errors of its own for a body that breaks off
        return b"", "incomplete"
    if body or problem is not None:
        return body, problem
    return request.get_data(cache=False), None
