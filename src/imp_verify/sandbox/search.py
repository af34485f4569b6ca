"""Filtering, sorting and paging as the gateway's list calls do, and what they refuse. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import UNKNOWN_STATUS, Refused
from imp_verify.sandbox.ledger import ALL, FIELDS

STATUSES = ("ready", "paid", "cancelled", "failed")
LONGEST_PAGE = 1000
LONGEST_WINDOW = 90 * 24 * 3600


def sort(attempts: Iterable[Attempt], sorting: str = "-started") -> list[Attempt]:
    """Order attempts; a leading minus puts the newest first. Equal seconds: by their opening.

    Raises:
        Refused: The order has another name.
    """
    field = FIELDS[check_sorting(sorting).removeprefix("-")]
    return sorted(
        attempts,
        key=lambda attempt: (getattr(attempt, field), attempt.number),
        reverse=sorting.startswith("-"),
    )


def check_sorting(sorting: str) -> str:
    """Return it, or raise Refused where the order has another name."""
    if sorting.removeprefix("-") not in FIELDS:
        raise Refused("sorting 값이 올바르지 않습니다.", code=-1, status=400)
    return sorting


def check_status(status: str) -> str:
    """Return it, or raise Refused where it is neither `all` nor a status."""
    if status != ALL and status not in STATUSES:
        raise Refused(UNKNOWN_STATUS, code=-1, status=400)
    return status


def check_window(start: int, end: int) -> None:
    """Raise Refused where a window is longer than 90 days or ends before it starts."""
    if not 0 <= end - start <= LONGEST_WINDOW:
        raise Refused("조회 기간은 최대 90일입니다.", code=-1, status=400)


def with_status(attempts: Iterable[Attempt], status: str | None) -> list[Attempt]:
    """Keep the attempts of one status; None and `all` keep every one.

    Raises:
        Refused: There is no such status.
    """
    if status is None or check_status(status) == ALL:
        return list(attempts)
    return [attempt for attempt in attempts if attempt.status == status]


def first_of(page: int, limit: int, total: int, *, strict: bool) -> int:
    """Return where a page begins, from 0.

    Args:
        page: From 1.
        limit: Payments per page, 1 to 1000.
        total: Payments in all.
        strict: Whether a page past the end is refused.

    Raises:
        Refused: page or limit is out of range.
    """
    if page < 1 or not 1 <= limit <= LONGEST_PAGE:
        raise Refused("page 또는 limit 값이 올바르지 않습니다.", code=-1, status=400)
    first = (page - 1) * limit
    if strict and page > 1 and first >= total:
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
