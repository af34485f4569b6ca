"""`imp-verify verify`: one payment asked about, judged, recorded and explained."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import click

from .. import ExpectedPayment, Outcome, Payment, Reason, Receipt, Verdict
from .._core.judge import Comparison, compare, what_counts
from .._core.reading import check_imp_uid
from ._printing import FOUND, GOOD, WrongUse, make_console, plain, said
from ._shop import Shop, needs_shop
from ._words import Words

__all__ = ["verify"]

_FIELDS = (
    *("status", "amount", "cancel_amount", "currency", "pay_method", "pg_provider"),
    *("paid_at", "failed_at", "cancelled_at", "fail_reason"),
)
"""Of a payment, and no buyer's."""


@dataclass(frozen=True)
class _Found:
    """What is shown.

    Attributes:
        counts: What the payment was compared with: the order, or the receipt in its place.
    """

    outcome: Outcome
    counts: ExpectedPayment | Receipt | None
    rows: tuple[Comparison, ...]
    dry_run: bool

    @property
    def good(self) -> bool:
        """Whether it is paid, or an account issued: with `--dry-run` as far as judged."""
        outcome = self.outcome
        judged = self.dry_run and outcome.verdict in (Verdict.PAID, Verdict.PARTLY_CANCELLED)
        return judged or outcome.paid or outcome.verdict is Verdict.VIRTUAL_ACCOUNT


@click.command(short_help="ask about a payment, judge and record it, and say why")
@click.argument("imp_uid")
@click.argument("order", required=False)
@click.option("--dry-run", is_flag=True, help="judge, but record nothing and call no hook")
@click.option("--json", "as_json", is_flag=True, help="one JSON object in place of the panel")
@needs_shop
def verify(
    shop: Shop, words: Words, imp_uid: str, order: str | None, dry_run: bool, as_json: bool
) -> int:
    """Ask the gateway about a payment, judge it, have the store record it, and say what was
    compared.

    ORDER is the order's number that the payment should be for; needed where the shop has several
    accounts. Exit status: 0 paid or an account issued, 1 anything else, 3 trouble.
    """
    if order is None and shop.settings.accounts is not None:
        names = ", ".join(shop.settings.accounts)
        raise WrongUse(words("order_missing", accounts=names))
    found = _look(shop, check_imp_uid(imp_uid), order, dry_run)
    if as_json:
        sys.stdout.write(json.dumps(_as_json(found), ensure_ascii=True, indent=2) + "\n")
    else:
        _show(found, words, test_mode=shop.settings.test_mode)
    return GOOD if found.good else FOUND


def _look(shop: Shop, imp_uid: str, order: str | None, dry_run: bool) -> _Found:
    before: Mapping[str, Receipt] = shop.call(shop.verifier.store.receipts, [imp_uid])
    outcome = shop.verify(imp_uid, order, record=not dry_run)
    payment, asked = outcome.payment, outcome.asked
    if payment is None:
        return _Found(outcome, None, (), dry_run)
    counts = None
    if outcome.reason is not Reason.ORDER:
        counts = what_counts(payment, outcome.expected, before.get(imp_uid), asked)
    test_mode = shop.settings.test_mode
    rows = compare(payment, counts, order, asked, test_mode=test_mode)
    return _Found(outcome, counts, rows, dry_run)


def _as_json(found: _Found) -> dict[str, object]:
    outcome, payment, expected = found.outcome, found.outcome.payment, found.outcome.expected
    return {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "settled": outcome.settled,
        "good": found.good,
        "dry_run": found.dry_run,
        "imp_uid": outcome.imp_uid,
        "merchant_uid": outcome.merchant_uid,
        "account": outcome.asked,
        "payment": None if payment is None else plain(_facts(payment)),
        "order": None if expected is None else plain(_wishes(expected)),
        "compared_with": _name(found.counts),
        "comparisons": [plain(row._asdict()) for row in found.rows],
    }


def _name(counts: ExpectedPayment | Receipt | None) -> str | None:
    if counts is None:
        return None
    return "receipt" if isinstance(counts, Receipt) else "order"


def _facts(payment: Payment) -> dict[str, Any]:
    facts = {name: getattr(payment, name) for name in _FIELDS}
    return {**facts, "vbank_due": payment.vbank_date}


def _wishes(expected: ExpectedPayment) -> dict[str, Any]:
    names = ("merchant_uid", "amount", "currency", "account", "open", "pay_methods", "pg_providers")
    return {name: getattr(expected, name) for name in names}


def _show(found: _Found, words: Words, *, test_mode: bool) -> None:
    from rich.console import Group
    from rich.panel import Panel

    parts = _parts(found, words, test_mode=test_mode)
    title = str(found.outcome.imp_uid)
    colour = "green" if found.good else "red"
    panel = Panel(Group(*parts), title=title, border_style=colour, padding=(1, 2))
    make_console().print(panel)


def _parts(found: _Found, words: Words, *, test_mode: bool) -> list[Any]:
    from rich.text import Text

    outcome, payment = found.outcome, found.outcome.payment
    parts: list[Any] = []
    if payment is not None:
        parts += [_heading(words("gateway_said")), _grid(_facts(payment), words), Text()]
        parts += [_heading(words("order_asks")), *_asked(found, words), Text()]
        parts += [_table(found.rows, words), Text()]
    elif outcome.verdict is Verdict.UNKNOWN_PAYMENT:
        parts.append(Text(words("no_payment")))
        parts += [] if test_mode else [Text(words("no_payment_live"))]
        parts.append(Text())
    else:
        parts += [Text(words("no_order")), Text()]
    return [*parts, _end(found, words)]


def _heading(text: str) -> Any:
    from rich.text import Text

    return Text(text, style="bold")


def _grid(values: Mapping[str, object], words: Words) -> Any:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        if value is not None and value != "":
            grid.add_row(Text(words(name), style="dim"), Text(_shown(value, words)))
    return grid


def _asked(found: _Found, words: Words) -> Iterable[Any]:
    from rich.text import Text

    expected, receipt = found.outcome.expected, isinstance(found.counts, Receipt)
    if expected is not None:
        wishes = _wishes(expected)
        yield _grid({"order": wishes.pop("merchant_uid"), **wishes}, words)
    elif found.outcome.reason is Reason.ORDER:
        yield Text(words("other_order"))
    else:
        yield Text(words("no_order"))
    if receipt:
        yield Text(words("receipt_counts"))


def _table(rows: Iterable[Comparison], words: Words) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("rule", "paid_with", "asked"):
        table.add_column(words(name), overflow="fold", header_style="bold")
    table.add_column("")
    marks = {True: Text("OK", "green"), False: Text("X", "bold red"), None: Text("-", "dim")}
    for row in rows:
        asked = row.asked
        if row.rule == "test_payment":
            asked = words("allowed") if asked else False
        cells = (words(row.rule), _shown(row.found, words), _shown(asked, words))
        table.add_row(*map(Text, cells), marks[row.fits])
    return table


def _shown(value: object, words: Words) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return words("yes" if value else "no")
        case Decimal():
            return f"{value:,f}"
        case datetime():
            return value.astimezone().isoformat(" ", "seconds")
        case frozenset():
            return ", ".join(map(said, sorted(value)))
        case _:
            return said(value)


def _end(found: _Found, words: Words) -> Any:
    outcome = found.outcome
    did = "dry_run" if found.dry_run else f"settled_{outcome.settled or 'none'}"
    values = {
        "verdict": outcome.verdict.upper(),
        "reason": outcome.reason and outcome.reason.upper(),
        "store_did": words(did),
    }
    return _grid(values, words)
