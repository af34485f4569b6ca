"""confirm answers in time whatever the shop's hold does, and what came too late is not kept."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from imp_verify import Credentials, ExpectedPayment, Request, Response, StoreError, Verifier
from imp_verify.stores import in_thread
from imp_verify.stores._bridge import as_async
from imp_verify.stores._open import holding
from imp_verify.stores.memory import MemoryStore
from imp_verify.stores.sqlite import SqliteStore
from tests.drivers.driving import I1, Driver, Gate, Gateway
from tests.drivers.wire import CREDENTIALS, ORDER

BODY = f'{{"imp_uid":"{I1}","merchant_uid":"{ORDER}","amount":39000}}'.encode()
REQUEST = Request("POST", body=BODY)


@pytest.fixture
def late() -> Iterator[None]:
    """Wait for what still runs when its answer has long been given."""
    yield
    for thread in threading.enumerate():
        if thread.name == "imp_verify-within":
            thread.join(30)


def serve(driver: Driver, verifier: object) -> Response:
    answer: Response = driver.call(verifier, "serve", "confirm", REQUEST)
    return answer


@pytest.mark.usefixtures("late")
def test_k02_a_hold_that_hangs_is_answered_503_in_time(driver: Driver) -> None:
    gate = Gate()
    driver.stage.do = lambda name: gate if name == "hold" else None
    verifier = driver.verifier(max_lookups=1, confirm_timeout=1.0)
    answer = serve(driver, verifier)
    assert answer.status == 503
    assert b'"status":"unavailable"' in answer.body
    assert b'"reason"' in answer.body
    gate.open()
    driver.stage.do = lambda name: None
    assert driver.verify(verifier, I1).paid


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("effect", ["token", "lookup", "expected"])
def test_whatever_hangs_the_answer_is_in_time(driver: Driver, effect: str) -> None:
    gate = Gate()
    driver.stage.do = lambda name: gate if name == effect else None
    assert serve(driver, driver.verifier(timeout=30, confirm_timeout=0.1)).status == 503
    gate.open()


@pytest.mark.usefixtures("late")
def test_what_a_late_hold_did_is_rolled_back(driver: Driver, tmp_path: Path) -> None:
    gate, done = Gate(), threading.Event()

    def hold(expected: ExpectedPayment, imp_uid: str, db: object) -> None:
        db.execute("CREATE TABLE held (imp_uid)")  # type: ignore[attr-defined]
        gate.wait()
        done.set()

    store = SqliteStore(tmp_path / "shop.db", expected=lambda order, db: 39000, hold=hold)
    assert serve(driver, driver.verifier(store, confirm_timeout=2.0)).status == 503
    gate.open()
    assert done.wait(30)
    with store._connections.borrow() as db:
        db.execute("BEGIN IMMEDIATE")  # waits until the late one has ended
        names = db.execute("SELECT name FROM sqlite_master WHERE name = 'held'").fetchall()
    assert names == []
    store.close()


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("effect", ["lookup", "hold"])
def test_d28_the_answer_leaves_in_the_time_that_the_shop_set(driver: Driver, effect: str) -> None:
    gate = Gate()
    driver.stage.do = lambda name: gate if name == effect else None
    began = time.monotonic()
    assert serve(driver, driver.verifier(timeout=30, confirm_timeout=0.5)).status == 503
    assert time.monotonic() - began < 3.0  # what a default of four would not do
    gate.open()


def test_an_approval_and_a_refusal_come_with_their_words(driver: Driver) -> None:
    assert serve(driver, driver.verifier()).status == 200
    store = MemoryStore(
        expected=lambda order, transaction: 39000, hold=lambda expected, uid, _: "sold out"
    )
    verifier = driver.verifier(store, test_mode=True)
    answer = serve(driver, verifier)
    assert answer.status == 409
    assert b'"reason":"sold out"' in answer.body
    assert driver.call(verifier, "confirm", I1, ORDER, 39000) == "sold out"
    assert driver.call(driver.verifier(), "confirm", I1, ORDER, "39000") is None


caller: ContextVar[str] = ContextVar("caller", default="nobody")


def test_a_hold_sees_the_callers_context(driver: Driver) -> None:
    seen: list[str] = []

    def do(name: str) -> None:
        if name == "hold":
            seen.append(caller.get())

    driver.stage.do = do
    verifier = driver.verifier()

    class InContext:
        def serve(self, *arguments: object) -> object:
            token = caller.set("a request")
            try:
                return verifier.serve(*arguments)
            finally:
                caller.reset(token)

    class InTask:
        async def serve(self, *arguments: object) -> object:
            caller.set("a request")
            return await verifier.serve(*arguments)

    answer = driver.call(InTask() if driver.is_async else InContext(), "serve", "confirm", REQUEST)
    assert answer.status == 200
    assert seen == ["a request"]


def test_what_ends_the_process_is_not_swallowed_by_the_confirm_thread(driver: Driver) -> None:
    if driver.is_async:
        return  # there it ends the loop, which is not ours to try

    def do(name: str) -> None:
        if name == "hold":
            raise SystemExit(3)

    driver.stage.do = do
    with pytest.raises(SystemExit):
        serve(driver, driver.verifier())


def test_other_methods_of_confirm_start_no_thread(driver: Driver) -> None:
    verifier = driver.verifier()
    for method, status in (("GET", 405), ("OPTIONS", 204)):
        for began in (None, time.monotonic() - 60):  # its body may have come slowly
            answer = driver.call(verifier, "serve", "confirm", Request(method, began=began))
            assert answer.status == status
    assert driver.stage.names == []


def test_a_shop_is_not_asked_once_it_is_too_late_to_begin() -> None:
    asked: list[str] = []
    store = MemoryStore(
        expected=lambda order, _: 39000,
        hold=lambda expected, imp_uid, _: asked.append(imp_uid),
    )
    now = time.monotonic()
    with holding(now + 60, begin_by=now - 1), pytest.raises(StoreError, match="busy"):
        store.hold(ExpectedPayment(ORDER, 39000), I1)
    assert asked == []


def test_the_limits_of_a_hold_reach_any_thread_it_is_run_in() -> None:
    """A hop that an event loop's executor makes copies no context of its own."""
    store = MemoryStore(expected=lambda order, _: 39000, hold=lambda *_: None)

    async def work() -> None:
        async def hop(function: Any, *arguments: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

        with holding(time.monotonic() - 1), pytest.raises(StoreError, match="too long"):
            _ = await in_thread(store, hop).hold(ExpectedPayment(ORDER, 39000), I1)

    asyncio.run(work())


def test_no_thread_for_a_confirm_is_trouble_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    verifier = Verifier(
        MemoryStore(expected=lambda order, _: 39000),
        credentials=Credentials("key", "secret"),
        test_mode=True,
        transport=cast(Any, lambda request: None),
    )
    monkeypatch.setattr(threading.Thread, "start", refuse)
    answer = verifier.serve("confirm", Request("POST", body=BODY))
    assert answer.status == 503
    assert b'"reason"' in answer.body


class Threaded(MemoryStore):
    """A store that sees to the threads that are made for it."""

    def __init__(self, around: Any) -> None:
        super().__init__(expected=lambda order, _: 39000, hold=self._hold)
        self.own_thread = lambda: around
        self.threads: list[str] = []

    def _hold(self, *_: object) -> None:
        self.threads.append(threading.current_thread().name)


@pytest.mark.parametrize("tied", [False, True])
def test_a_store_says_what_is_around_the_thread_made_for_it_or_that_there_may_be_none(
    tied: bool,
) -> None:
    seen: list[str] = []

    @contextmanager
    def around() -> Iterator[None]:
        yield
        seen.append(threading.current_thread().name)

    store = Threaded(None if tied else around())
    verifier = Verifier(
        store, credentials=CREDENTIALS, test_mode=True, transport=Gateway().transport
    )
    assert verifier.serve("confirm", REQUEST).status == 200
    here = threading.current_thread().name
    assert store.threads == [here if tied else "imp_verify-within"]
    assert seen == ([] if tied else ["imp_verify-within"])


@pytest.mark.usefixtures("late")
def test_in_the_callers_thread_what_comes_too_late_is_still_503() -> None:
    store = Threaded(None)
    verifier = Verifier(
        store, credentials=CREDENTIALS, test_mode=True, transport=Gateway().transport
    )
    late = replace(REQUEST, began=time.monotonic() - 5)
    assert verifier.serve("confirm", late).status == 503


def test_a_store_brings_its_own_way_into_a_thread() -> None:
    hops: list[str] = []

    class Hopping(MemoryStore):
        blocks = True

        @staticmethod
        async def hop(function: Any, *arguments: Any) -> Any:
            hops.append("hop")
            return function(*arguments)

    store = Hopping(expected=lambda order, _: 39000)
    assert asyncio.run(in_thread(store).expected(ORDER)) == 39000
    assert asyncio.run(as_async(store).expected(ORDER)) == 39000
    assert hops == ["hop", "hop"]
