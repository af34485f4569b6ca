"""What an adapter refuses when it is mounted, and not at the first payment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from imp_verify import AsyncVerifier, ConfigurationError, Credentials, ExpectedPayment, Verifier
from imp_verify.contrib import asgi, fastapi, flask, quart, starlette, wsgi
from imp_verify.contrib.browser import async_button, button, config, find_order
from imp_verify.contrib.django.conf import make_verifier
from imp_verify.stores.memory import MemoryStore
from tests.support import django_site  # noqa: F401  # it configures Django

KEYS: Any = {"credentials": Credentials("key", "secret"), "test_mode": True}
STORE = MemoryStore(expected=lambda *_: 1)
ORDER = ExpectedPayment("ORD-1", 1)
Mount = Callable[[Any], object]


async def shop(*_: object) -> None: ...


def run(make: Callable[[Any], Any]) -> Mount:
    return lambda given: asyncio.run(make(given))


def django_verifier(given: object) -> object:
    with override_settings(IMP_VERIFY={"VERIFIER": given}):
        return make_verifier()


PLAIN: dict[str, Mount] = {
    "flask": flask.payments,
    "wsgi": lambda given: wsgi.PaymentsMiddleware(lambda *_: [], given),
}
ASYNC: dict[str, Mount] = {
    "quart": quart.payments,
    "starlette": starlette.payments,
    "fastapi": fastapi.payments,
    "asgi": lambda given: asgi.PaymentsMiddleware(shop, given),
    "template_button": starlette.template_button,
    "find_order": run(lambda given: find_order(given, "ORD-1")),
    "async_button": run(lambda given: async_button(given, ORDER)),
}
EITHER: dict[str, Mount] = {
    "button": lambda given: button(given, ORDER),
    "config": lambda given: config(given, "ORD-1"),
    "django": django_verifier,
}
VERIFIERS = {"Verifier": Verifier(STORE, **KEYS), "AsyncVerifier": AsyncVerifier(STORE, **KEYS)}
NONE = {"MemoryStore": STORE, "function": shop, "NoneType": None, "str": "shop.payments"}
KINDS = {"Verifier": PLAIN, "AsyncVerifier": ASYNC, "Verifier or AsyncVerifier": EITHER}
WRONG = [
    pytest.param(mount, wanted, kind, given, id=f"{name}-{kind}")
    for wanted, mounts in KINDS.items()
    for name, mount in mounts.items()
    for kind, given in {**VERIFIERS, **NONE}.items()
    if kind not in wanted.split(" or ") and (name, kind) != ("django", "str")  # a dotted path
]


@pytest.mark.parametrize(("mount", "wanted", "kind", "given"), WRONG)
def test_what_is_no_verifier_of_the_kind_is_refused_and_both_are_named(
    mount: Mount, wanted: str, kind: str, given: object
) -> None:
    with pytest.raises(ConfigurationError, match=f"must be {wanted}, not {kind}$"):
        mount(given)
