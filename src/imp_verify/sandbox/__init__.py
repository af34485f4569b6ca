"""The offline gateway: the V1 API with state, the browser SDK's stand-in and a payment window.

`SandboxServer` and `application` need the extra `sandbox`: `pip install "imp-verify[sandbox]"`. All
else, the API as a function among it, needs none.

The SDK's stand-in is at the paths of the real one, `/v1/iamport.js` and
`/js/iamport.payment-{version}.js`, and behaves as the build that the path names: 1.1.x, 1.2.x,
1.3.x or the newest. It calls back, then hides its frame, then builds all frames anew, so that a
payment begun inside the callback is closed by that. A second `init` is no error. Without `init` or
parameters, and where a popup is blocked, there is an alert and no callback. On a phone it shows a
dialog for a second and then posts the page to the window. `loadUI` puts a button into the element
of the class `portone-ui-container`, which `updateLoadUIRequest` gives other parameters.
`certification`, `communicate`, `naver_zzim` and `loadModule` are there and do nothing. What is not
the build's choice is set by `Settings`: a window that is slow to show, closes without a callback,
or never comes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.api import Api
from imp_verify.sandbox.attempt import Attempt, Cancellation, Deposit, VirtualAccount
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.deliveries import Delivery
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.journal import Entry, Journal
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.settings import Settings
from imp_verify.sandbox.state import Gateway
from imp_verify.sandbox.wire import ApiAnswer, ApiRequest

if TYPE_CHECKING:
    from imp_verify.sandbox.server import SandboxServer, application

__all__ = [
    "Account",
    "Api",
    "ApiAnswer",
    "ApiRequest",
    "Attempt",
    "Cancellation",
    "Clock",
    "Delivery",
    "Deposit",
    "Entry",
    "Fault",
    "Gateway",
    "Journal",
    "Refused",
    "Sandbox",
    "SandboxServer",
    "Settings",
    "VirtualAccount",
    "application",
]


def __getattr__(name: str) -> object:
    """Load the server when it is asked for: all else works without its extra."""
    if name not in ("SandboxServer", "application"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        server = import_module("imp_verify.sandbox.server")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"imp_verify.sandbox.{name} needs Starlette and uvicorn: "
            'pip install "imp-verify[sandbox]"'
        ) from error
    made: object = getattr(server, name)
    return made
