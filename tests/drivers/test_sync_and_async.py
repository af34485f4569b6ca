"""Plain and async do not mix unseen: the wrong kind is refused at construction."""

import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from imp_verify import (
    AsyncOrderStore,
    AsyncVerifier,
    ConfigurationError,
    InvalidRequest,
    OrderStore,
    Outcome,
    Verdict,
    Verifier,
)
from imp_verify.stores import in_thread
from imp_verify.stores._bridge import as_async
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from tests.drivers.driving import (
    I1,
    AsyncStagedTransport,
    AsyncStore,
    Driver,
    Gateway,
    PlainStore,
    Stage,
    StagedTransport,
)
from tests.drivers.wire import CREDENTIALS, ORDER

PLAIN, ASYNC = PlainStore(Stage()), AsyncStore(Stage())


def make(kind: Any, store: object, **arguments: Any) -> Any:
    return kind(store, credentials=CREDENTIALS, **arguments)


class MixedStore(PlainStore):
    async def settle(self, outcome: Outcome) -> Any:  # type: ignore[override]
        raise NotImplementedError


class OtherMixedStore(AsyncStore):
    def hold(self, expected: object, imp_uid: str) -> Any:
        raise NotImplementedError


class Lacking:
    def expected(self, merchant_uid: str) -> int:
        return 1

    settle = observe = expected
    receipts = 7


class Unwritten(OrderStore):
    """Every payment would be of an order that is not there."""


class UnwrittenLater(AsyncOrderStore):
    async def expected(self, merchant_uid: str) -> int:
        raise NotImplementedError


UNWRITTEN: Any = Unwritten
UNWRITTEN_LATER: Any = UnwrittenLater
"""As a shop without a type checker makes them."""


def test_a_plain_verifier_refuses_an_async_store() -> None:
    for store in (ASYNC, in_thread(PLAIN)):
        with pytest.raises(ConfigurationError, match="AsyncVerifier"):
            make(Verifier, store)


@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
@pytest.mark.parametrize(
    ("store", "words"),
    [
        (MixedStore(Stage()), "mixes"),
        (OtherMixedStore(Stage()), "mixes"),
        (Lacking(), "receipts, hold"),
        (None, "expected, settle"),
        (UNWRITTEN(), r"\(Unwritten\) lacks expected, settle"),
        (UNWRITTEN_LATER(), r"\(UnwrittenLater\) lacks settle"),
        ("shop.db", "subclass OrderStore"),
    ],
)
def test_a_store_that_mixes_or_lacks_methods_is_refused(
    kind: Any, store: object, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make(kind, store)


def test_a_transport_of_the_other_colour_is_refused() -> None:
    plain, later = Gateway().transport, Gateway().async_transport

    async def function(request: object) -> None:
        raise NotImplementedError

    for transport in (later, function, partial(function)):
        with pytest.raises(ConfigurationError, match="transport"):
            make(Verifier, PLAIN, transport=transport)
    with pytest.raises(ConfigurationError, match="transport"):
        make(AsyncVerifier, ASYNC, transport=plain)


class Caller:
    async def __call__(self, *arguments: object) -> None:
        raise NotImplementedError


async def later(*arguments: object) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("function", [later, partial(later, 1), Caller(), partial(partial(later))])
@pytest.mark.parametrize("name", ["expected", "hold", "on_paid", "on_review"])
def test_a_coroutine_given_to_a_plain_ready_made_store_is_refused(
    tmp_path: Path, name: str, function: Callable[..., object]
) -> None:
    functions: dict[str, Any] = {"expected": lambda order, transaction: 1, name: function}
    for made in (partial(MemoryStore), partial(SqliteStore, tmp_path / "shop.db")):
        with pytest.raises(ConfigurationError, match=f"{name} must be a plain function"):
            made(**functions)


@pytest.mark.parametrize("name", ["on_payed", "on_unknown_order", "on"])
def test_a_hook_of_an_unknown_name_is_refused(name: str) -> None:
    functions: dict[str, Any] = {"expected": lambda order, transaction: 1, name: print}
    with pytest.raises(ConfigurationError, match=rf"{name}; there are on_paid"):
        MemoryStore(**functions)


def test_in_thread_takes_plain_stores_only() -> None:
    for store in (ASYNC, in_thread(PLAIN)):
        with pytest.raises(ConfigurationError, match="async already"):
            in_thread(store)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="lacks"):
        in_thread(None)  # type: ignore[arg-type]


def test_a_store_by_hand_is_a_protocol_with_defaults() -> None:
    class Least(OrderStore):
        def expected(self, merchant_uid: str) -> int:
            return 39000

        def settle(self, outcome: Outcome) -> Any:
            raise NotImplementedError

    class AsyncLeast(AsyncOrderStore):
        async def expected(self, merchant_uid: str) -> int:
            return 39000

        async def settle(self, outcome: Outcome) -> Any:
            raise NotImplementedError

    assert make(Verifier, Least()) is not None
    assert make(AsyncVerifier, Least()) is not None
    assert make(AsyncVerifier, AsyncLeast()) is not None
    assert as_async(AsyncLeast()) is not None


def memory() -> MemoryStore:
    return MemoryStore(expected=lambda order, transaction: 39000)


@pytest.mark.parametrize(
    ("kind", "store"),
    [
        (Verifier, memory()),
        (AsyncVerifier, memory()),
        (AsyncVerifier, in_thread(memory())),
        (AsyncVerifier, as_async(memory())),
    ],
)
def test_a_store_in_memory_warns_but_in_test_mode(kind: Any, store: object) -> None:
    with pytest.warns(RuntimeWarning, match="forgets what was paid") as caught:
        kind(store, credentials=CREDENTIALS)
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(kind, store, test_mode=True)


def test_a_store_in_memory_runs_on_the_loop_and_any_other_plain_store_in_a_thread(
    asynchronous: Driver,
) -> None:
    seen: list[str] = []

    def expected(merchant_uid: str, transaction: object) -> int:
        seen.append(threading.current_thread().name)
        return 39000

    store = MemoryStore(expected=expected)
    assert asynchronous.verify(asynchronous.verifier(store, test_mode=True), I1).paid
    assert set(seen) == {asynchronous._thread.name}
    asynchronous.stage.do = lambda name: seen.append(threading.current_thread().name)
    plain = asynchronous.verifier(PlainStore(asynchronous.stage))
    seen.clear()
    assert asynchronous.verify(plain, I1).verdict is Verdict.PAID
    hops = [name for name in seen if name != asynchronous._thread.name]
    assert len(hops) == 2  # expected and settle


def test_closing_is_optional_and_repeatable(driver: Driver) -> None:
    verifier = driver.verifier()
    driver.call(verifier, "close")
    assert driver.verify(verifier, I1).paid
    driver.call(verifier, "close")
    driver.call(verifier, "close")
    assert driver.verify(verifier, I1).paid
    unused = driver.verifier(transport=None)
    driver.call(unused, "close")
    driver.call(unused, "close")


class CountingTransport(StagedTransport):
    def __len__(self) -> int:
        return len(self.gateway.lookups)


class AsyncCountingTransport(AsyncStagedTransport):
    def __len__(self) -> int:
        return len(self.gateway.lookups)


def test_a_transport_that_has_a_length_of_none_is_asked_all_the_same(driver: Driver) -> None:
    kind = AsyncCountingTransport if driver.is_async else CountingTransport
    transport = kind(driver.stage, driver.gateway)
    assert not transport
    assert driver.verify(driver.verifier(transport=transport), I1).paid
    assert len(transport) == 1


def test_a_payment_can_be_looked_up_alone_and_odd_arguments_ask_nobody(driver: Driver) -> None:
    verifier = driver.verifier()
    assert driver.call(verifier, "payment", I1).amount == 39000
    assert driver.call(verifier, "payment", "imp_nobody") is None
    names = list(driver.stage.names)
    for method, arguments in (
        ("payment", ("a b",)),
        ("verify", ("", ORDER)),
        ("verify", (None, ORDER)),
        ("verify", (I1, "")),
        ("verify", (I1, "ORD\n1")),
        ("confirm", (I1, ORDER, 39000.0)),
        ("confirm", (I1, ORDER, None)),
        ("confirm", (I1, None, 39000)),
    ):
        with pytest.raises(InvalidRequest):
            driver.call(verifier, method, *arguments)
    assert driver.stage.names == names
