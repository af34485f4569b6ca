"""What is raised or cancelled in any effect leaves verifier, lock and slots as they were."""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError

import pytest

from imp_verify import GatewayUnavailable, Request, Settled, Verdict
from imp_verify.stores import in_thread
from tests.drivers.driving import I1, Driver, Gate, PlainStore
from tests.drivers.wire import ORDER

PAID = ["token", "lookup", "expected", "settle"]
EFFECTS: dict[str, tuple[Callable[[Driver], object], list[str]]] = {
    "paid": (lambda driver: None, PAID),
    "forged": (
        lambda driver: driver.gateway.edit(I1, amount=1),
        ["token", "lookup", "expected", "receipts", "observe"],
    ),
    "refunded in part": (
        lambda driver: driver.gateway.cancel(I1, 1),
        [*PAID, "observe"],
    ),
}
CASES = [(case, effect) for case, (_, names) in EFFECTS.items() for effect in names]


def once(name: str, act: Callable[[], object]) -> Callable[[str], object]:
    """Act the first time that an effect comes, and never again."""
    left = [name]

    def do(at: str) -> object:
        if at in left:
            left.remove(at)
            return act()
        return None

    return do


def throwing(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


@pytest.mark.parametrize("case", EFFECTS)
def test_effects_come_in_their_order(driver: Driver, case: str) -> None:
    prepare, names = EFFECTS[case]
    prepare(driver)
    driver.verify(driver.verifier(), I1)
    assert driver.stage.names == names


@pytest.mark.parametrize(("case", "effect"), CASES)
def test_what_any_effect_raises_comes_out_as_it_is_and_the_next_call_works(
    driver: Driver, case: str, effect: str
) -> None:
    EFFECTS[case][0](driver)
    verifier = driver.verifier(max_lookups=1, timeout=5.0)
    trouble = LookupError("the shop's own")
    driver.stage.do = once(effect, throwing(trouble))
    with pytest.raises(LookupError) as caught:
        driver.verify(verifier, I1)
    assert caught.value is trouble
    assert driver.verify(verifier, I1).verdict is not Verdict.UNKNOWN_PAYMENT


@pytest.mark.parametrize(("case", "effect"), [*CASES, ("paid", "hold")])
def test_a_call_interrupted_in_any_effect_gives_lock_and_slot_back(
    driver: Driver, case: str, effect: str
) -> None:
    EFFECTS[case][0](driver)
    verifier = driver.verifier(max_lookups=1, timeout=5.0)
    wanted = ("confirm", I1, ORDER, 39000) if effect == "hold" else ("verify", I1, ORDER)
    gate = Gate()
    if driver.is_async:
        driver.stage.do = once(effect, lambda: gate)
        future = driver.begin(verifier, *wanted)
        gate.reached()
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result(5)
    else:
        driver.stage.do = once(effect, throwing(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            driver.call(verifier, *wanted)
    driver.call(verifier, *wanted)
    assert driver.gateway.tokens <= 2
    gate.open()


@pytest.mark.parametrize("effect", ["expected", "receipts", "observe", "settle", "hold"])
def test_a_stop_iteration_of_a_store_is_a_runtime_error(driver: Driver, effect: str) -> None:
    _stop(driver, driver.verifier(), effect)


@pytest.mark.parametrize("effect", ["expected", "receipts", "observe", "settle", "hold"])
@pytest.mark.parametrize("bridge", [in_thread, lambda store: store])
def test_a_stop_iteration_out_of_a_thread_hangs_nothing(
    asynchronous: Driver, effect: str, bridge: Callable[[PlainStore], object]
) -> None:
    store = bridge(PlainStore(asynchronous.stage))
    _stop(asynchronous, asynchronous.verifier(store), effect)


def _stop(driver: Driver, verifier: object, effect: str) -> None:
    if effect in ("receipts", "observe"):
        EFFECTS["forged"][0](driver)
    driver.stage.do = once(effect, throwing(StopIteration("the shop's")))
    wanted = ("confirm", I1, ORDER, 39000) if effect == "hold" else ("verify", I1, ORDER)
    with pytest.raises(RuntimeError):
        driver.call(verifier, *wanted)
    driver.call(verifier, *wanted)


def test_serve_turns_whatever_is_raised_into_503(driver: Driver) -> None:
    verifier = driver.verifier()
    request = Request("POST", body=f"imp_uid={I1}&merchant_uid={ORDER}".encode())
    for error in (StopIteration(), ValueError(), GatewayUnavailable("late"), RecursionError()):
        driver.stage.do = once("settle", throwing(error))
        answer = driver.call(verifier, "serve", "webhook", request)
        assert answer.status == 503
    assert driver.call(verifier, "serve", "webhook", request).status == 200


def test_r06_a_look_up_that_fails_writes_nothing(driver: Driver) -> None:
    verifier = driver.verifier()
    driver.verify(verifier, I1)
    driver.stage.names.clear()
    driver.stage.do = once("lookup", throwing(GatewayUnavailable("late")))
    with pytest.raises(GatewayUnavailable):
        driver.verify(verifier, I1)
    assert driver.stage.names == ["lookup"]


def test_stale_again_and_again_ends(driver: Driver) -> None:
    driver.stage.settles = Settled.STALE
    with pytest.raises(Exception, match="stale"):
        driver.verify(driver.verifier(), I1)
    assert driver.stage.names.count("settle") == 4


def test_a_cancelled_thread_hop_still_records_and_answers_the_next(asynchronous: Driver) -> None:
    gate = Gate()
    store = PlainStore(asynchronous.stage)
    verifier = asynchronous.verifier(store)
    asynchronous.stage.do = once("settle", lambda: gate)
    future = asynchronous.begin(verifier, "verify", I1, ORDER)
    gate.reached()
    assert future.cancel()
    assert asynchronous.verify(verifier, I1).verdict is Verdict.PAID
    gate.open()
    assert asynchronous.stage.names.count("settle") == 2


def test_a_timeout_around_a_call_is_a_cancellation_like_any_other(asynchronous: Driver) -> None:
    gate = Gate()
    verifier = asynchronous.verifier(max_lookups=1)
    asynchronous.stage.do = once("lookup", lambda: gate)

    class Impatient:
        async def verify(self) -> object:
            async with asyncio.timeout(0.02):
                return await verifier.verify(I1, ORDER)

    with pytest.raises(TimeoutError):
        asynchronous.call(Impatient(), "verify")
    assert asynchronous.verify(verifier, I1).paid
