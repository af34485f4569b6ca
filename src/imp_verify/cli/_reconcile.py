"""`imp-verify reconcile`: what the gateway lists, compared with what is recorded, repaired, and
shown with its money."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

import click

from .. import Finding, FindingKind, InvalidRequest
from .._core.runs import Progress
from ..models import Due
from ._give_back import left
from ._meanwhile import Failures, Interrupts, kept_failures
from ._printing import (
    FOUND,
    GOOD,
    KOREA,
    TROUBLE,
    WrongUse,
    korean,
    make_console,
    origin,
    plain,
    printable,
    said,
    uncut,
    where,
    widened,
)
from ._shop import Shop, needs_shop
from ._words import Words

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["reconcile"]

_Cells = tuple[str | None, ...]
_MOST_ROWS = 500
"""Findings that the table shows, so that a run needs the same memory for any number of them."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet runs. A browser chooses an order's number."""
_AMOUNTS = ("money", "amount", "cancel_amount", "recorded_amount", "recorded_cancel_amount")
_COLUMNS = (
    *("kind", "account", "imp_uid", "merchant_uid", "money", "currency"),
    *("status", "amount", "cancel_amount", "paid_at"),
    *("recorded_state", "recorded_amount", "recorded_cancel_amount"),
    *("verdict", "reason", "settled", "error"),
)


@click.command(short_help="compare the gateway's list with what is recorded, and repair it")
@click.option("--since", metavar="TIME", help="default: the end of the last run, less an hour")
@click.option("--until", metavar="TIME", help="default: a minute ago")
@click.option(
    "--orders-before",
    metavar="TIME",
    help="record payments from before the store began too, if paid from this time on: their "
    "orders are told as paid, and may ship again",
)
@click.option("--account", metavar="NAME", help="of several accounts only this one")
@click.option("--dry-run", is_flag=True, help="only say what is found: record nothing")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per finding, a line each")
@click.option(
    "--csv",
    "path",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="write the findings to a file too",
)
@needs_shop
def reconcile(
    shop: Shop,
    words: Words,
    since: str | None,
    until: str | None,
    orders_before: str | None,
    account: str | None,
    dry_run: bool,
    as_json: bool,
    path: str | None,
) -> int:
    """Compare the payments that the gateway lists with those that are recorded, repair what
    differs by an ordinary verify, and show it: notices that were lost, refunds made elsewhere,
    accounts that ran out, money that is due back.

    TIME is an ISO 8601 date or time, 2026-01-31 or 2026-01-31T09:00. A date is its beginning,
    00:00, and a time without an offset is Korean time (Asia/Seoul).

    Exit status: 0 nothing was found, 1 something was, 2 nothing was done, 3 not finished, or the
    shop's own code failed over a payment: what is done stays, and where it stopped is printed.
    Ctrl-C stops after the payment in hand.
    """
    window = (
        _time("--since", since, words),
        _time("--until", until, words),
        _time("--orders-before", orders_before, words),
    )
    interrupts = Interrupts()
    told = shop.reconcile(window, account=account, dry_run=dry_run, check=interrupts.check)
    with closing(told), _sheet(path, words) as sheet, kept_failures() as failures:
        report = _Report(shop, words, sheet, failures, as_json=as_json)
        try:
            _follow(told, report, interrupts)
        except InvalidRequest:
            raise
        except KeyboardInterrupt:
            report.end(stopped=True)
            return TROUBLE
        except Exception:
            report.end(stopped=True)
            raise
    report.end()
    if failures.count:
        return TROUBLE
    return FOUND if report.totals else GOOD


def _time(option: str, text: str | None, words: Words) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        given = time if time.tzinfo is not None else time.replace(tzinfo=KOREA)
        return given.astimezone(KOREA)
    except (ValueError, OverflowError):
        raise WrongUse(words("bad_time", option=option, text=said(text))) from None


def _follow(told: Iterator[Finding | Progress], report: _Report, interrupts: Interrupts) -> None:
    with _bar(report) as bar:
        try:
            for each in told:
                if isinstance(each, Finding):
                    report.add(each)
                else:
                    report.move(each)
                    if bar is not None:
                        _move(bar, report)
                interrupts.release()
                if isinstance(each, Progress) and each.imp_uid is not None:
                    interrupts.hold()
        finally:
            interrupts.release()


@contextmanager
def _sheet(path: str | None, words: Words) -> Iterator[TextIO | None]:
    """Open the file of --csv. Korean spreadsheets take a file without a mark for one in CP949."""
    if path is None:
        yield None
        return
    try:
        file = open(path, "w", encoding="utf-8-sig", newline="", buffering=1)  # noqa: SIM115
    except OSError as error:
        raise WrongUse(words("csv_unwritable", path=said(path), error=said(error))) from error
    with file:
        csv.writer(file).writerow(_COLUMNS)
        yield file


@dataclass
class _Total:
    """Findings of one kind in one currency, their money, and how much of it was repaired."""

    count: int = 0
    money: Decimal = Decimal(0)
    repaired: Decimal = Decimal(0)


class _Report:
    """What was found, written as it is found or kept for the table.

    Attributes:
        at: How far the run is; None: it did not begin.
        began: Where its first window begins.
        totals: By kind and currency.
    """

    def __init__(
        self,
        shop: Shop,
        words: Words,
        sheet: TextIO | None,
        failures: Failures,
        *,
        as_json: bool,
    ) -> None:
        self.shop = shop
        self.words = words
        self.failures = failures
        self.at: Progress | None = None
        self.began: datetime | None = None
        self.totals: dict[tuple[FindingKind, str | None], _Total] = {}
        self.as_json = as_json
        self._sheet = sheet
        self._rows: list[_Cells] = []

    def move(self, at: Progress) -> None:
        """Take note of how far the run is."""
        self.at = at
        self.began = self.began or at.since

    def add(self, finding: Finding) -> None:
        """Count and write a finding."""
        due = self.at.due if self.at is not None and finding.kind is FindingKind.DUE else None
        money, currency = _money(finding, due)
        total = self.totals.setdefault((finding.kind, currency), _Total())
        total.count += 1
        total.money += money or 0
        total.repaired += (money or 0) if _repaired(finding) else 0
        fields = self._fields(finding, money, currency)
        if self.as_json:
            sys.stdout.write(json.dumps(fields, ensure_ascii=True) + "\n")
            sys.stdout.flush()
        elif len(self._rows) < _MOST_ROWS:
            became = self.shop.conceal(_became(finding, due, self.shop, self.words))
            names = (self.words(f"kind_{finding.kind}"), finding.imp_uid, finding.merchant_uid)
            self._rows.append((*names, _sum(money, currency), became))
        if self._sheet is not None:
            csv.writer(self._sheet).writerow(_cells(fields))

    def end(self, *, stopped: bool = False) -> None:
        """Show what was found, and where a run that was stopped is."""
        if not self.as_json:
            _show(self, self._rows, stopped)
        for imp_uid, error in self.failures.kept:
            # What it says may be a buyer's data, and goes into cron's mail.
            why = origin(error).rstrip() if self.shop.verbose else where(error)
            self._complain(f"imp-verify: {imp_uid}: {why}")
        if self.failures.count:
            count = f"{self.failures.count:,}"
            self._complain(f"imp-verify: {self.words('reconcile_failed', count=count)}")
        if stopped:
            self._complain(f"imp-verify: {_position(self.at, self.words)}")

    def _complain(self, text: str) -> None:
        sys.stderr.write(printable(self.shop.conceal(f"{text}\n"), sys.stderr))

    def _fields(
        self, finding: Finding, money: Decimal | None, currency: str | None
    ) -> dict[str, object]:
        payment, receipt, outcome = finding.payment, finding.receipt, finding.outcome
        values: dict[str, Any] = dict.fromkeys(_COLUMNS)
        values |= {"kind": finding.kind, "account": None if self.at is None else self.at.account}
        values |= {"imp_uid": finding.imp_uid, "merchant_uid": finding.merchant_uid}
        values |= {"money": money, "currency": currency}
        for thing, prefix, names in (
            (payment, "", ("status", "amount", "cancel_amount", "paid_at")),
            (receipt, "recorded_", ("state", "amount", "cancel_amount")),
            (outcome, "", ("verdict", "reason", "settled")),
        ):
            if thing is not None:
                values |= {f"{prefix}{name}": getattr(thing, name) for name in names}
        if finding.error is not None:
            values["error"] = self.shop.conceal(said(finding.error))
        return plain(values)


def _money(finding: Finding, due: Due | None) -> tuple[Decimal | None, str | None]:
    """Return what a finding is about: what is to be given back, what was and is not recorded, or
    else what is left of the payment, as it is listed, or as it is recorded where it is not."""
    payment, receipt = finding.payment, finding.receipt
    if due is not None:
        return due.amount, due.currency
    known = payment or receipt
    if known is None:
        return None, None
    if finding.kind is FindingKind.REFUND_MISSING and payment is not None and receipt is not None:
        return payment.cancel_amount - receipt.cancel_amount, payment.currency
    return known.amount - known.cancel_amount, known.currency


def _repaired(finding: Finding) -> bool:
    outcome = finding.outcome
    if outcome is None or outcome.settled is None:
        return False
    left = outcome.payment is not None and outcome.payment.holds_money
    return finding.kind is not FindingKind.DUE or not left


def _cells(fields: dict[str, object]) -> Iterator[object]:
    for name, value in fields.items():
        if name not in _AMOUNTS and str(value).startswith(_FORMULA):
            yield f"'{value}"
        else:
            yield "" if value is None else value


def _position(at: Progress | None, words: Words) -> str:
    if at is None:
        return words("reconcile_not_begun")
    account = "" if at.account is None else f" ({said(at.account)})"
    window = {"account": account, "since": korean(at.since), "until": korean(at.until)}
    if at.page is None and not at.payments:
        text = words("reconcile_nothing_read", **window)
    else:
        counts = {"payments": f"{at.payments:,}", "total": f"{at.total:,}"}
        text = words("reconcile_position", **window, page=at.page or 1, **counts)
    return f"{text} {words('reconcile_kept' if at.kept else 'reconcile_again')}"


# The bar


@contextmanager
def _bar(report: _Report) -> Iterator[Bar | None]:
    """Show a bar on standard error, where that is a terminal: None elsewhere. It cannot share one
    with lines of JSON."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = make_console(stderr=True)
    if not console.is_terminal or (report.as_json and sys.stdout.isatty()):
        yield None  # a bar that is switched off writes an empty line by older releases of rich
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,  # else what goes there would go through the bar to standard error
        redirect_stderr=False,
    ) as bar:
        _ = bar.add_task("", total=None)
        yield bar


def _move(bar: Bar, report: _Report) -> None:
    at = report.at
    assert at is not None
    account = "" if at.account is None else f"{said(at.account)}: "
    text = report.words(
        "reconcile_bar",
        **{"payments": f"{at.payments:,}", "total": f"{at.total:,}"},
        calls=f"{report.shop.calls:,}",
    )
    total = at.total if at.page is not None else None
    bar.update(bar.task_ids[0], description=account + text, completed=at.payments, total=total)


# The tables


def _show(report: _Report, rows: list[_Cells], stopped: bool) -> None:
    words, at, console = report.words, report.at, widened(make_console())
    if rows:
        console.print(_findings(report, rows))
        console.print()
        console.print(_totals(report))
        console.print()
    found = sum(each.count for each in report.totals.values())
    if found > len(rows):
        console.print(words("reconcile_more", count=f"{found - len(rows):,}"), soft_wrap=True)
    if at is None or report.began is None or (stopped and not at.payments):
        return
    if not rows and not stopped:
        console.print(words("reconcile_nothing"), soft_wrap=True)
    text = words(
        "reconcile_did",
        **{"payments": f"{at.payments:,}", "calls": f"{report.shop.calls:,}"},
        **{"since": korean(report.began), "until": korean(at.until)},
    )
    console.print(text, soft_wrap=True)
    if at.passed:
        console.print(words("reconcile_passed", count=f"{at.passed:,}"), soft_wrap=True)


def _findings(report: _Report, rows: list[_Cells]) -> Any:
    table = _table(report.words, "found", "imp_uid", "order", "money", "became")
    for cells in rows:
        _row(table, *cells)
    uncut(table, rows, 1, 3)
    return table


def _totals(report: _Report) -> Any:
    words = report.words
    table = _table(words, "found", "count", "money", "repaired")
    for (kind, currency), total in sorted(
        report.totals.items(),
        key=lambda item: (list(FindingKind).index(item[0][0]), str(item[0][1])),
    ):
        sums = (None, None) if currency is None else (total.money, total.repaired)
        cells = (_sum(each, currency) for each in sums)
        _row(table, words(f"kind_{kind}"), f"{total.count:,}", *cells)
    return table


def _table(words: Words, *names: str) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in names:
        right = name in ("money", "count", "repaired")
        justify: Any = "right" if right else "left"
        table.add_column(words(name), justify=justify, overflow="fold", header_style="bold")
    return table


def _row(table: Any, *cells: str | None) -> None:
    from rich.text import Text

    table.add_row(*(Text("-" if each is None else said(each)) for each in cells))


def _sum(money: Decimal | None, currency: str | None) -> str | None:
    return None if money is None else f"{money:,f} {currency}"


def _became(finding: Finding, due: Due | None, shop: Shop, words: Words) -> str:
    outcome = finding.outcome
    if due is not None and (outcome is None or (outcome.money and not outcome.paid)):
        return left(shop, due, finding.error, words)
    if finding.error is not None:
        return finding.error
    if outcome is None:
        return "-"
    if due is not None and outcome.payment is not None:
        return words("pays_now" if outcome.paid else "given_back")
    did = words(f"settled_{outcome.settled or 'none'}")
    return f"{outcome.verdict.upper()}: {did}"
