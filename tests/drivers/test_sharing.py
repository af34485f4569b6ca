"""What calls share: a token, and so many look-ups at once; across threads, loops and forks."""

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref
from contextlib import suppress
from typing import Any

import pytest

from imp_verify import Credentials, GatewayError, GatewayUnavailable, Outcome, Verdict
from imp_verify._loops import Loops
from imp_verify.transports import GatewayRequest, GatewayResponse
from tests.drivers.driving import I1, Driver, Gate, outcomes
from tests.drivers.wire import ORDER

COLD = 64


def prepare(driver: Driver, count: int = COLD) -> list[str]:
    """Let the gateway know so many payments, all of one order."""
    return [driver.gateway.make(ORDER, 39000).imp_uid for _ in range(count)]


def begin_all(driver: Driver, verifier: Any, names: list[str]) -> list[Any]:
    return [driver.begin(verifier, "verify", name, ORDER) for name in names]


def test_t07_sixty_four_cold_calls_ask_for_one_token(driver: Driver) -> None:
    names, gate = prepare(driver), Gate()
    driver.stage.do = lambda name: gate if name == "token" else None
    futures = begin_all(driver, driver.verifier(timeout=30), names)
    gate.reached()
    gate.open()
    assert all(outcome.paid for outcome in outcomes(futures))
    assert driver.gateway.tokens == 1
    assert sorted(driver.gateway.lookups) == sorted(names)


@pytest.mark.parametrize("ends", ["fails", "is interrupted"])
def test_t07_a_first_call_that_does_not_bring_the_token_poisons_no_other(
    driver: Driver, ends: str
) -> None:
    names, gate = prepare(driver), Gate()
    error = GatewayUnavailable("no") if ends == "fails" else KeyboardInterrupt()
    asked: list[str] = []

    def do(name: str) -> object:
        if name != "token":
            return None
        asked.append(name)
        if len(asked) > 1:
            return None
        if driver.is_async:
            return gate
        gate.wait()
        raise error

    driver.stage.do = do
    verifier = driver.verifier(timeout=30)
    (leader,) = begin_all(driver, verifier, names[:1])
    gate.reached()
    futures = begin_all(driver, verifier, names[1:])
    if driver.is_async:
        assert leader.cancel()
    gate.open()
    assert all(outcome.paid for outcome in outcomes(futures))
    assert len(asked) == 2
    assert driver.gateway.tokens == 1


def test_a_token_that_does_not_come_in_time_is_given_up_by_those_who_wait(driver: Driver) -> None:
    gate = Gate()
    driver.stage.do = lambda name: gate if name == "token" else None
    patient, hasty = driver.verifier(timeout=30), driver.verifier(timeout=0.05)
    hasty._accounts = patient._accounts  # one account, one lock
    for name in ("_locks", "_loops"):
        if hasattr(patient, name):
            setattr(hasty, name, getattr(patient, name))
    leader = driver.begin(patient, "verify", I1, ORDER)
    gate.reached()
    with pytest.raises(GatewayUnavailable, match="token in time"):
        driver.verify(hasty, I1)
    gate.open()
    assert leader.result(30).paid


def test_no_more_look_ups_run_at_once_than_allowed(driver: Driver) -> None:
    names, gate = prepare(driver, 12), Gate()
    verifier = driver.verifier(max_lookups=3, timeout=30)
    driver.verify(verifier, I1)
    running, peak, lock = [0], [0], threading.Lock()

    def do(name: str) -> object:
        if name == "lookup":
            with lock:
                running[0] += 1
                peak[0] = max(peak[0], running[0])
            return gate
        if name == "expected":
            with lock:
                running[0] -= 1
        return None

    driver.stage.do = do
    futures = begin_all(driver, verifier, names)
    gate.reached(3)
    assert running == [3]
    gate.open()
    assert all(outcome.paid for outcome in outcomes(futures))
    assert peak[0] >= 3


def test_calls_that_find_no_slot_end_in_their_own_time(driver: Driver) -> None:
    names, gate = prepare(driver, 6), Gate()
    verifier = driver.verifier(max_lookups=2, timeout=0.2)
    driver.verify(verifier, I1)
    driver.stage.do = lambda name: gate if name == "lookup" else None
    futures = begin_all(driver, verifier, names)
    gate.reached(2)
    done: list[Any] = []
    ended = threading.Semaphore(0)

    def note(future: Any) -> None:
        done.append(future)
        ended.release()

    for future in futures:
        future.add_done_callback(note)
    assert all(ended.acquire(timeout=30) for _ in range(4))
    for each in outcomes(done):
        assert isinstance(each, GatewayUnavailable)
        assert "too many" in str(each)
    gate.open()
    rest = [future for future in futures if future not in done]
    assert all(outcome.paid for outcome in outcomes(rest))
    assert driver.stage.names.count("lookup") == 3


def test_t06_refused_credentials_are_asked_with_once_by_a_hundred_calls(driver: Driver) -> None:
    verifier = driver.verifier(credentials=Credentials("key-1", "another-secret"))
    found = outcomes(begin_all(driver, verifier, prepare(driver, 100)))
    assert all(isinstance(each, GatewayError) for each in found)
    assert [call.what["status"] for call in driver.gateway.calls] == [401]
    assert "settle" not in driver.stage.names


# Event loops


def test_one_verifier_serves_several_event_loops_at_once(asynchronous: Driver) -> None:
    names = prepare(asynchronous, 40)
    verifier = asynchronous.verifier(max_lookups=1, timeout=30)
    gate, found = threading.Barrier(4), []

    async def work(mine: list[str]) -> list[Outcome]:
        return list(await asyncio.gather(*(verifier.verify(name, ORDER) for name in mine)))

    def run(mine: list[str]) -> None:
        gate.wait(30)
        found.extend(asyncio.run(work(mine)))

    threads = [threading.Thread(target=run, args=(names[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [outcome.verdict for outcome in found] == [Verdict.PAID] * 40
    assert asynchronous.gateway.tokens == 1


def test_the_loops_of_a_process_share_its_slots(asynchronous: Driver) -> None:
    names = prepare(asynchronous, 12)
    running, most, lock = 0, 0, threading.Lock()

    async def counting(request: GatewayRequest) -> GatewayResponse:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        await asyncio.sleep(0)
        answer = asynchronous.gateway.transport(request)
        with lock:
            running -= 1
        return answer

    verifier = asynchronous.verifier(max_lookups=1, timeout=30, transport=counting)
    found: list[Outcome] = []

    def run(name: str) -> None:
        found.append(asyncio.run(verifier.verify(name, ORDER)))

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [outcome.paid for outcome in found] == [True] * 12
    assert most == 1


def test_a_place_that_was_granted_to_a_cancelled_task_goes_on_to_the_next() -> None:
    async def work() -> None:
        loops = Loops(1)

        async def take() -> None:
            async with loops.slot(time.monotonic() + 30):
                pass

        async with loops.slot(time.monotonic() + 30):
            first, second = asyncio.create_task(take()), asyncio.create_task(take())
            await asyncio.sleep(0)  # both wait
        first.cancel()  # it has the place by now, and has not woken up
        with suppress(asyncio.CancelledError):
            await first
        await second
        async with loops.slot(time.monotonic()):
            pass

    asyncio.run(work())


def test_a_loop_that_has_ended_keeps_no_place_and_is_not_kept() -> None:
    loops = Loops(1)

    async def take() -> None:
        async with loops.slot(time.monotonic() + 30):
            pass

    async def work() -> weakref.ref[asyncio.AbstractEventLoop]:
        ended = asyncio.new_event_loop()
        async with loops.slot(time.monotonic() + 30):
            waiting = ended.create_task(take())
            await asyncio.to_thread(ended.run_until_complete, asyncio.wait({waiting}, timeout=0))
            ended.close()
        await take()
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # ended on purpose
        return weakref.ref(ended)

    kept = asyncio.run(work())
    gc.collect()
    assert kept() is None


def test_who_comes_while_a_lock_is_handed_over_waits_no_longer_than_its_time() -> None:
    async def work() -> None:
        loops, held = Loops(1), asyncio.Event()

        async def hold() -> None:
            async with loops.alone("key", time.monotonic() + 30):
                _ = await held.wait()

        async with loops.alone("key", time.monotonic() + 30):
            other = asyncio.create_task(hold())
            await asyncio.sleep(0)  # it queues for the lock
        # Given back, but the other one has not woken up: the lock is neither free nor locked.
        with pytest.raises(GatewayUnavailable):
            async with asyncio.timeout(10), loops.alone("key", time.monotonic() + 0.02):
                raise AssertionError("it was never free")
        held.set()
        await other

    asyncio.run(work())


# Forks


def _fork_while_busy(kind: str) -> None:
    """Fork while another thread holds the only slot and the token's lock."""
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    driver, parent, gate = Driver(kind), os.getpid(), Gate()
    warm, busy = driver.verifier(), driver.verifier(max_lookups=1)
    assert driver.verify(warm, I1).paid
    driver.stage.do = lambda name: gate if name == "token" and os.getpid() == parent else None
    future = driver.begin(busy, "verify", I1, ORDER)
    gate.reached()
    child = os.fork()
    if child == 0:
        os._exit(_in_child(driver, warm, busy))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.open()
    assert future.result(30).paid
    assert driver.verify(warm, I1).paid
    assert driver.gateway.tokens == 2
    driver.close()


def _in_child(driver: Driver, warm: Any, busy: Any) -> int:
    mine = Driver("async" if driver.is_async else "sync")
    for count, verifier in enumerate((warm, busy), start=2):
        if not mine.verify(verifier, I1).paid or driver.gateway.tokens != count:
            return count
    return 0


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_forked_child_has_its_own_token_locks_and_slots(kind: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_fork_while_busy, args=(kind,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_a_plain_shop_pays_for_no_asyncio() -> None:
    code = (
        "import sys; from imp_verify import Verifier, Credentials;"
        "from imp_verify.stores.sqlite import SqliteStore;"
        "Verifier(SqliteStore('x', expected=lambda o, db: 1), credentials=Credentials('k', 's'));"
        "print('asyncio' in sys.modules)"
    )
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=quiet, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
