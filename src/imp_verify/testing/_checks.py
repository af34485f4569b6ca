"""How a trial complains: what happened, what was expected, and what usually causes it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from ..models import Outcome, Settled, Verdict

if TYPE_CHECKING:
    from ._shop import TrialShop

__all__ = [
    "NO_REOPEN",
    "check",
    "check_not_paid",
    "check_paid",
    "check_shipped",
    "check_told",
    "left_out",
    "said",
]


NO_REOPEN = (
    "the shop has no `reopen`. That is right only where the store lives in one process, and its "
    "records end with it"
)


def check(good: bool, happened: str, expected: str, cause: str = "") -> None:
    """Raise an AssertionError that a shop can act on, where it is not good."""
    __tracebackhide__ = True
    if good:
        return
    lines = [happened, f"  expected: {expected}"]
    if cause:
        lines.append(f"  usual cause: {cause}")
    raise AssertionError("\n".join(lines))


def left_out(what: str, why: str) -> None:
    """Say in pytest's summary what was not tried. It is a warning and never an error, also where
    warnings are; who knows it may ignore it."""
    text = f"OrderStoreContract left out {what}: {why}"
    try:
        warnings.warn(text, stacklevel=2)
    except UserWarning:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(text, stacklevel=2)


def said(outcome: Outcome) -> str:
    """Say what became of a delivery."""
    did = "nothing" if outcome.settled is None else outcome.settled.name
    return f"{outcome.verdict.name} (the store said {did})"


_TWICE = (
    "settle reads whether the order is paid before it has the lock, or there is no lock or unique "
    "key that all threads, processes and machines share; or a repeat does the work again"
)
_NEVER = (
    "the payment is marked as done before the work, or what settle did is not committed when it "
    "returns"
)
_WRONG = "the work is done before the store has looked whether this money may pay this order"


def check_shipped(
    shop: TrialShop, wanted: Sequence[str], after: str, order: str, twice: str = _TWICE
) -> None:
    """Compare what was sent off with what was paid; no hook may have been told anything twice."""
    __tracebackhide__ = True
    found = shop.shipped(order)
    check(
        not isinstance(found, Set | Mapping),
        f"{type(shop).__name__}.shipped gave a {type(found).__name__}, which counts nothing twice",
        "a list with an imp_uid for each time that the goods went off",
    )
    shipped = list(found)
    times = f"{len(shipped)} times" + (f", for {', '.join(shipped)}" if shipped else "")
    cause = _NEVER if len(shipped) < len(wanted) else twice if wanted else _WRONG
    goods = f"once, for {wanted[0]}" if wanted else "never"
    check(
        shipped == list(wanted),
        f"{after}: the goods of {order!r} went off {times}",
        f"they go off {goods}",
        cause,
    )
    again = sorted({each for each, count in Counter(shop.told() or ()).items() if count > 1})
    check(
        not again,
        f"{after}: told more than once: {', '.join(f'{hook} {key}' for hook, key in again)}",
        "a hook is told the same change once, however often it is delivered",
        "what was handed on is not kept under a unique key, with the work, in one transaction",
    )


def check_told(shop: TrialShop, name: str, times: int, after: str) -> None:
    """Count how often a hook was called, where the shop has hooks."""
    __tracebackhide__ = True
    told = shop.told()
    count = times if told is None else sum(hook == name for hook, _ in told)
    check(
        count == times,
        f"{after}: {name} was called {count} times",
        f"{name} is called {times} times, once for each change",
        "a change is not kept, or is kept under a key that repeats or other changes share",
    )


def check_paid(outcome: Outcome, after: str, settled: Settled | None = None) -> None:
    """The delivery must be answered as paid, and NEW or REPEATED as is said."""
    __tracebackhide__ = True
    wanted = "PAID" if settled is None else f"PAID, {settled.name} from the store"
    cause = "settle does not find the payment that it recorded, or refuses what is this order's"
    if settled is Settled.REPEATED:
        cause = "settle does not look first whether this imp_uid pays the order already"
    good = outcome.paid and settled in (None, outcome.settled)
    check(good, f"{after}: the delivery was answered {said(outcome)}", wanted, cause)


def check_not_paid(outcome: Outcome, after: str, *wanted: Verdict, cause: str = "") -> None:
    """The delivery must be answered with one of these verdicts."""
    __tracebackhide__ = True
    names = " or ".join(each.name for each in wanted)
    good = outcome.verdict in wanted
    check(good, f"{after}: the delivery was answered {said(outcome)}", names, cause)
