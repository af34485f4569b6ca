"""A shop in which a store is tried, and a gateway that says what it is told: threads, processes, no
network."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

from ..models import ExpectedPayment, Outcome, Payment, Verdict
from ..settings import Credentials
from ..stores import AsyncOrderStore, OrderStore, own_thread, store_is_async
from ..transports import GatewayRequest, GatewayResponse
from ..verifier import AsyncVerifier, Verifier

__all__ = [
    "FIRST",
    "ORDER",
    "OTHER",
    "PRICE",
    "SECOND",
    "Trial",
    "TrialFailure",
    "TrialShop",
    "check",
    "check_shipped",
    "check_told",
    "from_processes",
    "paid_outcome",
]

ORDER, OTHER = "ORD-1001", "ORD-1002"
FIRST, SECOND = "imp_100000000001", "imp_100000000002"
PRICE = 39000
PATIENCE = 60.0
"""Seconds after which a store that answers nothing has failed."""
_PROCESSES = 3


class TrialFailure(Exception):
    """What a shop's work raises after `TrialShop.fail_next`."""


class TrialShop:
    """A small shop around the store to be tried: subclass it, and give a fresh one to each test.

    Attributes:
        store: The store, plain or async.
        reopen: A picklable function that opens the same shop in another process; None where the
            store lives in one process.
    """

    store: OrderStore | AsyncOrderStore
    reopen: Callable[[], TrialShop] | None = None

    def put(self, order: ExpectedPayment) -> None:
        """Make an order, or change it; `open=False` closes it. It must ask for exactly this."""
        raise NotImplementedError

    def delete(self, merchant_uid: str) -> None:
        """Delete an order."""
        raise NotImplementedError

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        """Give, once for each time that the order's goods were sent off, the imp_uid it was for."""
        raise NotImplementedError

    def fail_next(self) -> None:
        """Let the work that sends the goods off raise `TrialFailure` once, when half done."""
        raise NotImplementedError

    def told(self) -> Sequence[tuple[str, str]] | None:
        """Give each hook that was called and kept, with its `outcome.key`; None without hooks."""
        return None

    def close(self) -> None:
        """Close what the shop opened."""


class Trial:
    """A verifier over a shop's store, and a gateway that says what it is told."""

    def __init__(self, shop: TrialShop, says: Mapping[str, Any] | None = None) -> None:
        self.shop = shop
        self.says: dict[str, Any] = dict(says or {})
        self._loop: asyncio.AbstractEventLoop | None = None
        arguments: Any = {
            "credentials": Credentials("trial", "trial"),
            "base_url": "https://gateway.invalid",
            "test_mode": True,
            "timeout": PATIENCE,
        }
        self._verifier: Any
        if not store_is_async(shop.store):
            plain = cast(OrderStore, shop.store)
            self._verifier = Verifier(plain, transport=cast(Any, self._answer), **arguments)
            return
        waits = cast(Any, self._answer_later)
        self._verifier = AsyncVerifier(shop.store, transport=waits, **arguments)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *error: object) -> None:
        loop = self._loop
        if loop is not None:
            self._wait(loop.shutdown_default_executor())
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(PATIENCE)
            loop.close()

    def pays(self, imp_uid: str, order: object = ORDER, **changes: object) -> None:
        """Let the gateway know this payment, paid where nothing else is said."""
        self.says[imp_uid] = {
            "imp_uid": imp_uid,
            "merchant_uid": order,
            "status": "paid",
            "amount": PRICE,
            "cancel_amount": 0,
            **changes,
        }

    def deliver(self, imp_uid: str, order: str | None = None) -> Outcome:
        """Deliver a payment once, as a webhook would."""
        return cast(Outcome, self._wait(self._verifier.verify(imp_uid, order)))

    def at_once(self, *imp_uids: str) -> list[Outcome]:
        """Deliver payments from as many threads at the same moment."""
        gate = threading.Barrier(len(imp_uids))
        outcomes: list[Outcome] = []
        errors: list[BaseException] = []

        def work(imp_uid: str) -> None:
            try:
                _ = gate.wait(PATIENCE)
                with own_thread(self.shop.store) or nullcontext():
                    outcomes.append(self.deliver(imp_uid))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in imp_uids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        if errors:
            raise AssertionError("a delivery failed among others at once") from errors[0]
        check(len(outcomes) == len(threads), "deliveries at once wait for each other for ever")
        return outcomes

    def ask(self, name: str, *arguments: object) -> Any:
        """Call a method of the store itself."""
        return self._wait(getattr(self.shop.store, name)(*arguments))

    def _wait(self, answer: Any) -> object:
        if self._loop is None:
            return answer
        work = cast("Coroutine[Any, Any, object]", answer)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _answer(self, request: GatewayRequest) -> GatewayResponse:
        content: object = {"access_token": "trial", "now": 0, "expired_at": 1800}
        if request.method == "GET":
            content = self.says.get(request.url.partition("/payments/")[2].partition("?")[0])
        known = content is not None
        body = json.dumps({"code": 0 if known else -1, "message": None, "response": content})
        return GatewayResponse(200 if known else 404, body.encode())

    async def _answer_later(self, request: GatewayRequest) -> GatewayResponse:
        return self._answer(request)


def paid_outcome(imp_uid: str, expected: ExpectedPayment) -> Outcome:
    """A payment as it is handed to a store after it was compared with this order."""
    payment = Payment(imp_uid, expected.merchant_uid, "paid", expected.amount)
    return Outcome(
        Verdict.PAID,
        imp_uid=imp_uid,
        merchant_uid=expected.merchant_uid,
        payment=payment,
        expected=expected,
    )


def check(good: bool, complaint: str) -> None:
    if not good:
        raise AssertionError(complaint)


def check_shipped(shop: TrialShop, wanted: Sequence[str], after: str, order: str = ORDER) -> None:
    """Compare what was sent off with what was paid; no hook may have been told anything twice."""
    shipped = list(shop.shipped(order))
    times = f"the goods went off {len(shipped)} times {shipped}, not {len(wanted)} {list(wanted)}"
    check(shipped == list(wanted), f"{after}: {times}")
    twice = [each for each, count in Counter(shop.told() or ()).items() if count > 1]
    check(not twice, f"{after}: hooks were told the same more than once: {twice}")


def check_told(shop: TrialShop, name: str, times: int, after: str) -> None:
    told = shop.told()
    count = times if told is None else sum(hook == name for hook, _ in told)
    check(count == times, f"{after}: {name} was called {count} times, not {times}")


def _elsewhere(
    reopen: Callable[[], TrialShop], says: Mapping[str, Any], imp_uids: Sequence[str], ends: Any
) -> None:
    """Run in another process: open the shop there, wait for the others, deliver."""
    gate, results = ends
    shop = reopen()
    try:
        with Trial(shop, says) as trial:
            _ = gate.wait(PATIENCE)
            results.put([(each.imp_uid, each.verdict) for each in trial.at_once(*imp_uids)])
    finally:
        shop.close()


def from_processes(
    shop: TrialShop, says: Mapping[str, Any], *imp_uids: str
) -> list[tuple[str, Verdict]]:
    """Deliver payments from several processes at the same moment; give what they said."""
    context = multiprocessing.get_context("spawn")  # a fork would carry this process's connections
    gate, results = context.Barrier(_PROCESSES), context.SimpleQueue()
    work = (shop.reopen, dict(says), imp_uids * 2, (gate, results))
    started = [
        context.Process(target=_elsewhere, args=work, daemon=True) for _ in range(_PROCESSES)
    ]
    for each in started:
        each.start()
    for each in started:
        each.join(PATIENCE)
    failed = [each.exitcode for each in started if each.exitcode != 0]
    check(not failed, f"a delivery failed in another process (its exit status: {failed})")
    found = [answer for _ in started for answer in results.get()]
    results.close()
    return found
