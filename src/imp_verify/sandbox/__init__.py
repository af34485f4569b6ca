"""The offline gateway: the V1 API with state, the browser SDK's stand-in and a payment window.

Needs the extra `sandbox`: `pip install "imp-verify[sandbox]"`.

The SDK's stand-in is at the paths of the real one, `/v1/iamport.js` and
`/js/iamport.payment-{version}.js`, and behaves as the build that the path names: 1.1.x, 1.2.x,
1.3.x or the newest. It calls back, then hides its frame, then builds all frames anew, so that a
payment begun inside the callback is closed by that. A second `init` is no error. Without `init` or
parameters, and where a popup is blocked, there is an alert and no callback. On a phone it shows a
dialog for a second and then posts the page to the window. `certification`, `communicate`,
`naver_zzim`, `loadUI`, `updateLoadUIRequest` and `loadModule` are there and do nothing. What is not
the build's choice is set by `Settings`: a window that is slow to show, closes without a callback,
or never comes.
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
from imp_verify.sandbox.attempt import Attempt, Cancellation, Deposit, VirtualAccount
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.outgoing import Delivery
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.server import SandboxServer, application
from imp_verify.sandbox.settings import Fault, Settings
from imp_verify.sandbox.state import Gateway

__all__ = [
    "Account",
    "Attempt",
    "Cancellation",
    "Clock",
    "Delivery",
    "Deposit",
    "Fault",
    "Gateway",
    "Refused",
    "Sandbox",
    "SandboxServer",
    "Settings",
    "VirtualAccount",
    "application",
]
