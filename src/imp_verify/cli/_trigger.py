"""`imp-verify trigger`: has a running sandbox make a payment and tell a local shop of it. What the
sandbox does not send by itself, as a forger's notice, the command sends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click

from .._core.reading import read_amount
from ..settings import is_loopback
from ._control import TIMEOUT, Control, NoSandbox
from ._printing import FOUND, GOOD, TROUBLE, WrongUse, make_console, said, wrong_use
from ._words import Words

if TYPE_CHECKING:
    import requests

__all__ = ["trigger"]

Sent = Mapping[str, Any]
"""One request to the shop: method, url, content_type, body; status and answer, or error."""

_STEPS: Mapping[str, tuple[str, Sequence[str]]] = {
    "paid": ("card", ["approve"]),
    "ready": ("vbank", ["issue"]),
    "deposited": ("vbank", ["issue", "deposit"]),
    "failed": ("card", ["decline"]),
    "cancelled": ("card", ["approve", "cancel"]),
    "part": ("card", ["approve", "part"]),
    "late": ("card", ["late"]),
    "double": ("card", ["approve"]),
    "forged": ("card", ["approve"]),
    "redirect": ("card", ["approve"]),
    "confirm": ("card", []),
}
"""By event how the buyer pays, and what becomes of it."""
_EVENTS = (*_STEPS, "unknown", "test-call")
_STATUS = {"deposited": "paid", "part": "cancelled", "late": "paid", "double": "paid"}
_STATUS |= {"forged": "paid", "unknown": "paid"}
"""What a notice of an event says, where that is not the event's own name."""
_NOBODY = "imp_000000000000"
_TEST_CALL = {"imp_uid": "imp_1234567890", "merchant_uid": "order_id_8237352", "status": "paid"}
"""The only sample of a webhook's body that the vendor prints; what its console's test call sends is
not documented."""
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class _Wanted:
    event: str
    order: str | None
    amount: Decimal | None
    imp_uid: str | None
    to: str | None
    form: bool
    times: int


def _amount(_: click.Context, __: click.Parameter, text: str | None) -> Decimal | None:
    amount = None if text is None else read_amount(text)
    if text is not None and (amount is None or amount <= 0):
        raise click.BadParameter("an amount is a plain number above 0, 39000 or 10.99")
    return amount


@click.command(short_help="have a running sandbox make a payment and tell a local shop")
@click.argument("event", type=click.Choice(_EVENTS))
@click.option("--order", help="the order's number")
@click.option(
    "--amount", callback=_amount, help="what the order asks; else what was registered for it"
)
@click.option("--imp-uid", help="tell of this payment, as it is, instead of making one")
@click.option(
    "--sandbox", metavar="URL", envvar="IMP_API_URL", help="where it answers; else IMP_API_URL"
)
@click.option(
    "--to", metavar="URL", help="the shop's webhook; else where the sandbox sends by itself"
)
@click.option("--form", is_flag=True, help="as form text, in place of JSON")
@click.option("--times", type=click.IntRange(1, 100), default=1, help="how often (default: 1)")
@click.option("--language", type=click.Choice(("ko", "en")), help="of what is printed")
def trigger(sandbox: str | None, language: str | None, **given: Any) -> int:
    """Make a payment in a running sandbox, deliver its notice, and print request and answer.

    EVENT is paid, ready (an account is issued), deposited (and paid into), failed, cancelled (paid,
    then given back in full), part (half of it given back), late (approved after it failed), double
    (the order is paid twice), forged (a tenth is paid), unknown (no such payment), test-call (of
    the console), redirect (the buyer comes back to --to), or confirm (may it be approved?).

    Exit status: 0 the shop answered 200, or a redirect the buyer's browser; 1 it did not, 2 wrong
    use, 3 no sandbox.
    """
    import requests  # here, because the other commands need no HTTP client of ours

    words, wanted = Words(language), _Wanted(**given)
    if not sandbox:
        return wrong_use(words("no_sandbox_named"))
    with requests.Session() as http:
        try:
            http.trust_env = not is_loopback(urlsplit(sandbox).hostname or "")
            sent = _Player(http, Control(http, sandbox, words), words).play(wanted)
        except WrongUse as error:
            return wrong_use(str(error))
        except (NoSandbox, requests.RequestException, ValueError) as error:  # of urlsplit: [::1
            why = str(error) if isinstance(error, NoSandbox) else said(error)
            print(f"imp-verify: {words('no_sandbox', url=sandbox, error=why)}", file=sys.stderr)
            return TROUBLE
    if wanted.event == "failed":
        make_console().print(words("failed_note"), soft_wrap=True)
    for each in sent:
        _show(each, words)
    return GOOD if sent and all(_is_good(each) for each in sent) else FOUND


class _Player:
    """Does what an event is."""

    def __init__(self, http: requests.Session, control: Control, words: Words) -> None:
        self._http = http
        self._control = control
        self._words = words

    def play(self, wanted: _Wanted) -> Sequence[Sent]:
        """Make the payment; return what was sent to the shop, with its answers."""
        settings = self._control.settings()
        address = wanted.to or settings["webhook_url"]
        if not address or (wanted.event in ("redirect", "confirm") and not wanted.to):
            raise WrongUse(self._words("no_address"))
        own = self._own(wanted, address)
        if own is not None:
            return [own() for _ in range(wanted.times)]
        before = settings["webhook_format"]
        self._control.change(webhook_format="form" if wanted.form else before)
        try:
            first = self._control.deliveries(self._made(wanted, notice_url=address))
        finally:
            self._control.change(webhook_format=before)
        return [*first, *(self._post(each) for _ in range(wanted.times - 1) for each in first)]

    def _own(self, wanted: _Wanted, address: str) -> Callable[[], Sent] | None:
        """Return what sends that which the sandbox does not send by itself; None where it does."""
        event, kind = wanted.event, _FORM if wanted.form else "application/json"
        if event == "test-call":
            told: dict[str, object] = dict(_TEST_CALL)
        elif event == "unknown":
            told = {"imp_uid": wanted.imp_uid or _NOBODY, "merchant_uid": self._order(wanted)}
        elif wanted.imp_uid or event in ("failed", "redirect", "confirm"):
            told = self._told(wanted)
        else:
            return None
        if event == "redirect":
            return lambda: self._go_back(address, told)
        if event != "confirm":
            told = {"status": _STATUS.get(event, event), **told}
        names = ("imp_uid", "merchant_uid", "amount" if event == "confirm" else "status")
        body = {name: told[name] for name in names}
        text = urlencode(body) if wanted.form else json.dumps(body)
        return lambda: self._post({"url": address, "content_type": kind, "body": text})

    def _told(self, wanted: _Wanted) -> dict[str, object]:
        """Return the ids and the amount of the payment that is named, or of one that is made."""
        imp_uid = wanted.imp_uid or self._made(wanted)[0]
        payment = self._control.payment(imp_uid)
        if payment is None:
            raise WrongUse(self._words("no_such_payment", imp_uid=said(imp_uid)))
        order = wanted.order or payment["merchant_uid"]
        return {"imp_uid": imp_uid, "merchant_uid": order, "amount": payment["amount"]}

    def _made(self, wanted: _Wanted, **more: object) -> list[str]:
        """Make the payment of an event, or both."""
        method, steps = _STEPS[wanted.event]
        order, amount = self._order(wanted), wanted.amount
        amount = amount or self._control.prepared(order)
        if amount is None:
            raise WrongUse(self._words("no_amount", order=said(order)))
        asked = _share(amount, 10) if wanted.event == "forged" else amount
        window = {"merchant_uid": order, "amount": _number(asked), "pay_method": method, **more}
        made = [self._control.open(window) for _ in range(2 if wanted.event == "double" else 1)]
        for imp_uid in made:
            for step in steps:
                self._move(step, imp_uid, amount)
        return made

    def _move(self, step: str, imp_uid: str, amount: Decimal) -> None:
        if step == "late":
            self._control.approve_late(imp_uid)
        elif step == "part":
            self._control.move("cancel", imp_uid, amount=_number(_share(amount, 2)))
        else:
            self._control.move(step, imp_uid)

    def _order(self, wanted: _Wanted) -> str:
        if not wanted.order:
            raise WrongUse(self._words("no_order_named"))
        return wanted.order

    def _post(self, sent: Sent) -> Sent:
        kind = sent.get("content_type", "application/json")
        return self._send("POST", sent["url"], kind, sent["body"])

    def _go_back(self, address: str, told: Mapping[str, object]) -> Sent:
        """Come to the shop as the buyer's browser does; what the address has stays."""
        ids = {name: str(told[name]) for name in ("imp_uid", "merchant_uid")}
        query = urlencode({**ids, "imp_success": "true"})
        page = address.partition("#")[0]
        return self._send("GET", f"{page}{'&' if '?' in page else '?'}{query}", "", "")

    def _send(self, method: str, url: str, kind: str, body: str) -> Sent:
        import requests

        sent = {"method": method, "url": url, "content_type": kind, "body": body}
        none = {**sent, "status": None, "answer": "", "error": None}
        headers = {"Content-Type": kind} if body else {}
        try:
            answer = self._http.request(
                method, url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            return {**none, "error": said(error)}
        where = answer.headers.get("Location")
        return {**none, "status": answer.status_code, "answer": where or answer.text}


def _share(amount: Decimal, of: int) -> Decimal:
    """Return a part of an amount, with no more digits than it has itself; never nothing."""
    exponent = amount.as_tuple().exponent
    unit = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    return max((amount / of).quantize(unit, ROUND_DOWN), unit)


def _number(amount: Decimal) -> int | float:
    """Return it as JSON can have it: a float has the digits it was read from, up to fifteen."""
    return int(amount) if amount == int(amount) else float(amount)


def _is_good(sent: Sent) -> bool:
    came_back = sent.get("method") == "GET" and sent["status"] in (302, 303)
    return sent["status"] == 200 or came_back


def _show(sent: Sent, words: Words) -> None:
    from rich.text import Text

    console = make_console()
    method = sent.get("method", "POST")
    console.print(Text(f"-> {method} {said(sent['url'])}", "bold"), soft_wrap=True)
    if sent["body"]:
        console.print(Text(f"   {said(sent['body'])}"), soft_wrap=True)
    status = sent["status"] or words("no_answer", error=said(sent["error"]))
    style = "green" if _is_good(sent) else "bold red"
    console.print(Text(f"<- {status}", style), soft_wrap=True)
    if sent["answer"]:
        console.print(Text(f"   {said(sent['answer'])}"), soft_wrap=True)
