"""One payment attempt as a frozen value, and how the gateway writes it; no rule of change."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from imp_verify.sandbox.errors import UNSAID
from imp_verify.sandbox.pgs import Pg, pg

RECEIPTS = "https://receipt.example/"
"""Where a receipt would be: a host that nobody can have."""
BUYER = ("buyer_name", "buyer_email", "buyer_tel", "buyer_addr", "buyer_postcode")
_LONGEST = (16, 64, 16, 128, 8)
"""Of these, in characters; and of the order's title. The documented answers have none longer."""
_LONGEST_NAME = 40
_CASH = ("trans", "vbank")
"""What a receipt for cash is issued of."""
_BANK = ("088", "신한은행")
_WALLETS = {
    "naverpay": "naverpay",
    "kakaopay": "kakaopay",
    "payco": "payco",
    "samsung": "samsungpay",
    "samsungpay": "samsungpay",
    "ssgpay": "ssgpay",
    "lpay": "lpay",
    "applepay": "applepay",
    "tosspay": "tosspay",
}
"""For a `pay_method` the easy-pay wallet, as `emb_pg_provider` has it."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One entry of cancel_history."""

    cancellation_id: str
    pg_tid: str
    amount: Decimal
    cancelled_at: int
    reason: str | None
    tax_free: Decimal = Decimal(0)

    @property
    def said(self) -> str:
        """The reason that is told, also where none was given."""
        return UNSAID if self.reason is None else self.reason

    @property
    def receipt_url(self) -> str:
        """Where its receipt would be."""
        return RECEIPTS + self.cancellation_id

    def wire(self) -> dict[str, object]:
        """Return the entry as the gateway writes it."""
        return {
            "pg_tid": self.pg_tid,
            "amount": self.amount,
            "cancelled_at": self.cancelled_at,
            "reason": self.said,
            "receipt_url": self.receipt_url,
            "cancellation_id": self.cancellation_id,
        }


_VOUCHERS = ("cultureland", "smartculture", "culturegift", "booknlife")
_VOUCHERS_UNASKED = ("danal", "danal_tpay", "mobilians", "mobilians_v2")


@dataclass(frozen=True, slots=True)
class Deposit:
    """One entry of deposit_history, of an account that takes any number of them."""

    pg_tid: str
    amount: Decimal
    depositor_name: str | None
    deposited_at: int

    def wire(self) -> dict[str, object]:
        """Return the entry as the gateway writes it."""
        return {
            "pg_tid": self.pg_tid,
            "amount": self.amount,
            "depositor_name": self.depositor_name,
            "deposited_at": self.deposited_at,
        }


@dataclass(frozen=True, slots=True)
class Card:
    """What the gateway tells about the card that paid."""

    apply_num: str
    code: str = "361"
    name: str = "BC카드"
    number: str = "400000******0002"
    quota: int = 0
    kind: int | None = 0


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was taken off the price, and what must be left of it for that to stay so."""

    id: str
    discount: Decimal
    least: Decimal = Decimal(0)

    def wire(self) -> dict[str, object]:
        """Return it as the gateway writes it."""
        return {"id": self.id, "discount": self.discount}


@dataclass(frozen=True, slots=True)
class VirtualAccount:
    """The bank account issued for one attempt; `due` and `issued_at` are Unix seconds.

    Attributes:
        expired: Its deadline has passed. It may be waiting all the same: see `account_expired`.
    """

    number: str
    due: int
    issued_at: int
    code: str = "088"
    bank: str = "신한은행"
    holder: str | None = "샌드박스"
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One payment attempt. Times are Unix seconds, 0 where the event has not happened."""

    imp_uid: str
    merchant_uid: str
    account: str
    amount: Decimal
    started_at: int
    number: int
    tier: str | None = None
    currency: str = "KRW"
    pay_method: str = "card"
    channel: str = "pc"
    pg_provider: str = "html5_inicis"
    pg_tid: str | None = None
    pg_id: str = "SANDBOXMID"
    sandbox: bool = False
    name: str | None = None
    escrow: bool = False
    tax_free: Decimal = Decimal(0)
    promotion: Promotion | None = None
    emb_pg_provider: str | None = None
    buyer: tuple[str | None, ...] = (None,) * len(BUYER)
    custom_data: str | None = None
    user_agent: str | None = None
    customer_uid: str | None = None
    customer_uid_usage: str | None = None
    notice_urls: tuple[str, ...] = ()
    confirm_url: str | None = None
    status: str = "ready"
    card: Card | None = None
    vbank: VirtualAccount | None = None
    vbank_due: int = 0
    cancellations: tuple[Cancellation, ...] = ()
    deposits: tuple[Deposit, ...] = ()
    paid_at: int = 0
    failed_at: int = 0
    cancelled_at: int = 0
    updated_at: int = 0
    fail_reason: str | None = None
    error_code: str | None = None

    @property
    def pg(self) -> Pg:
        """Its PG's row."""
        return pg(self.pg_provider)

    @property
    def cancel_amount(self) -> Decimal:
        """What was given back so far."""
        return sum((entry.amount for entry in self.cancellations), Decimal(0))

    @property
    def remaining(self) -> Decimal:
        """What can still be given back; 0 for an attempt that never was paid."""
        return self.amount - self.cancel_amount if self.paid_at else Decimal(0)

    @property
    def waits_for_deposit(self) -> bool:
        """Whether a virtual account was issued and nothing came in yet."""
        return self.status == "ready" and self.vbank is not None

    @property
    def in_window(self) -> bool:
        """Whether the buyer still has it open: neither ended nor an account issued."""
        return self.status == "ready" and self.vbank is None

    @property
    def confirms(self) -> bool:
        """Whether its PG can ask the shop before it approves: vouchers settle in one step at some.

        Source: V1 confirm process page; the page of KG Mobilians.
        """
        voucher = self.pay_method in _VOUCHERS and self.pg_provider in _VOUCHERS_UNASKED
        return self.pg.confirms and not voucher

    @property
    def unlimited(self) -> bool:
        """Whether its account takes any deposits for ever. Source: Hecto's page, `settle`."""
        return self.vbank is not None and self.pg.unlimited_accounts and not self.amount

    @property
    def cancels_later(self) -> bool:
        """Whether its PG accepts a cancel and carries it out later.

        Source: V1 REST API, POST /payments/cancel, on paypal_v2; the PGs' own pages and release
        notes on Paymentwall, WeChat, and accounts of the new Smartro.
        """
        if self.pay_method == "vbank":
            return self.pg.cancels_accounts_later
        return self.pg.cancels_later or self.pay_method == "wechat"

    def wire(self, *, extension: bool = False) -> dict[str, object]:
        """Return the attempt as the gateway writes it: every documented field, with its type.

        Args:
            extension: Whether what its PG alone has is asked for.

        Source: V1 REST API, GET /payments/{imp_uid}.
        """
        promotion = self.promotion
        return {
            "imp_uid": self.imp_uid,
            "merchant_uid": self.merchant_uid,
            "pay_method": self.pay_method,
            "channel": self.channel,
            "pg_provider": self.pg_provider,
            "emb_pg_provider": self.emb_pg_provider,
            "pg_tid": self.pg_tid,
            "pg_id": self.pg_id,
            "sandbox": self.sandbox,
            "escrow": self.escrow,
            **self._wire_card(),
            **self._wire_account(),
            "name": self.name and self.name[:_LONGEST_NAME],
            "amount": self.amount,
            "cancel_amount": self.cancel_amount,
            "currency": self.currency,
            **{
                name: value and value[:longest]
                for name, value, longest in zip(BUYER, self.buyer, _LONGEST, strict=True)
            },
            "custom_data": self.custom_data,
            "user_agent": self.user_agent,
            **self._wire_state(),
            "customer_uid": self.customer_uid,
            "customer_uid_usage": self.customer_uid_usage,
            "promotion": promotion.wire() if promotion else None,
            **({"extension": self._wire_extension()} if extension and self.pg.extension else {}),
        }

    def _wire_extension(self) -> dict[str, object]:
        """Return what Kiwoompay alone tells: who paid in. What it calls that is not documented."""
        paid_in = self.vbank is not None and self.paid_at
        return {"REMITTER": self.buyer[0] if paid_in else None}

    def _wire_state(self) -> dict[str, object]:
        last = self.cancellations[-1] if self.cancellations else None
        return {
            "status": self.status,
            "started_at": self.started_at,
            "paid_at": self.paid_at,
            "failed_at": self.failed_at,
            "cancelled_at": self.cancelled_at,
            "fail_reason": self.fail_reason,
            "cancel_reason": last.said if last else None,
            "receipt_url": RECEIPTS + self.imp_uid if self.paid_at else None,
            "cancel_history": [entry.wire() for entry in self.cancellations],
            "cancel_receipt_urls": [entry.receipt_url for entry in self.cancellations],
            "cash_receipt_issued": bool(self.paid_at) and self.pay_method in _CASH,
        }

    def _wire_card(self) -> dict[str, object]:
        card = self.card
        issuer = (card.code, card.name) if card and self.pg.issuer else (None, None)
        return {
            "apply_num": card.apply_num if card else None,
            "card_code": card.code if card else None,
            "card_name": card.name if card else None,
            "card_issuer_code": issuer[0],
            "card_issuer_name": issuer[1],
            "card_publisher_code": issuer[0],
            "card_publisher_name": issuer[1],
            "card_quota": card.quota if card else 0,
            "card_number": card.number if card else None,
            "card_type": card.kind if card else None,
        }

    def _wire_account(self) -> dict[str, object]:
        vbank = self.vbank
        history = [entry.wire() for entry in self.deposits]
        bank = _BANK if self.pay_method == "trans" and self.paid_at else (None, None)
        return {
            "bank_code": bank[0],
            "bank_name": bank[1],
            **({"deposit_history": history} if self.unlimited else {}),
            "vbank_code": vbank.code if vbank else None,
            "vbank_name": vbank.bank if vbank else None,
            "vbank_num": vbank.number if vbank else None,
            "vbank_holder": vbank.holder if vbank else None,
            "vbank_date": vbank.due if vbank else 0,
            "vbank_issued_at": vbank.issued_at if vbank else 0,
        }


def wallet_of(method: str, provider: str) -> str | None:
    """Name the wallet that a method is within another PG's window; None where it is none, or the
    PG's own.
    """
    wallet = _WALLETS.get(method)
    return None if wallet is None or provider.startswith(wallet) else wallet
