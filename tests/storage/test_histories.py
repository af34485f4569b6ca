"""Whatever happens at the gateway, in the shop and on the way between them: once all is well again,
`reconcile` makes the store say what the gateway says, each hook was called once, what pays nothing
was given back or waits for a person, and nothing was given back twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.storage.histories import histories_of
from tests.storage.history_shops import Factory, memory_shop, sqlalchemy_shop, sqlite_shop
from tests.storage.sqlalchemy_shops import Variant, cleared
from tests.support.databases import MYSQL_DRIVER

ALL = os.environ.get("IMP_VERIFY_ALL_STEPS") == "1"
STORES: dict[str, Factory] = {"memory": memory_shop, "sqlite": sqlite_shop}


def try_histories(make: Factory, number: int) -> None:
    run_state_machine_as_test(
        histories_of(make), settings=settings(max_examples=number, stateful_step_count=30)
    )


@pytest.mark.parametrize("name", STORES)
def test_in_the_end_the_store_says_what_the_gateway_says(name: str) -> None:
    try_histories(STORES[name], 2000 if ALL else 200)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "driver"), [("postgresql", "psycopg"), ("mysql", MYSQL_DRIVER)])
def test_in_the_end_a_store_on_a_server_says_what_the_gateway_says(
    kind: str, driver: str, place: Callable[[str], Any]
) -> None:
    here = place(kind)
    cleared(here)
    try_histories(partial(sqlalchemy_shop, here, Variant(driver)), 200 if ALL else 20)
