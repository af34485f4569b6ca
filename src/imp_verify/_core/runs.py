"""What a run of `reconcile` is asked to read, and how far it is: values, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import InvalidRequest
from ..models import Due

__all__ = ["Progress", "Range", "read_range"]


@dataclass(frozen=True, slots=True)
class Range:
    """What a caller wants read, checked. Times are aware.

    Attributes:
        now: When the call was made.
        orders_before: From when on payments from before the store began are recorded after all.
    """

    now: datetime
    since: datetime | None = None
    until: datetime | None = None
    orders_before: datetime | None = None
    dry_run: bool = False


def read_range(
    now: datetime, since: object, until: object, orders_before: object, dry_run: object
) -> Range:
    """Check what a caller gave.

    Raises:
        InvalidRequest: A time is none, is naive or lies in the future, or `since` is not before
            `until`; the text names it.
    """
    given = {"since": since, "until": until, "orders_before": orders_before}
    times = {name: _time(name, value, now) for name, value in given.items()}
    start, end = times["since"], times["until"] or now
    if start is not None and start >= end:
        raise InvalidRequest("since must be before until")
    if not isinstance(dry_run, bool):
        raise InvalidRequest("dry_run must be True or False")
    return Range(now, **times, dry_run=dry_run)


def _time(name: str, value: object, now: datetime) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidRequest(f"{name} must be a datetime with a time zone")
    if value > now:
        raise InvalidRequest(f"{name} lies in the future: what is read must be over")
    return value.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come with one account: told, to who asks for it, before each page and
    before each payment that is verified or due.

    Attributes:
        account: None where the shop has only one.
        since, until: The window that is read.
        page: The page that is read, from the last to the first; None: none yet.
        payments: How many were compared in all windows so far, and of how many: `total`.
        passed: How many of them are of test channels, in live mode: counted, not judged.
        kept: Whether the run keeps its place, so that the next one can go on there.
        imp_uid: The payment that is in hand: what is told next says that it is done.
        due: What of it is to be given back, where that is what is in hand.
    """

    account: str | None
    since: datetime
    until: datetime
    page: int | None = None
    payments: int = 0
    total: int = 0
    passed: int = 0
    kept: bool = False
    imp_uid: str | None = None
    due: Due | None = None
