"""The lists by status hold what a walk over all payments would find, whatever happened to them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imp_verify.sandbox import Attempt, Gateway, Refused, SandboxServer
from imp_verify.sandbox.ledger import ALL, BLOCK
from imp_verify.sandbox.search import LONGEST_WINDOW, STATUSES
from tests.sandbox.conftest import NOON, Rest, opened, paid

GROUP = ("sandbox_key", None)
SORTINGS = [sign + name for name in ("started", "paid", "updated") for sign in ("", "-")]
STEPS: list[Callable[[Gateway, str], object]] = [
    lambda gateway, imp_uid: gateway.approve(imp_uid),
    lambda gateway, imp_uid: gateway.approve(imp_uid, late=True),
    lambda gateway, imp_uid: gateway.fail(imp_uid, code="X", reason="x"),
    lambda gateway, imp_uid: gateway.cancel(imp_uid, amount=None),
    lambda gateway, imp_uid: gateway.edit(imp_uid, status="pending"),
    lambda gateway, imp_uid: gateway.edit(imp_uid, merchant_uid="moved"),
]


def own_time(attempt: Attempt) -> int:
    return {
        "paid": attempt.paid_at,
        "failed": attempt.failed_at,
        "cancelled": attempt.cancelled_at,
    }.get(attempt.status, attempt.started_at)


def by_hand(gateway: Gateway, status: str, start: int, end: int, sorting: str) -> list[Attempt]:
    name = {"started": "started_at", "paid": "paid_at", "updated": "updated_at"}
    field = name[sorting.removeprefix("-")]
    found = [
        attempt
        for attempt in gateway.attempts(*GROUP)
        if status in (ALL, attempt.status) and start <= own_time(attempt) <= end
    ]
    found.sort(key=lambda attempt: (getattr(attempt, field), attempt.number))
    return found[::-1] if sorting.startswith("-") else found


def a_page_from(first: int, total: int) -> tuple[int, int]:
    return first, min(700, total)


def listed(gateway: Gateway, status: str, start: int, end: int, sorting: str) -> list[Attempt]:
    total, found = gateway.listed(
        GROUP, status, start, end, sorting=sorting, place=lambda total: (0, total)
    )
    assert total == len(found)
    return found


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.none() | st.integers(0, len(STEPS) - 1), st.integers(0, 9)),
        max_size=40,
    ),
    st.integers(-1, 20),
    st.integers(0, 40),
    st.sampled_from(SORTINGS),
)
def test_a_list_is_what_a_walk_over_all_finds(
    steps: list[tuple[int, int | None, int]], start: int, length: int, sorting: str
) -> None:
    now = NOON
    gateway = Gateway(clock=lambda: now)
    made: list[str] = []
    for later, step, which in steps:
        now += later
        if step is None:
            tier = "ABC" if which == 9 else None
            number = f"ORD-{which}-{len(made) % 3}"
            try:
                made.append(gateway.open({"merchant_uid": number, "amount": 9}, tier=tier).imp_uid)
            except Refused:
                assert any(a.paid_at for a in gateway.attempts_of(("sandbox_key", tier), number))
        elif made:
            with suppress(Refused):
                STEPS[step](gateway, made[which % len(made)])
    for status in (*STATUSES, ALL, "pending"):
        window = (NOON + start, NOON + start + length)
        assert listed(gateway, status, *window, sorting) == by_hand(
            gateway, status, *window, sorting
        )
    for number in {attempt.merchant_uid for attempt in gateway.attempts(*GROUP)}:
        mine = [a for a in gateway.attempts(*GROUP) if a.merchant_uid == number]
        assert gateway.attempts_of(GROUP, number) == mine


@pytest.mark.parametrize("sorting", SORTINGS)
def test_more_than_a_block_of_them_is_paged_whole(sorting: str) -> None:
    now = NOON
    gateway = Gateway(clock=lambda: now)
    held = 2 * BLOCK + 50
    for number in range(held):
        now = NOON + number * 7919 % held  # in no order of time
        gateway.open({"merchant_uid": f"ORD-{number}", "amount": 1})
    for attempt in gateway.attempts()[::3]:
        gateway.approve(attempt.imp_uid)
    everything = by_hand(gateway, ALL, 0, NOON + held, sorting)
    found: list[Attempt] = []
    for first in range(0, held, 700):
        found += gateway.listed(
            GROUP, ALL, 0, NOON + held, sorting=sorting, place=partial(a_page_from, first)
        )[1]
    assert found == everything
    for attempt in gateway.attempts()[1::2]:
        gateway.edit(attempt.imp_uid, status="ready", started_at=1)
    for status in (ALL, "ready", "paid"):
        window = (0, NOON + held)
        assert listed(gateway, status, *window, sorting) == by_hand(
            gateway, status, *window, sorting
        )


def test_pages_of_a_status_go_to_the_end_and_no_further(server: SandboxServer, rest: Rest) -> None:
    for number in range(5):
        server.sandbox.clock.advance(10)
        paid(server, f"ORD-{number}")
    opened(server, "ORD-OPEN")
    second = rest.get("/payments/status/paid?limit=2&page=2&sorting=paid").response
    assert [p["merchant_uid"] for p in second["list"]] == ["ORD-2", "ORD-3"]
    assert (second["total"], second["previous"], second["next"]) == (5, 1, 3)
    last = rest.get("/payments/status/paid?limit=2&page=3").response
    assert ([p["merchant_uid"] for p in last["list"]], last["next"]) == (["ORD-0"], 0)
    assert rest.get("/payments/status/paid?limit=2&page=4").status == 400
    assert rest.get("/payments/status/failed").response["list"] == []
    for query in ("limit=1001", "limit=0", "page=0", "page=x", "sorting=amount", "from=x"):
        assert rest.get("/payments/status/paid?" + query).status == 400


def test_a_window_is_ninety_days_at_most_and_those_that_end_now_where_none_is_given(
    server: SandboxServer, rest: Rest
) -> None:
    paid(server, "OLD")
    server.sandbox.clock.advance(LONGEST_WINDOW + 1)
    rest.log_in()  # the token ran out
    paid(server, "NEW")
    now = NOON + LONGEST_WINDOW + 1
    numbers = [p["merchant_uid"] for p in rest.get("/payments/status/all").response["list"]]
    assert numbers == ["NEW"]
    whole = f"/payments/status/all?from={NOON}&to={now - 1}"
    assert rest.get(whole).response["total"] == 1
    assert rest.get(f"/payments/status/all?from={NOON}&to={now}").status == 400


def test_many_are_told_each_once_in_the_order_of_their_opening(
    server: SandboxServer, rest: Rest
) -> None:
    one, two = paid(server), opened(server, "ORD-1002")
    query = f"imp_uid[]={two.imp_uid}&imp_uid[]={one.imp_uid}&merchant_uid[]=ORD-1001"
    reply = rest.get("/payments?" + query)
    assert (reply.status, [p["imp_uid"] for p in reply.response]) == (
        200,
        [one.imp_uid, two.imp_uid],
    )
