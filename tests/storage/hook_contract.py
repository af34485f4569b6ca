"""What a hook of every ready-made store may do, what it may not, and that its work and the record
are one. What is one database's own stands with that store's other tests."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from imp_verify import (
    AsyncVerifier,
    Credentials,
    ExpectedPayment,
    GiveBack,
    Outcome,
    Reason,
    ReceiptState,
    Settled,
    StoreError,
    Verdict,
    Verifier,
)
from imp_verify.stores._open import holding
from imp_verify.stores._protocol import store_is_async
from imp_verify.testing import TrialFailure
from imp_verify.testing._harness import FIRST, ORDER, PRICE, SECOND, paid_outcome
from tests.storage.shops import done, plain

ASKED = ExpectedPayment(ORDER, PRICE)
PAID = paid_outcome(FIRST, ASKED)
Make = Callable[..., Any]
Ending = Callable[[Any], object]
"""Called with what a hook was given, it would end the transaction."""
TWICE = "INSERT INTO orders SELECT * FROM orders"
"""Breaks the unique key of every shop's table."""


def refunded(amount: int) -> Outcome:
    """Give the payment after this was paid back. Where it was not known before, a part of it calls
    `on_paid` and `on_partly_cancelled` in one transaction."""
    assert PAID.payment is not None
    whole = amount == PRICE
    payment = replace(
        PAID.payment, status="cancelled" if whole else "paid", cancel_amount=Decimal(amount)
    )
    verdict = Verdict.CANCELLED if whole else Verdict.PARTLY_CANCELLED
    return replace(PAID, verdict=verdict, payment=payment)


def verifier(store: Any) -> Any:
    """Make one that may not get as far as the gateway."""

    async def unreachable(request: object) -> Any:
        raise AssertionError("no gateway call while a transaction is open")

    waits = store_is_async(store)
    make: Any = AsyncVerifier if waits else Verifier
    transport = unreachable if waits else plain(unreachable)
    return make(store, credentials=Credentials("k", "s"), transport=transport, test_mode=True)


async def later() -> None:
    raise AssertionError("nobody awaits it")


def ask(shop: Any, name: str, *arguments: object) -> Any:
    """Call a method of the store, and wait for it in a loop of its own where it is async."""
    answer = getattr(shop.store, name)(*arguments)
    return asyncio.run(answer) if inspect.iscoroutine(answer) else answer


def settle(shop: Any, outcome: Outcome = PAID) -> Settled:
    return cast(Settled, ask(shop, "settle", outcome))


class HookContract:
    """What is true of every store. Subclass it as `Test...` and give a fixture, `make`, which makes
    a shop with the order `ASKED` and these functions. They are coroutine functions for every store:
    `plain` makes of them what a plain one takes."""

    ask = staticmethod(ask)

    def settle(self, shop: Any, outcome: Outcome = PAID) -> Settled:
        return cast(Settled, self.ask(shop, "settle", outcome))

    def ready(self, shop: Any) -> Any:
        """Give the ready-made store itself, in no thread."""
        raise NotImplementedError

    async def tell(self, name: str, outcome: Outcome, transaction: Any) -> None:
        """Write a row of the hook's own, in the transaction."""
        raise NotImplementedError

    def check_kept(self, shop: Any, told: int) -> None:
        """Check that so many rows of hooks' are kept, and the record with them, or nothing."""
        assert shop.kept() == ((told, 1, 1, 1) if told else (0, 0, 0, 0))

    def of_its_kind(self, shop: Any, function: Callable[[], Awaitable[object]]) -> Any:
        """Make of a coroutine function what this store calls after the commit."""
        return function if store_is_async(self.ready(shop)) else plain(function)

    def test_a_hook_that_fails_keeps_nothing_and_is_called_by_the_next_delivery(
        self, make: Make
    ) -> None:
        called: list[str] = []

        async def hook(outcome: Outcome, transaction: Any) -> None:
            called.append(outcome.key)
            await self.tell("on_paid", outcome, transaction)
            if len(called) == 1:
                raise TrialFailure

        shop = make(on_paid=hook)
        with pytest.raises(TrialFailure):
            self.settle(shop)
        self.check_kept(shop, 0)
        answers = [self.settle(shop) for _ in range(2)]
        assert answers == [Settled.NEW, Settled.REPEATED]
        assert called == [f"{FIRST}:paid"] * 2
        self.check_kept(shop, 1)

    def test_a_second_hook_that_fails_takes_with_it_what_the_first_did_and_returned(
        self, make: Make
    ) -> None:
        called: list[str] = []

        async def hook(outcome: Outcome, transaction: Any) -> object:
            await self.tell("on_paid", outcome, transaction)

            async def after() -> None:
                called.append("after")

            return self.of_its_kind(shop, after)

        async def fail(outcome: Outcome, transaction: Any) -> None:
            await self.tell("half", outcome, transaction)
            raise RuntimeError("no stock")

        shop = make(on_paid=hook, on_partly_cancelled=fail)
        with pytest.raises(RuntimeError, match="no stock"):
            self.settle(shop, refunded(1000))
        self.check_kept(shop, 0)
        assert called == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_a_hook_that_ends_the_process_keeps_nothing(self, make: Make, error: type) -> None:
        async def hook(outcome: Outcome, transaction: Any) -> None:
            await self.tell("half", outcome, transaction)
            raise error

        shop = make(on_paid=hook)
        with pytest.raises(error):
            self.settle(shop)
        self.check_kept(shop, 0)

    def test_a_hook_that_returns_work_which_nobody_has_done_keeps_nothing(self, make: Make) -> None:
        async def hook(outcome: Outcome, transaction: Any) -> object:
            await self.tell("on_paid", outcome, transaction)
            return later()

        shop = make(on_paid=hook)
        with pytest.raises(StoreError, match="on_paid returned coroutine, which nobody runs"):
            self.settle(shop)
        self.check_kept(shop, 0)

    def test_a_verifier_or_its_store_called_inside_a_hook_is_a_store_error(
        self, make: Make
    ) -> None:
        calls: list[tuple[str, tuple[object, ...]]] = [
            ("verify", (FIRST, ORDER)),
            ("payment", (FIRST,)),
            ("confirm", (FIRST, ORDER, 1)),
            ("settle", (PAID,)),
        ]

        async def hook(outcome: Outcome, transaction: Any) -> None:
            await self.tell("on_paid", outcome, transaction)
            name, arguments = calls[0]
            store = self.ready(shop)
            called = store if name == "settle" else verifier(store)
            await done(getattr(called, name)(*arguments))

        shop = make(on_paid=hook)
        while calls:
            with pytest.raises(StoreError, match="inside a hook"):
                self.settle(shop)
            self.check_kept(shop, 0)
            del calls[0]

    def test_a_returned_function_is_called_once_after_the_commit(self, make: Make) -> None:
        called: list[str] = []

        async def hook(outcome: Outcome, transaction: Any) -> object:
            await self.tell("on_paid", outcome, transaction)

            async def after() -> None:
                self.check_kept(shop, 1)
                called.append(outcome.key)

            return self.of_its_kind(shop, after)

        shop = make(on_paid=hook)
        answers = [self.settle(shop) for _ in range(2)]
        assert answers == [Settled.NEW, Settled.REPEATED]
        assert called == [f"{FIRST}:paid"]

    def test_a_returned_function_may_call_the_store_and_the_verifier(self, make: Make) -> None:
        found: list[object] = []

        async def after() -> None:
            store = self.ready(shop)
            found.append(await done(store.settle(PAID)))
            with pytest.raises(AssertionError, match="no gateway call"):
                await done(verifier(store).payment(FIRST))
            found.append("asked")

        async def hook(outcome: Outcome, transaction: Any) -> object:
            return self.of_its_kind(shop, after)

        shop = make(on_paid=hook)
        assert self.settle(shop) is Settled.NEW
        assert found == [Settled.REPEATED, "asked"]

    @pytest.mark.parametrize("error", [SystemExit, GeneratorExit, RuntimeError])
    def test_whatever_a_returned_function_raises_is_logged_and_the_answer_unchanged(
        self, make: Make, error: type, caplog: pytest.LogCaptureFixture
    ) -> None:
        called: list[str] = []

        async def fail() -> None:
            called.append("fails")
            raise error("no mail today")

        async def follow() -> None:
            called.append("next")

        async def paid(outcome: Outcome, transaction: Any) -> object:
            await self.tell("on_paid", outcome, transaction)
            return self.of_its_kind(shop, fail)

        async def cancelled(outcome: Outcome, transaction: Any) -> object:
            return self.of_its_kind(shop, follow)

        shop = make(on_paid=paid, on_partly_cancelled=cancelled)
        assert self.settle(shop, refunded(1000)) is Settled.NEW
        assert called == ["fails", "next"]
        (record,) = [each for each in caplog.records if each.name == "imp_verify"]
        assert (record.levelname, record.exc_info is None) == ("ERROR", False)
        assert f"failed after the commit, for {refunded(1000).key}" in record.getMessage()
        assert "no mail today" in caplog.text

    def test_an_interrupted_returned_function_ends_the_delivery_of_a_recorded_payment(
        self, make: Make
    ) -> None:
        async def interrupted() -> None:
            raise KeyboardInterrupt

        async def hook(outcome: Outcome, transaction: Any) -> object:
            await self.tell("on_paid", outcome, transaction)
            return self.of_its_kind(shop, interrupted)

        shop = make(on_paid=hook)
        with pytest.raises(KeyboardInterrupt):
            self.settle(shop)
        self.check_kept(shop, 1)
        assert self.settle(shop) is Settled.REPEATED

    def test_a_function_of_the_other_kind_is_not_left_out_without_a_word(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def paid(outcome: Outcome, transaction: Any) -> object:
            return lambda: later()

        async def cancelled(outcome: Outcome, transaction: Any) -> object:
            return print if store_is_async(self.ready(shop)) else later

        shop = make(on_paid=paid, on_partly_cancelled=cancelled)
        assert self.settle(shop, refunded(1000)) is Settled.NEW
        word = "is not called" if store_is_async(self.ready(shop)) else "which nobody runs here"
        said = [each for each in caplog.messages if FIRST in each]
        assert [f"{word}, for {refunded(1000).key}" in each for each in said] == [True, True]

    def test_any_other_value_is_ignored(self, make: Make, caplog: pytest.LogCaptureFixture) -> None:
        values = {"ORD-1": None, "ORD-2": 7, "ORD-3": "text", "ORD-4": [print], "ORD-5": object()}

        async def hook(outcome: Outcome, transaction: Any) -> object:
            return values[outcome.merchant_uid or ""]

        shop = make(on_paid=hook)
        for number in values:
            order = ExpectedPayment(number, PRICE)
            shop.put(order)
            assert self.settle(shop, paid_outcome(f"imp_{number}", order)) is Settled.NEW
        assert not [each for each in caplog.messages if "imp_ORD" in each]

    def test_a_payment_that_on_paid_gives_back_is_late_for_good_and_its_order_free(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        called: list[object] = []

        async def paid(outcome: Outcome, transaction: Any) -> None:
            called.append(outcome.key)
            await self.tell("on_paid", outcome, transaction)
            if outcome.imp_uid == FIRST:
                raise GiveBack("sold out\n")

        async def late(outcome: Outcome, transaction: Any) -> None:
            called.append((outcome.verdict, outcome.reason, outcome.settled, outcome.key))
            await self.tell("on_late", outcome, transaction)

        shop = make(on_paid=paid, on_late=late)
        caplog.set_level("INFO", "imp_verify")
        assert [self.settle(shop) for _ in range(2)] == [Settled.LATE] * 2
        refused = (Verdict.LATE, Reason.REFUSED, Settled.LATE, f"{FIRST}:late:refused")
        assert called == [f"{FIRST}:paid", refused]
        if hasattr(shop, "kept"):
            told, receipts, _, changes = shop.kept()
            assert (told, receipts, changes) == (1, 1, 1)
        receipt = self.ask(shop, "receipts", [FIRST])[FIRST]
        assert (receipt.state, receipt.reason) == (ReceiptState.LATE, Reason.REFUSED)
        assert not self.ask(shop, "paid", ORDER)
        [said] = [each for each in caplog.messages if FIRST in each]
        assert said == f"on_paid gave {FIRST} back, for order {ORDER!r}: 'sold out\\n'"
        assert self.settle(shop, paid_outcome(SECOND, ASKED)) is Settled.NEW
        assert self.settle(shop) is Settled.LATE
        assert self.ask(shop, "observe", refunded(PRICE)) is Settled.NEW
        receipt = self.ask(shop, "receipts", [FIRST])[FIRST]
        assert (receipt.state, receipt.reason) == (ReceiptState.CANCELLED, Reason.REFUSED)

    def test_a_payment_of_which_a_part_is_gone_is_given_back_whole(self, make: Make) -> None:
        called: list[str] = []

        async def paid(outcome: Outcome, transaction: Any) -> None:
            raise GiveBack("sold out")

        async def note(outcome: Outcome, transaction: Any) -> None:
            called.append(outcome.key)

        shop = make(on_paid=paid, on_late=note, on_partly_cancelled=note)
        assert self.settle(shop, refunded(1000)) is Settled.LATE
        assert called == [f"{FIRST}:late:refused"]
        assert self.ask(shop, "receipts", [FIRST])[FIRST].cancel_amount == 1000

    def test_what_fails_after_a_refusal_is_done_again_from_the_start(self, make: Make) -> None:
        called: list[str] = []

        async def paid(outcome: Outcome, transaction: Any) -> None:
            called.append("on_paid")
            await self.tell("on_paid", outcome, transaction)
            raise GiveBack("sold out")

        async def late(outcome: Outcome, transaction: Any) -> None:
            called.append("on_late")
            if called.count("on_late") == 1:
                raise TrialFailure

        shop = make(on_paid=paid, on_late=late)
        with pytest.raises(TrialFailure):
            self.settle(shop)
        self.check_kept(shop, 0)
        assert self.settle(shop) is Settled.LATE
        assert called == ["on_paid", "on_late"] * 2

    def test_no_other_hook_can_give_a_payment_back(self, make: Make) -> None:
        async def paid(outcome: Outcome, transaction: Any) -> None:
            await self.tell("on_paid", outcome, transaction)

        async def cancelled(outcome: Outcome, transaction: Any) -> None:
            raise GiveBack("sold out")

        shop = make(on_paid=paid, on_partly_cancelled=cancelled)
        with pytest.raises(StoreError, match="on_partly_cancelled raised GiveBack: only on_paid"):
            self.settle(shop, refunded(1000))
        self.check_kept(shop, 0)

    def test_an_order_that_was_ever_paid_is_held_for_the_payment_that_paid_only(
        self, make: Make
    ) -> None:
        elsewhere = ExpectedPayment("ORD-9", PRICE)
        shop = make()
        shop.put(elsewhere)
        assert self.ask(shop, "hold", ASKED, SECOND) is None
        assert self.settle(shop) is Settled.NEW
        assert self.settle(shop, paid_outcome(SECOND, elsewhere)) is Settled.NEW
        for order, payer, other in ((ASKED, FIRST, SECOND), (elsewhere, SECOND, FIRST)):
            assert self.ask(shop, "hold", order, payer) is None
            assert self.ask(shop, "hold", order, other) == "already_paid"
        assert self.ask(shop, "observe", refunded(PRICE)) is Settled.NEW
        assert self.ask(shop, "hold", ASKED, SECOND) == "already_paid"


class DatabaseHookContract(HookContract):
    """What is true where a hook is given a transaction of a database.

    Attributes:
        unique_violation: What this database's library raises where a unique key is broken.
        refusals: What a function of the shop gets that would end the transaction.
    """

    unique_violation: type[Exception]
    refusals: tuple[type[Exception], ...] = (StoreError,)

    async def run(self, transaction: Any, statement: str) -> Any:
        """Run SQL in the transaction."""
        raise NotImplementedError

    def part(self, transaction: Any) -> AbstractAsyncContextManager[object]:
        """A part of the transaction that is undone alone where it fails."""
        raise NotImplementedError

    def refused(self, shop: Any) -> Mapping[str, Ending]:
        """What is refused before it is done, so that the shop's function may go on."""
        raise NotImplementedError

    def breaking(self, shop: Any) -> Mapping[str, Ending]:
        """What leaves a transaction in which nothing can be done any more."""
        return {}

    def is_broken_by_errors(self, shop: Any) -> bool:
        """Whether the database goes on with no transaction in which a statement has failed."""
        return False

    def test_a_hook_that_ends_the_transaction_fails_and_nothing_is_kept(self, make: Make) -> None:
        async def hook(outcome: Outcome, transaction: Any) -> None:
            await self.tell("before", outcome, transaction)
            if left:
                await done(endings[left[-1]](transaction))
            if not left or left[-1] in refused:
                await self.tell("after", outcome, transaction)

        shop = make(on_paid=hook)
        refused = self.refused(shop)
        endings = {**refused, **self.breaking(shop)}
        left = [*endings]
        while left:
            with pytest.raises(self.refusals) as caught:
                self.settle(shop)
            if left[-1] in refused:
                said = [str(caught.value), *getattr(caught.value, "__notes__", ())]
                assert "is not for a hook: the store commits" in said[-1], left[-1]
            self.check_kept(shop, 0)
            _ = left.pop()
        assert self.settle(shop) is Settled.NEW
        self.check_kept(shop, 2)

    def test_what_was_refused_is_not_done_whichever_function_goes_on_after_it(
        self, make: Make
    ) -> None:
        fails = [True]

        async def refused(transaction: Any) -> None:
            for end in self.refused(shop).values():
                with pytest.raises(self.refusals):
                    await done(end(transaction))

        async def asked(number: str, transaction: Any) -> ExpectedPayment:
            await refused(transaction)
            return ASKED

        async def hold(asked: ExpectedPayment, imp_uid: str, transaction: Any) -> None:
            await refused(transaction)

        async def hook(outcome: Outcome, transaction: Any) -> None:
            await self.tell("before", outcome, transaction)
            await refused(transaction)
            await self.tell("after", outcome, transaction)
            if fails and fails.pop():
                raise TrialFailure

        shop = make(expected=asked, hold=hold, on_paid=hook)
        assert self.ask(shop, "hold", ASKED, FIRST) is None
        with pytest.raises(TrialFailure):
            self.settle(shop)
        assert shop.told() == []
        assert self.settle(shop) is Settled.NEW
        self.check_kept(shop, 2)

    def test_a_part_of_a_hook_is_undone_alone(self, make: Make) -> None:
        async def hook(outcome: Outcome, transaction: Any) -> None:
            with suppress(self.unique_violation):
                async with self.part(transaction):
                    await self.tell("undone", outcome, transaction)
                    await self.run(transaction, TWICE)
            async with self.part(transaction):
                await self.tell("kept", outcome, transaction)

        shop = make(on_paid=hook)
        assert self.settle(shop) is Settled.NEW
        assert [name for name, _ in shop.told()] == ["kept"]
        self.check_kept(shop, 1)

    def test_an_error_of_the_hooks_own_is_not_tried_again(self, make: Make) -> None:
        called: list[str] = []

        async def hook(outcome: Outcome, transaction: Any) -> None:
            called.append(outcome.key)
            await self.tell("on_paid", outcome, transaction)
            await self.run(transaction, TWICE)

        shop = make(on_paid=hook)
        with pytest.raises(self.unique_violation):
            self.settle(shop)
        assert called == [f"{FIRST}:paid"]
        self.check_kept(shop, 0)

    def test_an_error_that_a_hook_swallows_is_never_a_record_half_kept(self, make: Make) -> None:
        async def hook(outcome: Outcome, transaction: Any) -> None:
            await self.tell("on_paid", outcome, transaction)
            with suppress(self.unique_violation):
                await self.run(transaction, TWICE)

        shop = make(on_paid=hook)
        if self.is_broken_by_errors(shop):  # its COMMIT would roll back, without a word
            with pytest.raises(StoreError, match=r"rolled back under the hook|ended or broke"):
                self.settle(shop)
            self.check_kept(shop, 0)
        else:
            assert self.settle(shop) is Settled.NEW
            self.check_kept(shop, 1)

    def test_a_hold_is_kept_where_it_approves_in_time_and_undone_where_it_refuses_or_fails(
        self, make: Make
    ) -> None:
        async def hold(asked: ExpectedPayment, imp_uid: str, transaction: Any) -> str | None:
            await self.tell("hold", paid_outcome(imp_uid, asked), transaction)
            if imp_uid == FIRST:
                return None
            if imp_uid == SECOND:
                return "sold out"
            raise RuntimeError("no stock table")

        shop = make(hold=hold)
        assert self.ask(shop, "hold", ASKED, SECOND) == "sold out"
        with pytest.raises(RuntimeError, match="no stock table"):
            self.ask(shop, "hold", ASKED, "imp_3")
        with holding(time.monotonic() - 1), pytest.raises(StoreError, match="too long"):
            self.ask(shop, "hold", ASKED, FIRST)
        assert shop.kept() == (0, 0, 0, 0)
        with holding(time.monotonic() + 3600):
            assert self.ask(shop, "hold", ASKED, FIRST) is None
        assert shop.told() == [("hold", f"{FIRST}:paid")]
