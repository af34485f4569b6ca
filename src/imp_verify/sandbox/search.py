"""Filtering, sorting and paging as the gateway's list calls do, and what they refuse. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.ledger import ALL, FIELDS

STATUSES = ("ready", "paid", "cancelled", "failed")
USUAL_PAGE = 20
LONGEST_PAGE = 1000
LONGEST_WINDOW = 90 * 24 * 3600
SORTINGS = tuple(sign + name for name in FIELDS for sign in ("-", ""))
"""What a list may be sorted by; a leading minus puts the newest first."""
NEWEST_FIRST = "-started"


def sort(attempts: Iterable[Attempt], sorting: str = NEWEST_FIRST) -> list[Attempt]:
    """Order attempts by one of SORTINGS. Equal seconds: by their opening."""
    field = FIELDS[sorting.removeprefix("-")]
    return sorted(
        attempts,
        key=lambda attempt: (getattr(attempt, field), attempt.number),
        reverse=sorting.startswith("-"),
    )


def check_window(start: int, end: int) -> None:
    """Raise Refused where a window is longer than 90 days or ends before it starts."""
    if not 0 <= end - start <= LONGEST_WINDOW:
        raise Refused("조회 기간은 최대 90일입니다.", code=-1, status=400)


def with_status(attempts: Iterable[Attempt], status: str) -> list[Attempt]:
    """Keep the attempts of one status; `all` keeps every one."""
    return [attempt for attempt in attempts if status in (ALL, attempt.status)]


def first_of(page: int, limit: int, total: int) -> int:
    """Return where a page begins, from 0, or raise Refused where it is past the end.

    Args:
        page: From 1.
        limit: Payments per page.
        total: Payments in all.
    """
    first = (page - 1) * limit
    if page > 1 and first >= total:
        raise Refused("데이터 범위를 넘어선 page입니다.", code=-1, status=400)
    return first


def page_of(found: Sequence[Attempt], page: int, limit: int, total: int) -> dict[str, object]:
    """Write one page: total, previous and next page (0 where there is none), list."""
    return {
        "total": total,
        "previous": page - 1,
        "next": page + 1 if page * limit < total else 0,
        "list": [attempt.wire() for attempt in found],
    }
