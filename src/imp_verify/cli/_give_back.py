"""`imp-verify give-back`: what is due back, and giving it back because a person says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from .. import GatewayError, Outcome, Refund, Verdict
from .._core.giving_back import is_time
from .._core.reading import check_imp_uid
from ..models import LEFT_TO_A_PERSON, Due
from ..stores._bridge import as_given
from ._printing import FOUND, GOOD, TROUBLE, WrongUse, make_console, said
from ._shop import Shop, explain, needs_shop
from ._words import Words

__all__ = ["give_back"]

_PAGE = 200
_WIDE = 240


@click.command("give-back", short_help="list money that pays nothing, or give back what was named")
@click.argument("imp_uids", metavar="[IMP_UID]...", nargs=-1)
@click.option("--policy", is_flag=True, help="give back what give_back= names, where it is time")
@click.option("--holder", help="of the bank account that a virtual account's money goes to")
@click.option("--bank", help="its bank's code, which is the PG's own")
@click.option("--account-number", help="its number")
@click.option("--tel", help="the buyer's telephone number, where the PG asks for it")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@needs_shop
def give_back(
    shop: Shop,
    words: Words,
    imp_uids: Sequence[str],
    policy: bool,
    holder: str | None,
    bank: str | None,
    account_number: str | None,
    tel: str | None,
    as_json: bool,
) -> int:
    """Without an IMP_UID list the payments that hold money and pay nothing. With one or more, or
    with --policy, give them back at the gateway.

    Exit status: 0 nothing is due or all was given back, 1 something is due, 3 trouble.
    """
    if not callable(getattr(as_given(shop.verifier.store), "dues", None)):
        raise WrongUse(words("no_ledger"))
    refund_to = _refund(words, holder, bank, account_number, tel)
    if refund_to is not None and len(imp_uids) != 1:
        raise WrongUse(words("one_refund"))
    if not imp_uids and not policy:
        return _list(shop, words, as_json)
    named = [check_imp_uid(each) for each in imp_uids] or [
        due.imp_uid for due in _dues(shop) if is_time(shop.settings, due)
    ]
    worst = GOOD
    for imp_uid in named:
        worst = max(worst, _try(shop, words, imp_uid, refund_to))
    return worst


def _refund(
    words: Words, holder: str | None, bank: str | None, number: str | None, tel: str | None
) -> Refund | None:
    if holder is None and bank is None and number is None:
        return None
    if holder is None or bank is None or number is None:
        raise WrongUse(words("half_refund"))
    return Refund(holder, bank, number, tel)


def _dues(shop: Shop) -> Iterator[Due]:
    """Give what is due, of this verifier's kind: test payments are a live one's business not."""
    ledger: Any = shop.verifier.store
    after: str | None = None
    while True:
        page: Sequence[Due] = shop.call(ledger.dues, after, _PAGE)
        yield from (each for each in page if shop.settings.test_mode or not each.test)
        if len(page) < _PAGE:
            return
        after = page[-1].imp_uid


def _list(shop: Shop, words: Words, as_json: bool) -> int:
    dues = list(_dues(shop))
    if as_json:
        for due in dues:
            sys.stdout.write(json.dumps(_plain(due), ensure_ascii=True) + "\n")
    elif not dues:
        make_console().print(words("nothing_due"))
    else:
        _show(dues, words)
    return FOUND if dues else GOOD


def _plain(due: Due) -> dict[str, object]:
    def time(value: datetime | None) -> str | None:
        return None if value is None else value.isoformat()

    return {
        "imp_uid": due.imp_uid,
        "merchant_uid": due.merchant_uid,
        "kind": due.kind,
        "amount": f"{due.amount:f}",
        "currency": due.currency,
        "account": due.account,
        "tries": due.tries,
        "next_try": time(due.next_try),
        "error": due.error,
        "created": time(due.created),
    }


def _show(dues: Sequence[Due], words: Words) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("imp_uid", "order", "reason", "amount", "tries", "left_to"):
        table.add_column(words(name), justify="right" if name == "amount" else "left", no_wrap=True)
    for due in dues:
        waits = due.next_try is not None and due.error not in LEFT_TO_A_PERSON
        left = f"{due.next_try:%m-%d %H:%M} UTC" if waits else said(due.error or words("person"))
        cells: tuple[Any, ...] = (
            *(due.imp_uid, due.merchant_uid, words(f"due_{due.kind}")),
            *(f"{due.amount:,f} {due.currency}", str(due.tries), left),
        )
        table.add_row(*map(Text, cells))
    console = make_console()
    if not console.is_terminal:
        console.width = _WIDE  # a file or a pipe shortens nothing
    console.print(table)


def _try(shop: Shop, words: Words, imp_uid: str, refund_to: Refund | None) -> int:
    """Give one back and say what came of it; trouble with one does not keep the next from it."""
    status = GOOD
    try:
        outcome = shop.call(shop.verifier.give_back, imp_uid, refund_to=refund_to)
    except GatewayError as error:
        status, text = TROUBLE, shop.conceal(explain(error))
    else:
        if _is_back(outcome):
            text = words("given_back")
        elif outcome.paid:
            text = words("pays_now")
        else:
            status, text = FOUND, words("still_there")
    make_console().print(f"{imp_uid}: {text}", soft_wrap=True)
    return status


def _is_back(outcome: Outcome) -> bool:
    """Whether the money is gone. What is no payment of its order stays a forgery then, too."""
    payment = outcome.payment
    gone = payment is not None and payment.cancel_amount == payment.amount > 0
    return gone or outcome.verdict is Verdict.CANCELLED
