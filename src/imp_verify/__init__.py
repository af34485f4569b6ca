"""Be certain that a payment made through I'mport (PortOne V1) is real before you ship. Names only,
no code."""

from ._web.endpoints import ENDPOINTS
from ._web.http import MAX_BODY, Request, Response
from .errors import (
    ConfigurationError,
    GatewayError,
    GatewayProtocolError,
    GatewayRefused,
    GatewayUnavailable,
    GiveBack,
    ImpVerifyError,
    InvalidRequest,
    StoreError,
)
from .models import (
    Cancellation,
    ExpectedPayment,
    Finding,
    FindingKind,
    Health,
    HealthCheck,
    Outcome,
    Payment,
    PaymentStatus,
    Reason,
    Receipt,
    ReceiptState,
    Refund,
    Settled,
    Verdict,
)
from .order_numbers import order_number
from .settings import Checkout, Credentials, Landing
from .stores import AsyncOrderStore, OrderStore
from .verifier import AsyncVerifier, Verifier

__all__ = [
    "ENDPOINTS",
    "MAX_BODY",
    "AsyncOrderStore",
    "AsyncVerifier",
    "Cancellation",
    "Checkout",
    "ConfigurationError",
    "Credentials",
    "ExpectedPayment",
    "Finding",
    "FindingKind",
    "GatewayError",
    "GatewayProtocolError",
    "GatewayRefused",
    "GatewayUnavailable",
    "GiveBack",
    "Health",
    "HealthCheck",
    "ImpVerifyError",
    "InvalidRequest",
    "Landing",
    "OrderStore",
    "Outcome",
    "Payment",
    "PaymentStatus",
    "Reason",
    "Receipt",
    "ReceiptState",
    "Refund",
    "Request",
    "Response",
    "Settled",
    "StoreError",
    "Verdict",
    "Verifier",
    "order_number",
]
