"""`imp-verify trigger`: has a running sandbox make a payment and tell a local shop of it, all by
the sandbox's own control endpoints."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from .._core.reading import read_amount
from ..settings import is_loopback
from ._printing import FOUND, GOOD, TROUBLE, WrongUse, make_console, said, wrong_use
from ._words import Words

if TYPE_CHECKING:
    import requests

__all__ = ["trigger"]

_STEPS: Mapping[str, tuple[str, Sequence[str]]] = {
    "paid": ("card", ["approve"]),
    "ready": ("vbank", ["issue"]),
    "deposited": ("vbank", ["issue", "deposit"]),
    "failed": ("card", ["decline"]),
    "cancelled": ("card", ["approve", "cancel"]),
}
"""By event how the buyer pays, and what becomes of it."""
_TIMEOUT = (10.0, 60.0)
"""Seconds: the sandbox waits for the shop, 30 s for each notice, before it answers."""


class _NoSandbox(Exception):
    """What answers at the address is none, or does not behave as one."""


def _amount(_: click.Context, __: click.Parameter, text: str) -> Decimal:
    amount = read_amount(text)
    if amount is None or amount <= 0:
        raise click.BadParameter("an amount is a plain number above 0, 39000 or 10.99")
    return amount


@click.command(short_help="have a running sandbox make a payment and tell a local shop")
@click.argument("event", type=click.Choice(tuple(_STEPS)))
@click.option("--order", required=True, help="the order's number")
@click.option("--amount", required=True, callback=_amount, help="what the buyer pays")
@click.option(
    "--sandbox", metavar="URL", envvar="IMP_API_URL", help="where it answers; else IMP_API_URL"
)
@click.option(
    "--to", metavar="URL", help="the shop's webhook; else where the sandbox sends by itself"
)
@click.option("--language", type=click.Choice(("ko", "en")), help="of what is printed")
def trigger(
    event: str, order: str, amount: Decimal, sandbox: str | None, to: str | None, language: str
) -> int:
    """Make a payment in a running sandbox, deliver its notice, and print request and answer.

    EVENT is paid, ready (an account is issued), deposited (and paid into), failed or cancelled
    (paid, then given back in full). Exit status: 0 the shop answered 200, 1 it did not, 3 no
    sandbox.
    """
    import requests  # here, because the other commands need no HTTP client of ours

    words = Words(language)
    if not sandbox:
        return wrong_use(words("no_sandbox_named"))
    with requests.Session() as http:
        http.trust_env = not is_loopback(urlsplit(sandbox).hostname or "")
        try:
            sent = _Sandbox(http, sandbox.rstrip("/"), words).play(event, order, amount, to)
        except WrongUse as error:
            return wrong_use(str(error))
        except (_NoSandbox, requests.RequestException) as error:
            why = str(error) if isinstance(error, _NoSandbox) else said(error)
            print(f"imp-verify: {words('no_sandbox', url=sandbox, error=why)}", file=sys.stderr)
            return TROUBLE
    if event == "failed":
        make_console().print(words("failed_note"), soft_wrap=True)
    for delivery in sent:
        _show(delivery, words)
    return GOOD if sent and all(each["status"] == 200 for each in sent) else FOUND


class _Sandbox:
    """A running sandbox, by its control endpoints."""

    def __init__(self, http: requests.Session, url: str, words: Words) -> None:
        self._http = http
        self._url = url
        self._words = words

    def play(
        self, event: str, order: str, amount: Decimal, to: str | None
    ) -> Sequence[Mapping[str, Any]]:
        """Make the payment; return what was sent to the shop, with its answers."""
        settings = self._get("settings")  # first: something else may answer there
        if not isinstance(settings, dict) or "webhook_url" not in settings:
            raise _NoSandbox("no settings")
        address = to or settings["webhook_url"]
        if not address:
            raise WrongUse(self._words("no_address"))
        method, steps = _STEPS[event]
        # A float is written with the digits that it was read from, up to fifteen.
        number = int(amount) if amount == int(amount) else float(amount)
        wanted = {"merchant_uid": order, "amount": number, "pay_method": method}
        attempt = self._post("windows", {**wanted, "notice_url": address})
        imp_uid = str(attempt["imp_uid"])
        for step in steps:
            self._post(f"payments/{imp_uid}/{step}", {})
        if event == "failed":  # the gateway does not tell of a payment that failed in its window
            notice = {"imp_uid": imp_uid, "status": "failed", "url": address}
            told: Sequence[Mapping[str, Any]] = self._post("deliveries/trigger", notice)["list"]
            return told
        sent = self._post("deliveries/release", {})["list"]
        return [each for each in sent if each["imp_uid"] == imp_uid]

    def _get(self, view: str) -> Any:
        answer = self._http.get(f"{self._url}/sandbox/v1/{view}", timeout=_TIMEOUT)
        return self._read(answer)

    def _post(self, action: str, fields: Mapping[str, object]) -> Any:
        url = f"{self._url}/sandbox/v1/{action}"
        return self._read(self._http.post(url, json=fields, timeout=_TIMEOUT))

    def _read(self, answer: requests.Response) -> Any:
        try:
            content = answer.json()
        except ValueError:
            raise _NoSandbox(f"HTTP {answer.status_code}") from None
        if answer.status_code in (400, 409) and isinstance(content, dict):
            raise WrongUse(self._words("sandbox_refused", error=said(content.get("error"))))
        if answer.status_code != 200:
            raise _NoSandbox(f"HTTP {answer.status_code}")
        return content


def _show(delivery: Mapping[str, Any], words: Words) -> None:
    from rich.text import Text

    good = delivery["status"] == 200
    console = make_console()
    console.print(Text(f"-> POST {said(delivery['url'])}", "bold"), soft_wrap=True)
    console.print(Text(f"   {said(delivery['body'])}"), soft_wrap=True)
    status = delivery["status"] or words("no_answer", error=said(delivery["error"]))
    console.print(Text(f"<- {status}", "green" if good else "bold red"), soft_wrap=True)
    if delivery["answer"]:
        console.print(Text(f"   {said(delivery['answer'])}"), soft_wrap=True)
