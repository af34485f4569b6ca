"""The payments held, and the indexes that look-ups and lists read; no rule of change, no lock."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

from imp_verify.sandbox.attempt import Attempt

Group = tuple[str, str | None]
"""An account's key and a tier: who sees a payment."""
ALL = "all"
OWN = "own"
BLOCK = 1000
FIELDS = {"started": "started_at", "paid": "paid_at", "updated": "updated_at"}
"""What a list may be sorted by, and where that time stands."""
_OWN_TIME = {"paid": "paid_at", "cancelled": "cancelled_at", "failed": "failed_at"}


_Key = tuple[int, int, int]
"""Where an attempt stands in a list: by a time, then by the number of its opening; and its own
time. No class: the garbage collector would walk all of them again and again."""


class _Sorted:
    """Keys in their order, in blocks: one more in the middle moves a block, and not all the rest.

    A payment is opened, paid or cancelled in the same time whether 1,000 are held or 100,000.
    """

    def __init__(self) -> None:
        self._blocks: list[list[_Key]] = []

    def add(self, key: _Key) -> None:
        if not self._blocks:
            self._blocks.append([key])
            return
        at = min(self._block_of(key), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, key)
        if len(block) > 2 * BLOCK:
            self._blocks[at : at + 1] = [block[:BLOCK], block[BLOCK:]]

    def remove(self, key: _Key) -> None:
        at = self._block_of(key)
        block = self._blocks[at]
        del block[bisect_left(block, key)]
        if not block:
            del self._blocks[at]

    def before(self, time: int) -> int:
        """Count the keys of an earlier time."""
        key = (time, -1, 0)
        at = self._block_of(key)
        whole = sum(map(len, self._blocks[:at]))
        return whole + (bisect_left(self._blocks[at], key) if at < len(self._blocks) else 0)

    def walk(self, *, newest_first: bool) -> Iterator[_Key]:
        if not newest_first:
            return chain.from_iterable(self._blocks)
        return chain.from_iterable(map(reversed, reversed(self._blocks)))

    def _block_of(self, key: _Key) -> int:
        return bisect_left(self._blocks, key, key=lambda block: block[-1])


class _Listing:
    """The attempts of one status, in each order that a list can have."""

    def __init__(self) -> None:
        self._by = {name: _Sorted() for name in (OWN, *FIELDS)}

    def add(self, attempt: Attempt) -> None:
        for name, keys in self._by.items():
            keys.add(_key(attempt, name))

    def remove(self, attempt: Attempt) -> None:
        for name, keys in self._by.items():
            keys.remove(_key(attempt, name))

    def count(self, start: int, end: int) -> int:
        own = self._by[OWN]
        return own.before(end + 1) - own.before(start)

    def cut(self, start: int, end: int, sorting: str, first: int, limit: int) -> list[int]:
        keys = self._by[sorting.removeprefix("-")].walk(newest_first=sorting.startswith("-"))
        inside = (number for _, number, own in keys if start <= own <= end)
        return list(islice(inside, first, first + limit))


class Ledger:
    """All attempts, by imp_uid, by order number, and by status with the time that is its own."""

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._ids: list[str] = []
        self._past: dict[str, list[Attempt]] = {}
        self._orders: dict[tuple[Group, str], list[int]] = {}
        self._listings: defaultdict[tuple[Group, str], _Listing] = defaultdict(_Listing)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Attempt]:
        """Walk all attempts in the order of their opening."""
        return iter(self._attempts.values())

    def __reversed__(self) -> Iterator[Attempt]:
        """Walk all attempts, the newest first."""
        return reversed(self._attempts.values())

    def get(self, imp_uid: str) -> Attempt | None:
        """Return an attempt, or None where there is none of this id."""
        return self._attempts.get(imp_uid)

    def put(self, attempt: Attempt) -> None:
        """Keep an attempt: a new one, whose number is the length so far, or one that changed."""
        before = self._attempts.get(attempt.imp_uid)
        if before is None:
            self._ids.append(attempt.imp_uid)
        else:
            self._forget(before)
            self._past.setdefault(attempt.imp_uid, []).append(before)
        self._attempts[attempt.imp_uid] = attempt
        insort(self._orders.setdefault(_order(attempt), []), attempt.number)
        for each in self._listings_of(attempt):
            each.add(attempt)

    def as_of(self, time: int) -> Ledger:
        """Return the attempts that there were at a time, each as it was then."""
        past = Ledger()
        for imp_uid, attempt in self._attempts.items():
            versions = [*self._past.get(imp_uid, ()), attempt]
            known = [each for each in versions if each.updated_at <= time]
            if known:
                past.put(replace(known[-1], number=len(past)))
        return past

    def of_order(self, group: Group, merchant_uid: str) -> list[Attempt]:
        """Return the attempts for an order number, in the order of their opening."""
        return self._numbered(self._orders.get((group, merchant_uid), ()))

    def count(self, group: Group, status: str, start: int, end: int) -> int:
        """Count the attempts whose own time lies in a window; status may be ALL.

        Own is the start of one that is ready, and of the others the time they got their status.
        Both ends of the window, Unix seconds, are part of it.

        Source: V1 REST API, GET /payments/status/{payment_status}.
        """
        listing = self._listings.get((group, status))
        return listing.count(start, end) if listing else 0

    def cut(
        self,
        group: Group,
        status: str,
        start: int,
        end: int,
        *,
        sorting: str,
        first: int,
        limit: int,
    ) -> list[Attempt]:
        """Return a part of what `count` counts, sorted as the gateway's lists are."""
        listing = self._listings.get((group, status))
        return self._numbered(listing.cut(start, end, sorting, first, limit)) if listing else []

    def _forget(self, attempt: Attempt) -> None:
        self._orders[_order(attempt)].remove(attempt.number)
        for each in self._listings_of(attempt):
            each.remove(attempt)

    def _listings_of(self, attempt: Attempt) -> list[_Listing]:
        group = _group(attempt)
        return [self._listings[group, attempt.status], self._listings[group, ALL]]

    def _numbered(self, numbers: Iterable[int]) -> list[Attempt]:
        return [self._attempts[self._ids[number]] for number in numbers]


def _group(attempt: Attempt) -> Group:
    return attempt.account, attempt.tier


def _order(attempt: Attempt) -> tuple[Group, str]:
    return _group(attempt), attempt.merchant_uid


def _key(attempt: Attempt, name: str) -> _Key:
    own: int = getattr(attempt, _OWN_TIME.get(attempt.status, "started_at"))
    return (own if name == OWN else getattr(attempt, FIELDS[name]), attempt.number, own)
