"""A verifier over a shop's store, and a gateway that says what it is told: threads, no network."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar, cast

from .._core.flow import run, run_async
from .._core.verification import verify
from ..models import ExpectedPayment, Notice, Outcome, Payment, Verdict
from ..settings import Credentials
from ..stores import AsyncOrderStore, OrderStore
from ..stores._bridge import own_thread
from ..stores._protocol import store_is_async
from ..transports import GatewayRequest, GatewayResponse
from ..verifier import AsyncVerifier, Verifier
from ._checks import check
from ._shop import TrialShop

__all__ = ["FIRST", "ORDER", "OTHER", "PATIENCE", "PRICE", "SECOND", "Trial", "paid_outcome"]

T = TypeVar("T")
ORDER, OTHER = "ORD-1001", "ORD-1002"
FIRST, SECOND = "imp_100000000001", "imp_100000000002"
PRICE = 39000
PATIENCE = 60.0
"""Seconds after which a store that answers nothing has failed."""


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

    @property
    def holds(self) -> bool:
        """Whether the store has a `hold` of its own; without one the shop does without confirm."""
        return type(self.shop.store).hold not in (OrderStore.hold, AsyncOrderStore.hold)

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

    def refunds(self, imp_uid: str, amount: Decimal | int) -> None:
        """Let the gateway give back a part of a payment, or all that is left."""
        payment = self.says[imp_uid]
        history = [*payment.get("cancel_history", ())]
        number = len(history) + 1
        entry = {"amount": f"{amount}", "cancellation_id": f"c{number}", "cancelled_at": number}
        total = Decimal(str(payment["cancel_amount"])) + amount
        changed = {"status": "cancelled", "cancel_amount": f"{total}"}
        self.says[imp_uid] = {**payment, **changed, "cancel_history": [*history, entry]}

    def deliver(self, imp_uid: str, order: str | None = None) -> Outcome:
        """Deliver a payment once, as a webhook would; nothing is given back behind it."""
        known, notice = self._verifier, Notice(imp_uid, order)
        flow = verify(known.settings, known._accounts, notice, "call")
        if self._loop is None:
            return run(flow, known._perform)
        return cast(Outcome, self._wait(run_async(flow, known._perform)))

    def together(self, *work: Callable[[], T]) -> list[T | Exception]:
        """Call functions in as many threads at once; return what each returned or raised.

        The threads are named "1 of 8" and so on.
        """
        gate = threading.Barrier(len(work))
        found: dict[int, T | Exception] = {}

        def call(number: int) -> None:
            try:
                gate.wait(PATIENCE)
                with own_thread(self.shop.store) or nullcontext():
                    found[number] = work[number]()
            except Exception as error:
                found[number] = error

        threads = [
            threading.Thread(
                target=call, args=(number,), name=f"{number + 1} of {len(work)}", daemon=True
            )
            for number in range(len(work))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        check(
            len(found) == len(work),
            f"{len(work) - len(found)} of {len(work)} deliveries at once were never answered",
            "all are answered, one after the other where they must wait",
            "two transactions wait for each other: lock the order's row first, everywhere",
        )
        return [found[number] for number in range(len(work))]

    def at_once(self, *imp_uids: str) -> list[Outcome]:
        """Deliver payments from as many threads at the same moment; all must be answered."""
        found = self.together(*(partial(self.deliver, each) for each in imp_uids))
        for each in found:
            if isinstance(each, Exception):
                raise AssertionError(
                    f"one of {len(imp_uids)} deliveries at once raised {each!r}\n"
                    "  expected: being second is no error: it waits, and is REPEATED or DUPLICATE\n"
                    "  usual cause: a unique key's violation, a deadlock or a busy database is not "
                    "begun again; or a transaction is left open and blocks the others"
                ) from each
        return [each for each in found if isinstance(each, Outcome)]

    @property
    def is_async(self) -> bool:
        """Whether the store is."""
        return self._loop is not None

    def ask(
        self,
        name: str,
        *arguments: object,
        through: Callable[[Any], Any] | None = None,
        **options: object,
    ) -> Any:
        """Call a method of the store itself; let its answer, a coroutine where it is async, go
        through a function first."""
        answer = getattr(self.shop.store, name)(*arguments, **options)
        return self._wait(answer if through is None else through(answer))

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
    payment = Payment(
        imp_uid, expected.merchant_uid, "paid", expected.amount, currency=expected.currency
    )
    return Outcome(
        Verdict.PAID,
        imp_uid=imp_uid,
        merchant_uid=expected.merchant_uid,
        payment=payment,
        expected=expected,
    )
