"""What a store knows of an order when it decides, and what comes of it: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ..models import ExpectedPayment, Outcome, Payment, Receipt, ReceiptState, Settled

__all__ = ["Change", "OrderState"]


# Not frozen, though nothing changes them: both are made for every payment, under the order's lock,
# and a frozen one takes four times as long to make.
@dataclass(slots=True)
class OrderState:
    """What a store reads under its lock before it decides.

    Attributes:
        receipt: What is recorded of this imp_uid.
        expected: What the shop says now; None or `open=False`: closed.
        paid_by: The imp_uid that pays the order now.
        was_paid: Whether it was ever paid, whatever became of it.
        others_wait: Whether another imp_uid of this order is waiting.
        known: The changes of this imp_uid that were handed on, each with its amount.
    """

    receipt: Receipt | None = None
    expected: ExpectedPayment | None = None
    paid_by: str | None = None
    was_paid: bool = False
    others_wait: bool = False
    known: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def ever_paid(self) -> bool:
        """An order is paid at most once in its life."""
        return self.was_paid or self.paid_by is not None

    @property
    def closed(self) -> bool:
        """Gone or closed."""
        return self.expected is None or not self.expected.open

    @property
    def taken(self) -> bool:
        """Whether news of an attempt that came to nothing would only disturb: paid, or another one
        waits."""
        return self.ever_paid or self.others_wait

    @property
    def state(self) -> ReceiptState | None:
        """The state of this payment's receipt, None where there is none."""
        return None if self.receipt is None else self.receipt.state

    def is_stale(self, outcome: Outcome, payment: Payment) -> bool:
        """Whether the order asks something else now than what the payment was compared with."""
        now, then = self.expected, outcome.expected
        if now is None or then is None or not _same_money(now, payment):
            return True
        return (now.account, now.pay_methods, now.pg_providers) != (
            then.account,
            then.pay_methods,
            then.pg_providers,
        )

    def asks_what_was_paid(self, payment: Payment) -> bool:
        """Whether late money is accepted: the shop opened the order, and it asks for exactly this.

        Money that was recorded without an account, before there were several, is of the order's.
        """
        expected = self.expected
        if expected is None or self.closed or self.ever_paid or not _same_money(expected, payment):
            return False
        account = None if self.receipt is None else self.receipt.account
        return account in (None, expected.account) and expected.allows(payment)


def _same_money(expected: ExpectedPayment, payment: Payment) -> bool:
    return expected.amount == payment.amount and expected.currency == payment.currency


@dataclass(slots=True)
class Change:
    """What to write and whom to tell.

    Attributes:
        receipt: The receipt afterwards, None where there is none.
        hooks: Name of the hook and what it gets, in order; each is recorded as a change of its own.
    """

    settled: Settled | None
    receipt: Receipt | None
    hooks: tuple[tuple[str, Outcome], ...] = ()
