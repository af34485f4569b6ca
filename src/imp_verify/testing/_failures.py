"""Work that fails, processes that die, transactions that stay open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from ..models import ExpectedPayment, Outcome, Settled
from ._checks import NO_REOPEN, check, check_paid, check_shipped, left_out, said
from ._crashes import IN_THE_WORK, RETURNED, crash, lines_of
from ._harness import FIRST, ORDER, PRICE, SECOND, Trial, paid_outcome
from ._shop import CRASHED, TrialFailure, TrialShop

__all__ = ["Failures"]

ASKED = ExpectedPayment(ORDER, PRICE)
_BY_ITS_CHANGE = (
    "work outside of the transaction is known by the delivery's outcome.key, which is another one "
    "once the payment has changed: keep the first key with the record, or take the imp_uid"
)


class Failures:
    """Part of `OrderStoreContract`."""

    def test_work_that_fails_leaves_nothing_and_the_next_delivery_does_it(
        self, shop: TrialShop
    ) -> None:
        shop.put(ASKED)
        with Trial(shop) as trial:
            trial.pays(FIRST)
            shop.fail_next()
            [failed] = trial.together(partial(trial.deliver, FIRST))
            if not shop.works_from_record:
                _check_failed(failed)
                check_shipped(shop, [], "the work failed when half done", ORDER)
                kept = trial.ask("receipts", [FIRST])
                cause = "the record is committed before the work is done"
                check(not kept, f"the work failed, and left {kept}", "no receipt is kept", cause)
            outcome = trial.deliver(FIRST)
        after = "the work failed once, and the payment was delivered again"
        check_shipped(shop, [FIRST], after, ORDER)
        check_paid(outcome, after, None if shop.works_from_record else Settled.NEW)

    def test_work_that_failed_is_done_once_though_a_part_was_refunded_meanwhile(
        self, shop: TrialShop
    ) -> None:
        after = "the work failed when half done, and the payment came again, refunded in part"
        shop.put(ASKED)
        with Trial(shop) as trial:
            trial.pays(FIRST)
            shop.fail_next()
            trial.together(partial(trial.deliver, FIRST))
            trial.refunds(FIRST, 1000)
            for _ in range(2):
                check_paid(trial.deliver(FIRST), after)
        check_shipped(shop, [FIRST], after, ORDER, _BY_ITS_CHANGE)

    def test_work_that_fails_among_deliveries_at_once_is_done_by_another(
        self, shop: TrialShop
    ) -> None:
        after = "of four deliveries at once the first one's work failed"
        shop.put(ASKED)
        with Trial(shop) as trial:
            trial.pays(FIRST)
            shop.fail_next()
            found = trial.together(*[partial(trial.deliver, FIRST)] * 4)
            outcome = trial.deliver(FIRST)
        check_shipped(shop, [FIRST], after, ORDER)
        check_paid(outcome, after, Settled.REPEATED)
        failed = [each for each in found if isinstance(each, Exception)]
        if not shop.works_from_record:
            check(
                len(failed) == 1 and isinstance(failed[0], TrialFailure),
                f"{after}: {len(failed)} of them raised {failed}",
                "that one raises what the work raised, the others wait and do the work",
                "the others saw what was rolled back, or the failure was swallowed",
            )

    def test_no_transaction_is_left_open(self, shop: TrialShop) -> None:
        with Trial(shop) as trial:
            for number, (what, deliver) in enumerate(_ways(shop, trial)):
                with suppress(TrialFailure):
                    deliver()
                order, imp_uid = f"ORD-other-{number}", f"imp_other-{number}"
                trial.pays(imp_uid, order)
                [found] = trial.together(partial(_pay_another, shop, trial, order, imp_uid))
                answer = said(found) if isinstance(found, Outcome) else repr(found)
                check(
                    isinstance(found, Outcome) and found.paid,
                    f"after a delivery that {what}, another thread could not pay another order: "
                    f"{answer}",
                    "what a delivery began has ended when settle returns or raises",
                    "a way out of settle has neither commit nor rollback",
                )

    def test_a_process_that_dies_in_its_work_leaves_nothing_half_done(
        self, shop: TrialShop
    ) -> None:
        if shop.reopen is None:
            left_out("processes that die in their work", NO_REOPEN)
            return
        with Trial(shop) as trial:
            after = "a process died when its work was half done"
            _die(shop, trial, 0, IN_THE_WORK, after)

    def test_a_process_may_die_between_any_two_lines(self, shop: TrialShop) -> None:
        """Looks, by halving, for the line after which the goods have gone off: what a store does
        in two steps that should be one, it does right before or right after that one."""
        if shop.reopen is None:
            left_out("processes that die between two lines of settle", NO_REOPEN)
            return
        with Trial(shop) as trial:
            lines = _die(shop, trial, 0, RETURNED, "a process died when settle had returned")[1]
            nothing, done, number = 0, lines or 0, 0
            while done - nothing > 1:
                number += 1
                middle = (nothing + done) // 2
                after = f"a process died before line {middle} of {lines} that settle runs"
                shipped, _ = _die(shop, trial, number, middle, after)
                nothing, done = (nothing, middle) if shipped else (middle, done)


def _die(
    shop: TrialShop, trial: Trial, number: int, moment: int, after: str
) -> tuple[bool, int | None]:
    """Let a process die in a delivery of a new order, and deliver it again; tell whether the first
    had shipped, and how many lines it ran."""
    __tracebackhide__ = True
    order, imp_uid = ExpectedPayment(f"ORD-{number}", PRICE), f"imp_{number}"
    shop.put(order)
    trial.pays(imp_uid, order.merchant_uid)
    ended = crash(shop, imp_uid, order, moment)
    lines = lines_of(ended)
    trouble = [each for each in ended.answers if isinstance(each, str)]
    wanted = "it settles the payment, up to there"
    check(ended.status == CRASHED, f"{after}, but of something else: {trouble or ended}", wanted)
    if moment == IN_THE_WORK:
        cause = "the shop's work does not call TrialShop.half_done, or is not done in settle"
        check(lines is None, "crash_next was called, and the work went on", "it dies", cause)
    before = list(shop.shipped(order.merchant_uid))
    if moment == IN_THE_WORK and not shop.works_from_record:
        check_shipped(shop, [], after, order.merchant_uid)
    if moment == RETURNED:
        check_shipped(shop, [imp_uid], after, order.merchant_uid)
    again = f"{after}, and the payment was delivered again"
    outcome = trial.deliver(imp_uid)
    check_paid(outcome, again, Settled.REPEATED if before else None)
    check_shipped(shop, [imp_uid], again, order.merchant_uid)
    return bool(before), lines


def _check_failed(failed: Outcome | Exception) -> None:
    __tracebackhide__ = True
    answer = said(failed) if isinstance(failed, Outcome) else repr(failed)
    check(
        isinstance(failed, TrialFailure),
        f"the work failed, and the delivery was answered {answer}",
        "what the work raised leaves settle as it is, so that the delivery comes again",
        "settle catches what the work raises",
    )


def _pay_another(shop: TrialShop, trial: Trial, order: str, imp_uid: str) -> Outcome:
    shop.put(ExpectedPayment(order, PRICE))
    return trial.deliver(imp_uid)


def _ways(shop: TrialShop, trial: Trial) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the ways out of `settle`, each to be gone."""
    trial.pays(FIRST)
    trial.pays(SECOND)
    shop.put(ExpectedPayment(ORDER, PRICE, open=False))
    yield "was late", partial(trial.deliver, SECOND)
    shop.put(ASKED)
    yield "found the order changed", partial(trial.ask, "settle", _cheaper())
    shop.put(ExpectedPayment("ORD-fails", PRICE))
    trial.pays("imp_fails", "ORD-fails")
    shop.fail_next()
    yield "failed in the work", partial(trial.deliver, "imp_fails")
    yield "paid its order", partial(trial.deliver, FIRST)
    yield "was a repeat", partial(trial.deliver, FIRST)
    yield "was a duplicate", partial(trial.deliver, SECOND)


def _cheaper() -> Outcome:
    return paid_outcome(FIRST, ExpectedPayment(ORDER, PRICE - 1))
