"""The databases of the stores' tests: one of each kind for each test process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Address, own_database

pytest.register_assert_rewrite("tests.storage.hook_contract")

MakePlace = Callable[[str], Any]


@pytest.fixture(scope="session")
def databases() -> Iterator[Callable[[str], Address]]:
    """Give this process's database of a kind, made when it is first asked for."""
    made: dict[str, Address] = {}
    with ExitStack() as stack:

        def database(kind: str) -> Address:
            if kind not in made:
                made[kind] = stack.enter_context(own_database(kind))
            return made[kind]

        yield database


@pytest.fixture
def place(databases: Callable[[str], Address], tmp_path: Path) -> MakePlace:
    """Give the database of a kind, for SQLite a file of this test's own."""

    def place(kind: str) -> Address | Path:
        return tmp_path / "shop.db" if kind == "sqlite" else databases(kind)

    return place
