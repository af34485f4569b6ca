"""The offline gateway: the V1 API with state, the browser SDK's stand-in and a payment window.

Needs the extra `sandbox`: `pip install "imp-verify[sandbox]"`.
"""

from __future__ import annotations

try:
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        'imp_verify.sandbox needs Starlette and uvicorn: pip install "imp-verify[sandbox]"'
    ) from error

from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt, Cancellation, VirtualAccount
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.outgoing import Delivery
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.server import SandboxServer, application
from imp_verify.sandbox.settings import Clock, Fault, Settings
from imp_verify.sandbox.state import Gateway

__all__ = [
    "Account",
    "Attempt",
    "Cancellation",
    "Clock",
    "Delivery",
    "Fault",
    "Gateway",
    "Refused",
    "Sandbox",
    "SandboxServer",
    "Settings",
    "VirtualAccount",
    "application",
]
