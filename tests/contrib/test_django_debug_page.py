"""What Django's debug page, and a traceback with its variables, show of a payment that failed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from traceback import TracebackException
from typing import Any

import pytest
from django.test import RequestFactory, override_settings
from django.views.debug import technical_500_response

from imp_verify import ConfigurationError, Outcome
from imp_verify.contrib.django import get_verifier
from imp_verify.stores.memory import MemoryStore
from tests.support import django_site as site
from tests.support import markers
from tests.support.gateway import (
    I1,
    I2,
    ORDER,
    PRICE,
    RESET,
    UNAUTHORIZED,
    Reply,
    ScriptedGateway,
    envelope,
    payment,
)

SECRETS = (markers.KEY, markers.SECRET, markers.TOKEN, markers.BUYER_NAME)
HTML = {"headers": {"Accept": "text/html"}}


def _page(answer: Any) -> str:
    page = answer.content.decode()
    return str(re.split(r'id="settings-info"|^Settings:', page, flags=re.MULTILINE)[0])


def pages(call: Callable[[], object]) -> str:
    """Return all that is shown of what a view of the shop's own raised, as a page, as text and with
    its variables; but for the settings, of which Django itself hides what it knows by name."""
    assert site.urlpatterns
    texts: list[str] = []
    for headers in (HTML, {}):
        request: Any = RequestFactory(**headers).get("/own")
        try:
            call()
        except Exception:
            kind, error, trace = sys.exc_info()
            assert kind is not None
            assert error is not None
            texts.append(_page(technical_500_response(request, kind, error, trace)))
            shown = TracebackException(kind, error, trace, capture_locals=True)
            texts.append("".join(shown.format()))
    assert len(texts) == 4
    return "\n".join(texts)


def setting(gateway: ScriptedGateway, **more: Any) -> dict[str, Any]:
    return {
        "STORE": MemoryStore(expected=lambda number, _: PRICE, on_paid=more.pop("on_paid", None)),
        "CREDENTIALS": {"KEY": markers.KEY, "SECRET": markers.SECRET},
        "BASE_URL": gateway.address,
        "TEST_MODE": True,
        **more,
    }


def verify() -> object:
    verifier: Any = get_verifier()
    return verifier.verify(I1, ORDER)


def assert_nothing_is_shown(text: str, *frames: str) -> None:
    for frame in frames:
        assert frame in text
    assert [each for each in SECRETS if each in text] == []


def test_n06_a_hook_that_raises_shows_no_secret_on_the_debug_page(
    gateway: ScriptedGateway,
) -> None:
    gateway.has()

    def hook(outcome: Outcome, _: None) -> None:
        raise RuntimeError("the shop's hook")

    with override_settings(DEBUG=True, IMP_VERIFY=setting(gateway, on_paid=hook)):
        assert_nothing_is_shown(pages(verify), "the shop&#x27;s hook", "outcome = Outcome(")


@pytest.mark.parametrize("observer", [None, "imp_verify.contrib.otel.OpenTelemetry"])
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, str(payment()).encode()), "GatewayProtocolError"),
        (Reply(200, envelope(payment(amount="x"))), "GatewayProtocolError"),
        (Reply(200, envelope(payment(imp_uid=I2))), "GatewayProtocolError"),
        (Reply(503, envelope(payment())), "GatewayUnavailable"),
        (RESET, "GatewayReset"),
    ],
)
def test_n06_trouble_with_the_gateway_shows_no_secret_on_the_debug_page(
    gateway: ScriptedGateway, reply: Reply, said: str, observer: str | None
) -> None:
    gateway.has()
    gateway.lookups.extend([reply] * 8)
    given = setting(gateway, OBSERVER=observer)
    with override_settings(DEBUG=True, IMP_VERIFY=given):
        assert_nothing_is_shown(pages(verify), said, "imp_verify")


@pytest.mark.parametrize("refused", ["credentials", "look-up"])
def test_n06_refused_credentials_show_no_secret_on_the_debug_page(
    gateway: ScriptedGateway, refused: str
) -> None:
    gateway.has()
    script = gateway.tokens if refused == "credentials" else gateway.lookups
    script.extend([UNAUTHORIZED] * 9)
    with override_settings(DEBUG=True, IMP_VERIFY=setting(gateway)):
        assert_nothing_is_shown(pages(verify), "GatewayRefused", "imp_verify")


WRONG: dict[str, dict[str, Any]] = {
    "a limit": {"TIMEOUT": 0},
    "credentials": {"CREDENTIALS": {"KEY": markers.KEY, "SECRET": f" {markers.SECRET}"}},
    "an argument": {"CREDENTIALS": {"KEY": markers.KEY, "SECRT": markers.SECRET}},
    "a path": {"CREDENTIALS": markers.SECRET},
    "accounts": {"ACCOUNTS": {"kr": {"KEY": markers.KEY, "SECRET": markers.SECRET}}},
    "a name": {"STOER": None},
    "a module": {"LANDING": "tests.support.no_such_module.LANDING"},
    "a module that fails": {"LANDING": "tests.contrib._fails.LANDING"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_n06_a_setting_that_is_wrong_shows_no_secret_on_the_debug_page(
    gateway: ScriptedGateway, wrong: str
) -> None:
    given = setting(gateway, **WRONG[wrong])
    with override_settings(DEBUG=True, IMP_VERIFY=given):
        with pytest.raises((ConfigurationError, ZeroDivisionError)):
            get_verifier()
        text = pages(get_verifier)
    assert_nothing_is_shown(text, "get_verifier")
    assert ("1 / 0" in text) == (wrong == "a module that fails")  # the shop sees its own line
