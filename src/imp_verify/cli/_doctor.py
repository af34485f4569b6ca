"""`imp-verify doctor`: looks at what keeps a shop's payments from being verified, one line each,
and says what to enter in the console."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import click

from ..contrib.browser import Place
from ._checks import Check, check_gateway, check_mode, check_store, check_versions
from ._printing import FOUND, GOOD, make_console, origin
from ._shop import Shop, needs_shop
from ._words import Words

__all__ = ["doctor"]

_STYLES = {"good": "green", "warn": "yellow", "bad": "bold red"}


@click.command(short_help="look at credentials, gateway, store and public address")
@click.option("--prefix", default="/payments", help="where the endpoints are (default: /payments)")
@click.option("--json", "as_json", is_flag=True, help="one JSON object in place of the lines")
@needs_shop
def doctor(shop: Shop, words: Words, prefix: str, as_json: bool) -> int:
    """Look at credentials, clock, gateway, store, mode and public address, and say what to do.

    Exit status: 0 all is good, 1 something is not.
    """
    if shop.webhook is not None:
        prefix = shop.webhook.removesuffix("webhook")
    endpoints = _endpoints(shop, prefix)
    checks: list[Check] = []
    for check in _examine(shop, words, endpoints, prefix):
        checks.append(check)
        if not as_json:
            _show(check, shop, words)
    if as_json:
        sys.stdout.write(_as_json(checks, endpoints, shop))
    else:
        _show_orders(endpoints or Place(prefix).addresses("https://...")[1], words)
    return FOUND if any(each.level != "good" for each in checks) else GOOD


def _endpoints(shop: Shop, prefix: str) -> str | None:
    """Return the prefix as a public address, without a slash at its end."""
    public = shop.settings.public_url
    return None if public is None else Place(prefix).addresses(public)[1].rstrip("/")


def _examine(shop: Shop, words: Words, endpoints: str | None, prefix: str) -> Iterator[Check]:
    for account in shop.settings.accounts or (None,):
        yield from check_gateway(shop, words, account)
    yield check_mode(shop.settings, words)
    yield from check_store(shop, words)
    if endpoints is None:
        advice = words("do_public_missing")
        yield Check("public_url", "warn", words("public_missing"), advice)
    else:
        from ._reach import check_address  # here: it loads an HTTP client

        yield from check_address(f"{endpoints}/webhook", prefix, shop.settings, words)
    yield check_versions()


def _show(check: Check, shop: Shop, words: Words) -> None:
    from rich.text import Text

    name = words(f"check_{check.name}")
    if check.account is not None:
        name += f" ({check.account})"
    line = Text(f"{words(check.level):<5}", _STYLES[check.level])
    line.append(f"{name}: ", "bold").append(shop.conceal(check.text))
    if check.advice is not None:
        line.append(f"\n     -> {check.advice}", "not bold default")
    console = make_console()
    console.print(line, soft_wrap=True)
    if check.error is not None and shop.verbose:
        console.print(Text(shop.conceal(origin(check.error)), "dim"), soft_wrap=True, end="")


def _orders(endpoints: str) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """Return what no program can look at: by headline the sentences, and the address in each."""
    return (
        ("console", (("console_webhook", f"{endpoints}/webhook"), ("console_addresses", ""))),
        (
            "mail",
            (
                ("mail_resending", ""),
                ("mail_confirm", f"{endpoints}/confirm"),
                ("mail_webhook_first", ""),
            ),
        ),
    )


def _show_orders(endpoints: str, words: Words) -> None:
    from rich.text import Text

    console = make_console()
    for headline, sentences in _orders(endpoints):
        console.print(Text(f"\n{words(headline)}", "bold"))
        for key, url in sentences:
            console.print(Text(f"  - {words(key, url=url)}"), soft_wrap=True)


def _as_json(checks: Sequence[Check], endpoints: str | None, shop: Shop) -> str:
    content = {
        "good": all(each.level == "good" for each in checks),
        "checks": [
            {
                "name": each.name,
                "account": each.account,
                "level": each.level,
                "text": shop.conceal(each.text),
                "advice": each.advice,
            }
            for each in checks
        ],
        "webhook_url": None if endpoints is None else f"{endpoints}/webhook",
        "confirm_url": None if endpoints is None else f"{endpoints}/confirm",
    }
    return json.dumps(content, ensure_ascii=True, indent=2) + "\n"
