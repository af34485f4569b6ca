"""The PGs as one table: what of a PG a shop can see. A PG that is not in it is as the first row.

Source: the PGs' own pages and the release notes, gathered in "traps of each PG"; where these differ
or are silent, the row keeps to what most PGs do.
"""

from __future__ import annotations

from dataclasses import dataclass

FULL = "full"
IDS_ALONE = "ids"
"""Of the two forms of a callback: everything, or the two ids and on failure the error."""

NEVER = "never"
ALWAYS = "always"
BY_AMOUNT = "by-amount"
PHONE = "phone"
"""When a payment that registers a card is charged as well; PHONE: where it is paid by phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pg:
    """One PG.

    Attributes:
        code: As `pg_provider` has it.
        callback: What the newer builds of the SDK tell the page: FULL or IDS_ALONE.
        redirect_on_pc: The browser leaves the page on a PC too.
        redirect_unless: The parameter that must be false for that; empty where there is none.
        callback_on_mobile: The page waits for a callback on a phone too.
        popup: The window is a popup, on a phone too.
        currency: The one that is meant where the page names none.
        currencies: Those that it takes; empty where that is not known.
        not_currencies: Those that it is known not to take.
        method: What `pay_method` says whatever the page asked for; None: what was asked for.
        balance_method: What it says of a payment from the wallet's balance or points.
        wallets_as_card: The methods in place of which it says card.
        mixed_number: Whether a `merchant_uid` may have more than letters and digits.
        shortest_number: Of a `merchant_uid`.
        longest_number: A longer one is cut to so many characters and then matches nothing.
        due_required: A virtual account needs `vbank_due`.
        vbank_holder: Whether the holder of a virtual account is told.
        vbank_number: What stands in place of a virtual account's number.
        vbank_in_mobile_callback: Whether a callback on a phone has the account.
        unlimited_accounts: An amount of 0 makes an account that takes any deposits.
        edits_accounts: A waiting account's amount and deadline can be changed.
        kill_needs_key: Giving up an account needs the parameter `pg_api_key`.
        refund_tel: A virtual account's refund needs the telephone number.
        cancel_needs_reason: A cancel needs `reason`.
        phone_to_account: A payment by phone can be given back later than in its month, to a bank
            account.
        most_parts: How many times a part may be given back; 0 where no limit is known.
        cancels_later: A cancel is accepted and carried out later.
        cancels_accounts_later: The same, of payments by virtual account alone.
        pending: A payment may wait for its approval when the window closes.
        fails_first: One that waits is told as failed, and is paid later.
        confirms: Asks the shop's `confirm_url` before it approves.
        issuing: Whether registering a card charges too: NEVER, ALWAYS, BY_AMOUNT or PHONE.
        issued_amount: What `amount` says where a card is registered and 0 was asked for.
        issued_back: After so many seconds that amount is given back; 0 for never.
        issues_as_zero: It says 0 of every card that is registered.
        amount_optional: `amount` may be left out and is 0 then.
        cancels_mismatch: Cancels at once what is approved for another amount than was asked for.
        issuer: Whether the card's issuer and publisher are told.
        flag_lies: `success` may be false on a paid payment.
        amount_changes: The buyer's wallet may change the amount.
        extension: Has fields of its own under `extension`.
        closed_prefix: Stands before the message of a closed window.
    """

    code: str = ""
    callback: str = FULL
    redirect_on_pc: bool = False
    redirect_unless: str = ""
    callback_on_mobile: bool = False
    popup: bool = False
    currency: str = "KRW"
    currencies: tuple[str, ...] = ()
    not_currencies: tuple[str, ...] = ()
    method: str | None = None
    balance_method: str | None = None
    wallets_as_card: tuple[str, ...] = ()
    mixed_number: bool = True
    shortest_number: int = 1
    longest_number: int | None = None
    due_required: bool = False
    vbank_holder: bool = True
    vbank_number: str | None = None
    vbank_in_mobile_callback: bool = True
    unlimited_accounts: bool = False
    edits_accounts: bool = False
    kill_needs_key: bool = False
    refund_tel: bool = False
    cancel_needs_reason: bool = False
    phone_to_account: bool = False
    most_parts: int = 0
    cancels_later: bool = False
    cancels_accounts_later: bool = False
    pending: bool = False
    fails_first: bool = False
    confirms: bool = True
    issuing: str = BY_AMOUNT
    issued_amount: int = 0
    issued_back: int = 0
    issues_as_zero: bool = False
    amount_optional: bool = False
    cancels_mismatch: bool = False
    issuer: bool = False
    flag_lies: bool = False
    amount_changes: bool = False
    extension: bool = False
    closed_prefix: str = ""


_HALF_AN_HOUR = 30 * 60
_ROWS = (
    Pg(code="html5_inicis", issuing=NEVER, kill_needs_key=True),
    Pg(code="inicis_jp", callback=IDS_ALONE, currency="JPY", currencies=("JPY",)),
    Pg(
        code="kcp",
        balance_method="point",
        wallets_as_card=("naverpay", "kakaopay", "payco"),
        vbank_in_mobile_callback=False,
        phone_to_account=True,
    ),
    Pg(code="kcp_billing", issuing=NEVER),
    Pg(
        code="tosspayments",
        callback=IDS_ALONE,
        balance_method="point",
        vbank_holder=False,
        issuing=NEVER,
        issuer=True,
    ),
    Pg(
        code="toss_brandpay",
        callback=IDS_ALONE,
        callback_on_mobile=True,
        currencies=("KRW",),
        issuer=True,
    ),
    Pg(code="nice", currencies=("KRW", "USD")),
    Pg(code="nice_v2", callback=IDS_ALONE, due_required=True, issuer=True),
    Pg(code="smartro", refund_tel=True),
    Pg(
        code="smartro_v2",
        callback=IDS_ALONE,
        not_currencies=("USD",),
        mixed_number=False,
        longest_number=40,
        refund_tel=True,
        cancels_accounts_later=True,
        issuing=NEVER,
        issuer=True,
    ),
    *(
        Pg(
            code=code,
            callback_on_mobile=True,
            amount_optional=True,
            issued_amount=10,
            issued_back=_HALF_AN_HOUR,
        )
        for code in ("danal", "danal_tpay")
    ),
    Pg(code="daou", flag_lies=True, extension=True, confirms=False),
    Pg(code="settle", unlimited_accounts=True, edits_accounts=True),
    Pg(code="settle_acc"),
    Pg(code="mobilians", shortest_number=4, issuing=PHONE),
    Pg(code="mobilians_v2", shortest_number=4, issuing=PHONE),
    Pg(
        code="ksnet",
        callback=IDS_ALONE,
        currencies=("KRW", "USD"),
        most_parts=9,
        issuer=True,
    ),
    Pg(code="kicc", issuing=NEVER),
    Pg(code="welcome", callback=IDS_ALONE, currencies=("KRW",), issuing=PHONE, issuer=True),
    Pg(code="galaxia", callback=IDS_ALONE, issuing=NEVER, issued_amount=1000),
    Pg(code="kakaopay", balance_method="point", closed_prefix="[결제포기] "),
    Pg(
        code="naverpay",
        redirect_on_pc=True,
        redirect_unless="naverPopupMode",
        issuing=NEVER,
        cancel_needs_reason=True,
    ),
    Pg(code="naverco", amount_changes=True, confirms=False),
    Pg(code="payco", callback_on_mobile=True, method="card", issuing=NEVER),
    Pg(code="smilepay", method="card", balance_method="point"),
    Pg(code="tosspay_v2", issuer=True),
    Pg(
        code="eximbay",
        callback_on_mobile=True,
        currency="USD",
        currencies=(
            *("KRW", "USD", "EUR", "GBP", "JPY", "THB"),
            *("SGD", "RUB", "HKD", "CAD", "AUD"),
        ),
        vbank_number="unknown",
        cancels_mismatch=True,
        confirms=False,
    ),
    Pg(code="paymentwall", cancels_later=True, pending=True, fails_first=True, issuing=ALWAYS),
    Pg(
        code="paypal",
        redirect_on_pc=True,
        currency="USD",
        not_currencies=("KRW",),
        cancels_later=True,
        pending=True,
        fails_first=True,
    ),
    Pg(
        code="paypal_v2",
        callback=IDS_ALONE,
        callback_on_mobile=True,
        popup=True,
        currency="USD",
        not_currencies=("KRW",),
        method="paypal",
        issues_as_zero=True,
        cancels_later=True,
        pending=True,
        issuer=True,
    ),
    Pg(
        code="payletter_global",
        callback=IDS_ALONE,
        currencies=("KRW", "USD", "JPY", "CNY"),
        mixed_number=False,
        pending=True,
    ),
    *(Pg(code=code, redirect_on_pc=True) for code in ("alipay", "chai")),
)
PGS = {row.code: row for row in _ROWS}
"""By code."""


def pg(code: str) -> Pg:
    """Return a PG's row; one without traps where it is not in the table."""
    return PGS.get(code) or Pg(code=code)
