"""`imp-verify give-back`: what is due back, and giving it back because a person says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from .. import ImpVerifyError, InvalidRequest, Refund
from .._core.giving_back import is_time, is_tried
from .._core.reading import check_imp_uid
from ..models import LEFT_TO_A_PERSON, Due
from ..stores._bridge import as_given
from ._printing import (
    FOUND,
    GOOD,
    TROUBLE,
    WRONG_USE,
    WrongUse,
    korean,
    make_console,
    said,
    uncut,
    where,
    widened,
)
from ._shop import Shop, explain, needs_shop
from ._words import Words

__all__ = ["give_back", "left"]

_PAGE = 200


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

    Exit status: 0 nothing is due or all was given back, 1 something is due, 2 nothing was done, 3
    trouble.
    """
    if not callable(getattr(as_given(shop.verifier.store), "dues", None)):
        raise WrongUse(words("no_ledger"))
    refund_to = _refund(words, holder, bank, account_number, tel)
    if policy and imp_uids:
        raise WrongUse(words("policy_or_ids"))
    if refund_to is not None and len(imp_uids) != 1:
        raise WrongUse(words("one_refund"))
    if not imp_uids and not policy:
        return _list(shop, words, as_json)
    named = [check_imp_uid(each) for each in imp_uids] or [
        due.imp_uid for due in _dues(shop) if is_time(shop.settings, due)
    ]
    ended = [
        _try(shop, words, imp_uid, refund_to, by_policy=policy, as_json=as_json)
        for imp_uid in named
    ]
    if policy and (open_yet := len(list(_dues(shop)))):
        ended.append(FOUND)
        said_left = words("dues_left", count=f"{open_yet:,}")
        sys.stderr.write(f"imp-verify: {said_left}\n")
    refused = ended.count(WRONG_USE)
    if refused and refused < len(ended):  # something was done
        ended = [FOUND if each == WRONG_USE else each for each in ended]
    return max(ended, default=GOOD)


def _refund(
    words: Words, holder: str | None, bank: str | None, number: str | None, tel: str | None
) -> Refund | None:
    if holder is bank is number is tel is None:
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
        _show(shop, dues, words)
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


def _show(shop: Shop, dues: Sequence[Due], words: Words) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("imp_uid", "order", "reason", "amount", "tries", "left_to"):
        table.add_column(
            words(name), justify="right" if name == "amount" else "left", overflow="fold"
        )
    rows = [
        (
            *(due.imp_uid, said(due.merchant_uid), words(f"due_{due.kind}")),
            *(f"{due.amount:,f} {due.currency}", str(due.tries), left(shop, due, due.error, words)),
        )
        for due in dues
    ]
    for row in rows:
        table.add_row(*map(Text, row))
    uncut(table, rows, 0, 3)
    widened(make_console()).print(table)


def left(shop: Shop, due: Due, error: str | None, words: Words) -> str:
    """Say of money that is due when it is tried again, or why a person must look.

    Args:
        error: How the last try ended, if there was one.
    """
    if error is not None and error in LEFT_TO_A_PERSON:
        return words(f"left_{error}")
    said_last = f" ({said(error)})" if error else ""
    if due.next_try is None or not is_tried(shop.settings, due):
        return words("person") + said_last
    return words("next_try", time=korean(due.next_try)) + said_last


def _try(
    shop: Shop,
    words: Words,
    imp_uid: str,
    refund_to: Refund | None,
    *,
    by_policy: bool,
    as_json: bool,
) -> int:
    """Give one back and say what came of it; trouble with one does not keep the next from it."""
    try:
        status, became, text = _give_back(shop, words, imp_uid, refund_to, by_policy=by_policy)
    except Exception as error:  # of store or hook; what they say may be a buyer's data
        ours = isinstance(error, ImpVerifyError)
        status, became = TROUBLE, "trouble"
        text = shop.conceal(explain(error) if ours or shop.verbose else where(error))
    if as_json:
        fields = {"imp_uid": imp_uid, "became": became, "text": text}
        sys.stdout.write(json.dumps(fields, ensure_ascii=True) + "\n")
    else:
        make_console(stderr=status == WRONG_USE).print(f"{imp_uid}: {text}", soft_wrap=True)
    return status


def _give_back(
    shop: Shop, words: Words, imp_uid: str, refund_to: Refund | None, *, by_policy: bool
) -> tuple[int, str, str]:
    """Return the exit status, a word for what came of it, and a text."""
    try:
        outcome = shop.give_back(imp_uid, refund_to, by_policy=by_policy)
    except InvalidRequest as error:
        return WRONG_USE, "refused", _refused(shop, words, imp_uid, error, by_policy)
    payment = outcome.payment
    if outcome.paid:
        status, became = GOOD, "pays_now"
    elif payment is not None and not payment.holds_money:
        status, became = GOOD, "given_back"
    else:
        status, became = FOUND, "still_there"
    return status, became, words(became)


def _refused(shop: Shop, words: Words, imp_uid: str, error: InvalidRequest, by_policy: bool) -> str:
    """Say why nothing was tried, in the language asked for where that can be told."""
    ledger: Any = shop.verifier.store
    due: Due | None = shop.call(ledger.due, imp_uid)
    if due is None:
        return words("not_due")
    if due.done is not None:
        return words("due_done")
    if due.error == "needs_account" or (by_policy and due.error in LEFT_TO_A_PERSON):
        return words(f"left_{due.error}")
    return shop.conceal(str(error))
