"""The values that everything else speaks in: payments as the gateway reports them, orders,
verdicts, outcomes, receipts. Frozen, and without I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import CoroutineType
from typing import TYPE_CHECKING, NoReturn

from ._core.reading import EXACT, read_price
from .errors import InvalidRequest, StoreError

__all__ = [
    "ADOPT",
    "LEFT_TO_A_PERSON",
    "MONEY",
    "Cancellation",
    "Due",
    "ExpectedPayment",
    "Finding",
    "FindingKind",
    "Health",
    "HealthCheck",
    "Notice",
    "Outcome",
    "Payment",
    "PaymentStatus",
    "Reason",
    "Receipt",
    "ReceiptState",
    "Refund",
    "Run",
    "Settled",
    "Verdict",
    "outcome_with",
    "read_expected",
    "read_time",
]


class PaymentStatus(StrEnum):
    """The words that the gateway is known to use; the set is open, `status` is plain text."""

    READY = "ready"
    PAID = "paid"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One refund, whole or part.

    Attributes:
        id: The gateway's `cancellation_id`, None where it names none.
        amount: In the currency's main unit.
        at: When, None where the gateway does not say.
        reason: The text given with the refund; it may hold a buyer's words: not in the repr.
        key: Tells it from every other refund of its payment: the id, or what stands in for one.
    """

    id: str | None
    amount: Decimal
    at: datetime | None = None
    reason: str | None = field(default=None, repr=False)
    key: str = field(default="", repr=False)


class _Text:
    """A field of the gateway's answer that no rule reads: its text, or None for anything else."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, payment: Payment, owner: type[Payment]) -> str | None:
        value = payment.raw.get(self._name)
        return value if isinstance(value, str) else None


class _Time:
    """A moment in the gateway's answer (Unix seconds, 0 for "not happened"): aware UTC, or None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, payment: Payment, owner: type[Payment]) -> datetime | None:
        value = payment.raw.get(self._name)
        return None if value is None else read_time(value)


class _Any:
    """A field of the gateway's answer handed on exactly as it came."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, payment: Payment, owner: type[Payment]) -> object:
        return payment.raw.get(self._name)


_DIGITS = re.compile("[0-9]{1,12}")
_LAST_DAY = 253402214400
"""9999-12-31T00:00Z."""


def read_time(value: object) -> datetime | None:
    """Turn Unix seconds, a number or its digits, into an aware UTC datetime. Return None for 0, for
    anything that is no moment, and for the last day that a datetime knows, which has no hour in
    Seoul."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not 0 < value < _LAST_DAY:
        return None
    return datetime.fromtimestamp(float(value), UTC)


@dataclass(frozen=True)
class Payment:
    """One payment as the gateway reported it. The fields that rules read are checked; the rest may
    be anything.

    Amounts are in the currency's main unit (won, dollars), times are aware UTC. `raw` is the
    gateway's whole object, buyer's data included: the repr shows ids, status and amounts only.

    Source: V1 REST API, GET /payments/{imp_uid}.
    """

    imp_uid: str
    merchant_uid: str
    status: str
    amount: Decimal
    cancel_amount: Decimal = Decimal(0)
    currency: str = "KRW"
    sandbox: bool = False
    pay_method: str | None = None
    pg_provider: str | None = None
    vbank_num: str | None = field(default=None, repr=False)
    customer_uid_usage: str | None = field(default=None, repr=False)
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, hash=False)

    channel = _Text()
    emb_pg_provider = _Text()
    pg_tid = _Text()
    pg_id = _Text()
    escrow = _Any()
    apply_num = _Text()
    bank_code = _Text()
    bank_name = _Text()
    card_code = _Text()
    card_name = _Text()
    card_issuer_code = _Text()
    card_issuer_name = _Text()
    card_publisher_code = _Text()
    card_publisher_name = _Text()
    card_quota = _Any()
    card_number = _Text()
    card_type = _Any()
    vbank_code = _Text()
    vbank_name = _Text()
    vbank_holder = _Text()
    vbank_date = _Time()
    vbank_issued_at = _Time()
    name = _Text()
    buyer_name = _Text()
    buyer_email = _Text()
    buyer_tel = _Text()
    buyer_addr = _Text()
    buyer_postcode = _Text()
    custom_data = _Any()
    user_agent = _Text()
    started_at = _Time()
    paid_at = _Time()
    failed_at = _Time()
    cancelled_at = _Time()
    fail_reason = _Text()
    cancel_reason = _Text()
    receipt_url = _Text()
    cancel_history = _Any()
    deposit_history = _Any()
    cancel_receipt_urls = _Any()
    cash_receipt_issued = _Any()
    customer_uid = _Text()
    promotion = _Any()
    extension = _Any()

    @property
    def holds_money(self) -> bool:
        """Whether it was paid, and not given back in full."""
        paid = self.status == PaymentStatus.PAID
        partly = self.status == PaymentStatus.CANCELLED and self.cancel_amount > 0
        charged = self.customer_uid_usage != "issue"  # a card's registration charges nothing
        return charged and (paid or partly) and self.cancel_amount < self.amount

    @property
    def remaining(self) -> Decimal:
        """The amount less what has been cancelled."""
        return EXACT.subtract(self.amount, self.cancel_amount)


class Verdict(StrEnum):
    """What is true of a payment. Each is a row of the table of answers."""

    PAID = "paid"
    PARTLY_CANCELLED = "partly_cancelled"
    VIRTUAL_ACCOUNT = "virtual_account"
    PENDING = "pending"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"
    LATE = "late"
    FORGERY = "forgery"
    UNKNOWN_PAYMENT = "unknown_payment"
    UNKNOWN_ORDER = "unknown_order"


class Reason(StrEnum):
    """Why a verdict is FORGERY, PENDING or LATE. For the log and the hook only; of REFUSED, which
    the shop itself decided, the buyer reads a sentence too."""

    AMOUNT = "amount"
    CURRENCY = "currency"
    ORDER = "order"
    ACCOUNT = "account"
    TEST_PAYMENT = "test_payment"
    CARD_REGISTRATION = "card_registration"
    METHOD = "method"
    UNLIMITED_ACCOUNT = "unlimited_account"
    WENT_BACK = "went_back"
    REFUSED = "refused"


MONEY = ":money"
"""How the change of a forgery ends whose money is there."""


class Settled(StrEnum):
    """What the store did with an outcome."""

    NEW = "new"
    REPEATED = "repeated"
    DUPLICATE = "duplicate"
    LATE = "late"
    STALE = "stale"
    REVIEW = "review"


class ReceiptState(StrEnum):
    """Where a recorded payment stands."""

    WAITING = "waiting"
    PAYING = "paying"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"
    LATE = "late"


@dataclass(frozen=True)
class ExpectedPayment:
    """What the shop asks for an order.

    Args:
        merchant_uid: The order's number; another number than the one asked for means "no such
            order".
        amount: An int, a Decimal or plain decimal text ("10.99"), above zero, in the
            currency's main unit.
        currency: ISO 4217: three letters.
        account: With `accounts`, the name of the one that the order is paid to; without, it says
            nothing.
        open: Whether the order may still be paid: `row.state == "new"`. False for one that was
            cancelled or has expired; a payment that comes then is LATE, and pays nothing. True
            while a virtual account waits for its deposit.
        pay_methods, pg_providers: Where given, the only ones that the order allows, as the gateway
            writes them. Another one is a forgery *after* the money has moved, so choose in the
            console's channels what a buyer may use, and not here. A wallet that was asked for as
            "card" may be reported as "point": allow that too, or leave pay_methods out.
        metadata: Anything of the shop's own, handed on to its hooks.

    Raises:
        StoreError: An amount, a currency or a name of a wrong type or value; the text says which.
    """

    merchant_uid: str
    amount: Decimal
    currency: str
    account: str | None
    open: bool
    pay_methods: frozenset[str] | None
    pg_providers: frozenset[str] | None
    metadata: object = field(repr=False, compare=False)

    def __init__(
        self,
        merchant_uid: str,
        amount: Decimal | int | str,
        currency: str = "KRW",
        *,
        account: str | None = None,
        open: bool = True,
        pay_methods: Collection[str] | None = None,
        pg_providers: Collection[str] | None = None,
        metadata: object = None,
    ) -> None:
        if not isinstance(merchant_uid, str):
            _refuse("merchant_uid", "text", merchant_uid)
        if currency != "KRW":
            _check_currency(currency)
        if account is not None and not isinstance(account, str):
            _refuse("account", "text or None", account)
        if not isinstance(open, int):
            _refuse("open", "True or False", open)
        put = object.__setattr__  # as `dataclass` itself fills a frozen value
        put(self, "merchant_uid", merchant_uid)
        put(self, "amount", read_price(amount))
        put(self, "currency", currency.upper())
        put(self, "account", account)
        put(self, "open", bool(open))
        put(self, "pay_methods", _names("pay_methods", pay_methods))
        put(self, "pg_providers", _names("pg_providers", pg_providers))
        put(self, "metadata", metadata)

    def allows(self, payment: Payment) -> bool:
        """Whether the payment's method and PG are among those that the order allows, where it
        says."""
        method = self.pay_methods is None or payment.pay_method in self.pay_methods
        return method and (self.pg_providers is None or payment.pg_provider in self.pg_providers)


def _check_currency(currency: object) -> None:
    """Refuse what is not three letters: "KRW " from a padded column, for example, would make a
    forgery of every payment."""
    what = "three letters, as ISO 4217 has them"
    if not isinstance(currency, str):
        _refuse("currency", what, currency)
    code = str(currency)
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise StoreError(f"ExpectedPayment.currency must be {what}, not {code[:10]!r}")


def _refuse(name: str, what: str, value: object) -> NoReturn:
    raise StoreError(f"ExpectedPayment.{name} must be {what}, not {type(value).__name__}")


def _names(name: str, given: Collection[str] | None) -> frozenset[str] | None:
    if given is None:
        return None
    what = "a set or list of names"
    # One name's brackets forgotten: "card" is not c, a, r, d.
    if not isinstance(given, Collection) or isinstance(given, str | bytes):
        _refuse(name, what, given)
    names = frozenset(given)
    for each in names:
        if not isinstance(each, str):
            _refuse(name, f"{what}, all text", each)
    if any(each != each.strip() or not each for each in names):
        raise StoreError(f"ExpectedPayment.{name} must be names without white space at an end")
    return names


def read_expected(merchant_uid: str, given: object) -> ExpectedPayment | None:
    """Turn what a shop said about an order into what the rules read.

    An answer that names another order is none: a database that folds case or pads finds too much.

    Raises:
        StoreError: Anything but an ExpectedPayment, an exact amount or None.
    """
    if isinstance(given, ExpectedPayment):
        return given if given.merchant_uid == merchant_uid else None
    if given is None:
        return None
    if isinstance(given, CoroutineType):
        given.close()  # a plain `expected` that calls an async one; unawaited it would only warn
    try:
        return ExpectedPayment(merchant_uid, given)  # type: ignore[arg-type]  # it refuses what is no amount
    except StoreError as error:
        raise StoreError(f"order {merchant_uid!r}: {error}") from None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a request claims about a payment. Untrusted, never stored."""

    imp_uid: str | None
    merchant_uid: str | None = None
    failed: bool = False
    amount: Decimal | None = None


ADOPT = "adopt"
"""The endpoint of an old payment that a shop takes over (`Verifier.adopt`)."""


@dataclass(frozen=True)
class Outcome:
    """A verdict and all that led to it: what `verify` returns and what every hook and store method
    gets.

    Attributes:
        imp_uid: None where a redirect named no payment and none was found.
        merchant_uid: The number that the *gateway* gives, None for an unknown payment.
        expected: What the shop said about the order, None where it knows none.
        endpoint: complete, redirect, webhook, cancel, give_back, reconcile, adopt or call.
        settled: What the store did; None before it spoke, or where it keeps nothing.
        refetched: Fetched again after a STALE, and the same answer came again.
        cancellations: In a hook, the refunds that were not handed on before; else empty.
        paid_by: In on_duplicate, the imp_uid that paid the order.
    """

    verdict: Verdict
    reason: Reason | None = None
    imp_uid: str | None = None
    merchant_uid: str | None = None
    payment: Payment | None = None
    expected: ExpectedPayment | None = None
    endpoint: str = "call"
    settled: Settled | None = None
    refetched: bool = False
    cancellations: tuple[Cancellation, ...] = ()
    paid_by: str | None = None
    part: str | None = field(default=None, repr=False)
    """What tells this change from others of the same verdict and reason: a refund's or a deposit's
    key."""
    asked: str | None = field(default=None, repr=False, compare=False)
    """The account that was asked, where there are several: for the log."""

    @property
    def paid(self) -> bool:
        """Whether the money for this order is there: the one thing to ship on."""
        good = self.verdict is Verdict.PAID or self.verdict is Verdict.PARTLY_CANCELLED
        return good and (self.settled is Settled.NEW or self.settled is Settled.REPEATED)

    @property
    def money(self) -> bool:
        """Whether money is there, whatever it is for: paid and not given back in full. A card
        registration that the gateway calls paid has charged nothing."""
        payment = self.payment
        if payment is None or self.reason is Reason.CARD_REGISTRATION:
            return False
        return payment.holds_money

    @property
    def change(self) -> str:
        """The change this outcome stands for, within its payment: the verdict, then the reason or
        the refund. A forgery with money is another change than one without: the shop hears of it
        even where it heard of the first."""
        change = str(self.verdict)
        if self.reason is not None:
            change += f":{self.reason}"
        if self.verdict is Verdict.FORGERY and self.money:
            change += MONEY
        return f"{change}:{self.part}" if self.part else change

    @property
    def key(self) -> str:
        """Names this change: the same however often it is delivered, so that a hook can see what it
        has done already. It does not name the payment: once a part is refunded, `settle` gets the
        same payment under another key."""
        return f"{self.imp_uid}:{self.change}"


if TYPE_CHECKING:
    from dataclasses import replace as outcome_with  # so that names and types are checked
else:

    def outcome_with(outcome, **changes):
        """Return the outcome with other values, as `dataclasses.replace` does."""
        # Not by that: it goes through thirteen fields by name, in 4.0 us against 0.6, and a store
        # that settles a payment (in about 90 us on SQLite) makes two or three of these.
        changed = object.__new__(Outcome)
        values = changed.__dict__
        values.update(outcome.__dict__)
        values.update(changes)
        return changed


@dataclass(frozen=True)
class Receipt:
    """What a store remembers of one payment. Amounts are in the currency's main unit.

    Attributes:
        state: waiting, paying, failed, cancelled, duplicate or late (`ReceiptState`).
        account: The account that it was looked up with and will be, whatever the order names
            later; None where there was only one.
        test: Whether it went through a test channel.
        reason: REFUSED where the shop's `on_paid` gave the payment back (`GiveBack`); it then never
            pays the order. Else None.
    """

    imp_uid: str
    merchant_uid: str
    state: ReceiptState
    amount: Decimal
    cancel_amount: Decimal = Decimal(0)
    currency: str = "KRW"
    account: str | None = None
    test: bool = False
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Where the money of a virtual account goes back to: a buyer's bank account. Its repr shows
    nothing of it, and no store keeps it.

    Args:
        holder: The name that the account is in.
        bank: The bank's code, which is the PG's own: Inicis `88` and KCP `BK88` are one bank.
        account: The account's number.
        tel: The buyer's telephone number, which Smartro asks for.

    Raises:
        InvalidRequest: A field is no text, or blank.
    """

    holder: str = field(repr=False)
    bank: str = field(repr=False)
    account: str = field(repr=False)
    tel: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("holder", "bank", "account", "tel"):
            value = getattr(self, name)
            usable = isinstance(value, str) and value.strip() and value.isprintable()
            del value
            if not usable and (name != "tel" or self.tel is not None):
                raise InvalidRequest(f"Refund.{name} must be text")

    def fields(self) -> dict[str, object]:
        """Return them under the gateway's names. Source: V1 REST API, POST /payments/cancel."""
        return {
            "refund_holder": self.holder,
            "refund_bank": self.bank,
            "refund_account": self.account,
            "refund_tel": self.tel,
        }


LEFT_TO_A_PERSON = ("asked", "needs_account", "unknown_payment", "order_refunded")
"""What an error of a row of `imp_dues` may say so that nobody tries it again by itself."""


@dataclass(frozen=True, slots=True)
class Due:
    """Money of one payment that pays no order and is to be given back: a row of `imp_dues`. Times
    are aware UTC.

    Attributes:
        kind: forgery, duplicate, late or refused.
        amount: What was left of the payment when it was last observed, in the currency's main unit.
        account: The account that the payment was looked up with; None where there is only one.
        test: Whether it went through a test channel.
        begun: When it was first claimed: from then on the payment never pays an order.
        tries: How often it was claimed.
        next_try: Not before then is it tried again, or, while it is claimed, claimed by another.
            None: only a person tries again.
        error: Why the last try came to nothing: a word, or the gateway's own text, clipped.
        created: When it was found to be due.
        done: When it was seen to be given back, or to pay its order after all; None: it is open.
    """

    imp_uid: str
    merchant_uid: str
    kind: str
    amount: Decimal
    currency: str
    account: str | None
    test: bool
    begun: datetime | None
    tries: int
    next_try: datetime | None
    error: str | None
    created: datetime
    done: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """How far `reconcile` came with one account: a row of `imp_runs`. Times are aware UTC.

    Attributes:
        account: "" where the shop has only one.
        began: When the store began: written once, and never moved.
        since, until: The window that is being read, or was read last.
        page: The next page to read, from the last to the first; None: no run is under way.
        finished: The `until` of the last run that ended.
    """

    account: str
    began: datetime
    since: datetime | None = None
    until: datetime | None = None
    page: int | None = None
    finished: datetime | None = None


class FindingKind(StrEnum):
    """What is not right about a payment, as `reconcile` finds it."""

    MISSING = "missing"
    """Money is there, and no receipt."""
    REFUND_MISSING = "refund_missing"
    """The receipt knows less of what was given back."""
    DIFFERS = "differs"
    """Amount, currency or state are not the receipt's."""
    UNKNOWN_ORDER = "unknown_order"
    WAITING_PAID = "waiting_paid"
    """Paid at the gateway, and waiting here."""
    WAITING_OVER = "waiting_over"
    """A virtual account that ran out, or was given up."""
    DUE = "due"
    """To be given back."""
    NOT_THERE = "not_there"
    """Recorded or listed, and unknown when it is looked up."""
    TOO_OLD = "too_old"
    """Paid before the store began; it is never recorded unless asked for."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One payment that is not right.

    Attributes:
        payment: As it was listed; None where it was not.
        receipt: As it was before anything was repaired.
        outcome: What the repair came to; None where none was tried, or it failed.
        error: Why it failed, or why the payment cannot be read; nothing of a buyer is in it.
    """

    kind: FindingKind
    imp_uid: str | None
    merchant_uid: str | None
    payment: Payment | None = None
    receipt: Receipt | None = None
    outcome: Outcome | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that verifying needs.

    Attributes:
        name: store, or gateway.
        ok: Whether it answered as it should.
        text: What is wrong; None where nothing is. It holds no secret.
        account: Of several the one that the gateway was asked with.
    """

    name: str
    ok: bool
    text: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether payments can be verified now (`Verifier.health`).

    Attributes:
        ok: Whether all checks are.
        checks: The store's, then the gateway's, one for each account.
    """

    ok: bool
    checks: tuple[HealthCheck, ...]
