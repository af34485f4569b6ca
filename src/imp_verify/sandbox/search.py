"""Finding, sorting and paging attempts as the gateway's list calls do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import Refused

STATUSES = ("ready", "paid", "cancelled", "failed")
LONGEST_PAGE = 1000
LONGEST_WINDOW = 90 * 24 * 3600
_FIELD = {"started": "started_at", "paid": "paid_at", "updated": "updated_at"}
_OWN_TIME = {
    "ready": "started_at",
    "paid": "paid_at",
    "cancelled": "cancelled_at",
    "failed": "failed_at",
}


def sort(attempts: Iterable[Attempt], sorting: str = "-started") -> list[Attempt]:
    """Order attempts; a leading minus puts the newest first. Equal seconds: by their opening.

    Raises:
        Refused: The order has another name.
    """
    name = sorting.removeprefix("-")
    if name not in _FIELD:
        raise Refused("sorting 값이 올바르지 않습니다.", code=-1, status=400)
    return sorted(
        attempts,
        key=lambda attempt: (getattr(attempt, _FIELD[name]), attempt.number),
        reverse=sorting.startswith("-"),
    )


def with_status(attempts: Iterable[Attempt], status: str | None) -> list[Attempt]:
    """Keep the attempts of one status; None and `all` keep every one.

    Raises:
        Refused: There is no such status.
    """
    if status in (None, "all"):
        return list(attempts)
    if status not in STATUSES:
        raise Refused("유효하지 않은 payment_status입니다.", code=-1, status=400)
    return [attempt for attempt in attempts if attempt.status == status]


def between(attempts: Iterable[Attempt], start: int, end: int) -> list[Attempt]:
    """Keep the attempts whose own time lies in the window: each status has its own field.

    Raises:
        Refused: The window is longer than 90 days or ends before it starts.
    """
    if not 0 <= end - start <= LONGEST_WINDOW:
        raise Refused("조회 기간은 최대 90일입니다.", code=-1, status=400)
    return [a for a in attempts if start <= getattr(a, _OWN_TIME[a.status]) <= end]


def page_of(
    attempts: Sequence[Attempt], page: int, limit: int, *, strict: bool
) -> dict[str, object]:
    """Cut one page: total, previous and next page (0 where there is none), list.

    Args:
        attempts: All, in their order.
        page: From 1.
        limit: Payments per page, 1 to 1000.
        strict: Whether a page past the end is refused.

    Raises:
        Refused: page or limit is out of range.
    """
    if page < 1 or not 1 <= limit <= LONGEST_PAGE:
        raise Refused("page 또는 limit 값이 올바르지 않습니다.", code=-1, status=400)
    start = (page - 1) * limit
    if strict and page > 1 and start >= len(attempts):
        raise Refused("데이터 범위를 넘어선 page입니다.", code=-1, status=400)
    return {
        "total": len(attempts),
        "previous": page - 1,
        "next": page + 1 if start + limit < len(attempts) else 0,
        "list": [attempt.wire() for attempt in attempts[start : start + limit]],
    }
