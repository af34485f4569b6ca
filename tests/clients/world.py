"""What each call finds at the gateway: an account of its own, with a payment in every state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from imp_verify.sandbox import Sandbox
from imp_verify.sandbox.registrations import Registration

PAYMENTS: dict[str, dict[str, Any]] = {
    "paid": {"name": "의자", "buyer_name": "홍길동"},
    "part": {"status": "cancelled", "cancelled": [10000]},
    "cancelled": {"status": "cancelled"},
    "failed": {"status": "failed"},
    "waiting": {"status": "ready", "pay_method": "vbank", "pg_provider": "settle"},
    "deposited": {"pay_method": "vbank"},
    "payco": {"pg_provider": "payco"},
    "test": {"sandbox": True},
    "tiered": {"tier": "ABC"},
    "stored": {"customer_uid": "cu1", "customer_uid_usage": "issue", "amount": 0},
    "declined": {"status": "failed", "merchant_uid": "ORD-TWICE"},
    "then": {"merchant_uid": "ORD-TWICE"},
}
"""Each of 39,000 won, in the order in which they were begun."""
PREPARED = "ORD-PREPARED"
UNKNOWN = "imp_000000000000"
"""No payment has it: those of the sandbox are drawn from too many."""


def furnish(sandbox: Sandbox, account: str) -> dict[str, str]:
    """Make the payments; give for each name its number."""
    names = {}
    for name, fields in PAYMENTS.items():
        usual = {"merchant_uid": f"ORD-{name.upper()}", "amount": 39000, "account": account}
        names[name] = sandbox.gateway.make(**{**usual, **fields}).imp_uid
    prepared = Registration(PREPARED, Decimal(39000), None)
    sandbox.gateway.registrations.add(account, prepared)
    return {**names, "unknown": UNKNOWN}
