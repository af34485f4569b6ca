"""What the ready-made stores share: a shop's functions, and the order of steps inside a
transaction. No database."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Generic, NoReturn, TypeAlias, TypedDict, TypeVar

from ..errors import ConfigurationError, StoreError
from ..messages import is_merchant_uid
from ..models import ExpectedPayment, Outcome, Reason, Receipt, ReceiptState, Settled, Verdict
from . import Expected, hold_limits, is_async_callable, read_expected, what_runs
from .changes import Change, OrderState, advance

__all__ = [
    "ALREADY_PAID",
    "Ask",
    "Functions",
    "HookArguments",
    "Load",
    "Loaded",
    "Save",
    "Step",
    "Tell",
    "check_lock_timeout",
    "check_time_to_begin",
    "check_time_to_hold",
    "details",
    "read_receipt",
    "record",
    "seconds_to_wait",
    "text",
]

T = TypeVar("T")

ALREADY_PAID = "already_paid"
"""A store's own refusal of a `hold`: a key, which the table of answers turns into words."""

_LONGEST = 3600

Hook: TypeAlias = Callable[[Outcome, T], object]


class HookArguments(TypedDict, Generic[T], total=False):
    """The hooks of a ready-made store, each called with an outcome and the open transaction."""

    on_paid: Hook[T] | None
    on_virtual_account: Hook[T] | None
    on_cancelled: Hook[T] | None
    on_partly_cancelled: Hook[T] | None
    on_failed: Hook[T] | None
    on_duplicate: Hook[T] | None
    on_late: Hook[T] | None
    on_forgery: Hook[T] | None
    on_review: Hook[T] | None


class Functions(Generic[T]):
    """A shop's functions, checked once.

    Args:
        asynchronous: The store's colour, which every function must have.

    Raises:
        ConfigurationError: Something is no function, has the wrong colour or an unknown name.
    """

    def __init__(
        self,
        expected: Callable[[str, T], Any],
        hold: Callable[[ExpectedPayment, str, T], Any] | None,
        hooks: Mapping[str, Any],
        *,
        asynchronous: bool = False,
    ) -> None:
        unknown = sorted(set(hooks) - set(HookArguments.__annotations__))
        if unknown:
            known = ", ".join(HookArguments.__annotations__)
            raise ConfigurationError(f"there is no hook {', '.join(unknown)}; there are {known}")
        for name, function in {"expected": expected, "hold": hold, **hooks}.items():
            if function is not None or name == "expected":
                _check_function(name, function, asynchronous)
        self.expected = expected
        self.hold = hold
        self.asynchronous = asynchronous
        self._hooks = {name: hook for name, hook in hooks.items() if hook is not None}

    def has(self, name: str) -> bool:
        """Whether the shop gave this hook."""
        return name in self._hooks

    def tell(self, name: str, outcome: Outcome, transaction: T) -> object:
        """Call a plain store's hook, where the shop gave one, and give what it returned.

        Raises:
            StoreError: It returned work that was not done: an awaitable or a generator.
        """
        hook = self._hooks.get(name)
        answer = None if hook is None else hook(outcome, transaction)
        if answer is None:
            return None
        if inspect.isawaitable(answer):
            _refuse_work(name, answer)  # also one that runs by itself: no loop is there for long
        return _done(name, answer)

    async def tell_async(self, name: str, outcome: Outcome, transaction: T) -> object:
        """Await an async store's hook, where the shop gave one, and give what it returned; raises
        like `tell`."""
        hook = self._hooks.get(name)
        return None if hook is None else _done(name, await hook(outcome, transaction))


def _done(name: str, answer: object) -> object:
    """Refuse what only would do the work if it were run: an `await` was forgotten, or there is a
    `yield` in it. A task runs by itself."""
    if isinstance(answer, CoroutineType | GeneratorType | AsyncGeneratorType):
        _refuse_work(name, answer)
    return answer


def _refuse_work(name: str, answer: object) -> NoReturn:
    if isinstance(answer, CoroutineType | GeneratorType):
        answer.close()
    kind = type(answer).__name__
    raise StoreError(f"{name} returned {kind}, which nobody runs: its work was not done")


def _check_function(name: str, function: object, asynchronous: bool) -> None:
    if not callable(function):
        raise ConfigurationError(f"{name} must be a function, not {type(function).__name__}")
    if is_async_callable(function) is not asynchronous:
        wanted, given = ("a coroutine", "a plain") if asynchronous else ("a plain", "a coroutine")
        raise ConfigurationError(
            f"{name} must be {wanted} function for this store, not {given} one"
        )
    for each in what_runs(function):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise ConfigurationError(f"{name} has a yield in it: calling it would do nothing")


@dataclass(slots=True)
class Loaded:
    """What a store read under its lock: an `OrderState` but for what the shop says."""

    receipt: Any = None
    paid_by: str | None = None
    was_paid: bool = False
    others_wait: bool = False
    known: Mapping[str, Any] | None = None

    def is_taken(self, merchant_uid: str) -> bool:
        """Whether the order was paid, now or ever, by another payment than the one that was
        loaded. What that one paid elsewhere does not count."""
        receipt: Receipt | None = self.receipt
        here = receipt is not None and receipt.merchant_uid == merchant_uid
        return self.was_paid and not (here and str(Verdict.PAID) in (self.known or {}))


@dataclass(slots=True)
class Load:
    """Read order and receipt under the lock. `order` is False where nothing of the order may be
    touched."""

    imp_uid: str
    merchant_uid: str
    order: bool


@dataclass(slots=True)
class Ask:
    """Ask the shop's `expected`, inside the transaction."""

    merchant_uid: str


@dataclass(slots=True)
class Save:
    """Write the receipt, the order and one row per change that is handed on, inside the
    transaction. Where nothing is kept of the order itself (`seen` is False) its lock must leave no
    row: a forgery would leave one for every number."""

    before: Loaded
    change: Change
    outcome: Outcome
    seen: bool = True


@dataclass(slots=True)
class Tell:
    """Call a hook inside the transaction."""

    name: str
    outcome: Outcome


@dataclass(slots=True)
class Recorded:
    """What became of an outcome, and what the hooks want called after the commit."""

    settled: Settled | None
    afterwards: tuple[object, ...] = ()


Step: TypeAlias = Load | Ask | Save | Tell


def record(outcome: Outcome) -> Generator[Step, Any, Recorded]:
    """Record an outcome: the one order of steps of every ready-made store, run inside an open
    transaction. A step is yielded as it stands, without a generator of its own around it: four of
    them are made for every payment.

    Raises:
        StoreError: This imp_uid is recorded for another order, or the outcome names no payment.
    """
    imp_uid, merchant_uid = outcome.imp_uid, outcome.merchant_uid
    if imp_uid is None or merchant_uid is None:
        raise StoreError("an outcome without a payment cannot be recorded")
    claim = outcome.verdict is Verdict.FORGERY and outcome.reason is Reason.ORDER
    of_order = not claim and is_merchant_uid(merchant_uid)  # no order can have another number
    loaded: Loaded = yield Load(imp_uid, merchant_uid, of_order)
    if loaded.receipt is not None and loaded.receipt.merchant_uid != merchant_uid:
        raise StoreError(f"{imp_uid} is recorded for another order than {merchant_uid!r}")
    expected = None
    if of_order:
        expected = read_expected(merchant_uid, (yield Ask(merchant_uid)))
    known = loaded.known or {}
    order = OrderState(
        loaded.receipt, expected, loaded.paid_by, loaded.was_paid, loaded.others_wait, known
    )
    change = advance(order, outcome)
    if change.settled is Settled.STALE:
        return Recorded(Settled.STALE)
    if change.hooks or change.receipt is not None:
        seen = change.receipt is not None or loaded.was_paid or not of_order
        yield Save(loaded, change, outcome, seen)
    afterwards: list[object] = []
    for name, told in change.hooks:
        afterwards.append((yield Tell(name, told)))
    return Recorded(change.settled, tuple(afterwards))


def check_time_to_begin() -> None:
    """Raise a StoreError where it is too late to ask the shop, after waiting for a lock."""
    begin_by, _ = hold_limits()
    if time.monotonic() > begin_by:
        raise StoreError("the store was busy for too long to ask for an approval")


def check_time_to_hold() -> None:
    """Raise a StoreError where the gateway would no longer hear the answer: what `hold` did must
    not be kept."""
    _, until = hold_limits()
    if time.monotonic() > until:
        raise StoreError("hold took too long: the gateway no longer waits for the answer")


def seconds_to_wait(lock_timeout: float) -> float:
    """Give how long to wait for a lock: no longer than the gateway waits for an approval."""
    _, until = hold_limits()
    return min(lock_timeout, max(0.0, until - time.monotonic()))


def check_lock_timeout(lock_timeout: object) -> float:
    """Give a store's `lock_timeout` in seconds.

    Raises:
        ConfigurationError: It is no number of seconds above zero.
    """
    number = isinstance(lock_timeout, int | float) and not isinstance(lock_timeout, bool)
    if not number or not 0 < lock_timeout <= _LONGEST:  # type: ignore[operator]
        raise ConfigurationError(
            f"lock_timeout must be seconds above 0, at most {_LONGEST}, not {lock_timeout!r}"
        )
    return float(lock_timeout)  # type: ignore[arg-type]


def text(value: str | None) -> str | None:
    """Give text that a database can hold, whatever the gateway sent."""
    if value is None or (value.isascii() and value.isprintable() and len(value) <= 64):
        return value  # nearly all are like this
    return value[:64].replace("\0", "?").encode("utf-8", "replace").decode()


def details(outcome: Outcome) -> tuple[str | None, ...]:
    """Give what the payment says beyond its receipt: the method, bank, number and due time of the
    account to pay into, and when it was paid."""
    payment = outcome.payment
    assert payment is not None  # `advance` gives no receipt without one
    due, paid_at = payment.vbank_date, payment.paid_at
    return (
        text(payment.pay_method),
        text(payment.vbank_name),
        text(payment.vbank_num),
        None if due is None else due.isoformat(),
        None if paid_at is None else paid_at.isoformat(),
    )


def read_receipt(row: Sequence[object]) -> Receipt:
    """Read a receipt from a row of text columns, in the order of its fields."""
    imp_uid, merchant_uid, state, amount, cancelled, currency, account, test = row
    return Receipt(
        imp_uid=str(imp_uid),
        merchant_uid=str(merchant_uid),
        state=ReceiptState(str(state)),
        amount=Decimal(str(amount)),
        cancel_amount=Decimal(str(cancelled)),
        currency=str(currency),
        account=None if account is None else str(account),
        test=bool(test),
    )


Expectation: TypeAlias = Callable[[str, T], Expected]
Holder: TypeAlias = Callable[[ExpectedPayment, str, T], str | None]
