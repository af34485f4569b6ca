"""Which refunds and deposits of a payment are new: read from the gateway's histories, whatever
state these are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, localcontext
from hashlib import sha256

from .._core.reading import EXACT, read_amount
from ..models import Cancellation, Payment, Verdict, read_time

__all__ = ["deposits", "new_parts"]

_PREFIX = f"{Verdict.PARTLY_CANCELLED}:"
_BEYOND = "total-"
_LONGEST = 40


def new_parts(payment: Payment, known: Mapping[str, Decimal]) -> tuple[Cancellation, ...]:
    """Return the refunds that were not handed on before, oldest first; together never more than
    `cancel_amount`.

    Args:
        known: The changes of this payment that were handed on, each with its amount.
    """
    with localcontext(EXACT):
        return _new_parts(payment, known)


def _new_parts(payment: Payment, known: Mapping[str, Decimal]) -> tuple[Cancellation, ...]:
    parts = {
        key[len(_PREFIX) :]: amount for key, amount in known.items() if key.startswith(_PREFIX)
    }
    history = _history(payment)
    listed = sum((each.amount for each in history), Decimal(0))
    unlisted = sum((amount for key, amount in parts.items() if key.startswith(_BEYOND)), Decimal(0))
    # What was once handed on without an id may have got its entry in the history since.
    named_late = max(Decimal(0), unlisted - max(Decimal(0), payment.cancel_amount - listed))
    left = payment.cancel_amount - sum(parts.values(), Decimal(0))
    fresh: list[Cancellation] = []
    for each in history:
        if each.key in parts:
            continue
        if each.amount <= named_late:
            named_late -= each.amount
        elif each.amount <= left:
            left -= each.amount
            fresh.append(each)
    if left > 0:
        key = f"{_BEYOND}{payment.cancel_amount:f}"
        if key not in parts:
            fresh.append(Cancellation(None, left, payment.cancelled_at, payment.cancel_reason, key))
    return tuple(fresh)


def deposits(payment: Payment) -> tuple[str, ...]:
    """Return a key for each deposit into an account without an amount of its own, oldest first.

    Source: V1 REST API, Payment.deposit_history (pg_tid, amount, deposited_at).
    """
    seen: Counter[str] = Counter()
    keys: list[str] = []
    for item in _items(payment.deposit_history):
        name = item.get("pg_tid")
        amount = read_amount(item.get("amount"))
        number = item.get("amount") if amount is None else f"{amount.normalize(EXACT):f}"
        fallback = f"{item.get('deposited_at')}-{number}"
        keys.append(_key(name if isinstance(name, str) and name else fallback, seen))
    return tuple(dict.fromkeys(keys))


def _history(payment: Payment) -> list[Cancellation]:
    """Read cancel_history, oldest first. An entry that cannot be read is left out: its money is
    still counted.

    Source: V1 REST API, Payment.cancel_history (amount, cancelled_at, reason, cancellation_id).
    """
    seen: Counter[str] = Counter()
    found: dict[str, Cancellation] = {}
    for item in _items(payment.cancel_history):
        amount = read_amount(item.get("amount"))
        if amount is None or amount == 0:
            continue
        name, reason = item.get("cancellation_id"), item.get("reason")
        at = read_time(item.get("cancelled_at"))
        named = name if isinstance(name, str) and name else None
        if named is not None:
            key = _short(named)
        else:
            key = _key(f"{_seconds(at)}-{amount.normalize(EXACT):f}", seen)
        text = reason if isinstance(reason, str) else None
        found.setdefault(key, Cancellation(named, amount, at, text, key))
    return sorted(found.values(), key=lambda each: _seconds(each.at))


def _items(history: object) -> Iterator[Mapping[str, object]]:
    for item in history if isinstance(history, list) else ():
        if isinstance(item, dict):
            yield item


def _seconds(at: datetime | None) -> int:
    return 0 if at is None else int(at.timestamp())


def _key(text: str, seen: Counter[str]) -> str:
    """Return the key of a refund without an id. Those of one second and amount are counted."""
    seen[text] += 1
    return _short(f"{text}-{seen[text]}")


def _short(text: str) -> str:
    """Return a key that fits its column and holds no odd characters, whatever the gateway sends."""
    if (
        len(text) <= _LONGEST
        and text.isascii()
        and text.isprintable()
        and not text.startswith(_BEYOND)
    ):
        return text
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LONGEST]
