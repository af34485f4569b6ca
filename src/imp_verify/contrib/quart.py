"""The endpoints as a Quart blueprint. It translates and decides nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

try:
    import click
    from quart import Blueprint, Response, current_app, request, url_for
    from werkzeug.exceptions import RequestEntityTooLarge
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.quart needs Quart: pip install "imp-verify[quart]"'
    ) from error

from .. import AsyncVerifier
from ._asgi import Message, Scope, TooLarge, answer, form_again
from ._mount import add_command, add_rules, check_verifier, find, mounted
from .browser import Markup, Place, async_button

__all__ = ["imp_verify_button", "payments"]


def payments(verifier: AsyncVerifier, *, name: str = "payments") -> Blueprint:
    """Make the payment endpoints, to be registered under the shop's prefix, on any number of
    applications; their templates get `imp_verify_button`, their command line `quart imp-verify`.

    Args:
        verifier: An `AsyncVerifier`.
        name: The blueprint's name; a second verifier in one app needs another.

    Raises:
        ConfigurationError: It is no `AsyncVerifier`.
    """
    check_verifier("imp_verify.contrib.quart", verifier, AsyncVerifier)
    blueprint = Blueprint(name, __name__)
    add_rules(blueprint, _view, verifier, imp_verify_button)
    add_command(blueprint, _command)
    return blueprint


async def imp_verify_button(
    order: Any, *, payments: str | None = None, nonce: str | None = None, **options: Any
) -> Markup:
    """`{{ imp_verify_button(order) }}`: see `imp_verify.contrib.browser.button`. `payments` names
    the blueprint, where there are several; else it is the first."""
    verifier, path = find(current_app, url_for, payments)
    accepted = request.headers.getlist("Accept-Language")
    place = Place.of(path, request.root_path, nonce, accepted)
    return await async_button(verifier, order, place=place, **options)


def _command(app: Any) -> click.Command:
    """Make `quart imp-verify`: the commands of `imp_verify.cli`, with the verifier of this app.
    They have an event loop of their own, so the application's context is opened on that."""

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

        source = lambda: (*mounted(app, payments), app.app_context)  # noqa: E731
        context.exit(main(arguments, name="quart imp-verify", source=source))

    return command


async def _view(verifier: AsyncVerifier, endpoint: str) -> Response:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {**request.scope}
    async with aclosing(_messages(scope)) as messages:
        await answer(verifier, endpoint, scope, messages.__anext__, send)
    start, end = sent
    response = Response(end["body"], start["status"])
    response.headers.clear()
    for name, value in start["headers"]:
        response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return response


async def _messages(scope: Scope) -> AsyncGenerator[Message, None]:
    """Yield the body in parts, or take it from where Quart has kept it.

    Raises:
        TooLarge: It is over a limit of the shop's own.
    """
    come = False
    try:
        async for chunk in request.body:
            come = come or bool(chunk)
            yield {"type": "http.request", "body": chunk, "more_body": True}
        if not come and (body := await request.get_data()):
            yield {"type": "http.request", "body": body}
        elif not come:  # the shop's own code has had it parsed, if it was one
            yield form_again(scope, (await request.form).items(multi=True))
        yield {"type": "http.request"}
    except RequestEntityTooLarge:
        raise TooLarge from None
