"""The built-in page, by every adapter: the core's bytes and headers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imp_verify import Landing, Request, Verifier
from imp_verify.stores.memory import MemoryStore
from tests.support.gateway import I1, ORDER, PRICE, ScriptedGateway
from tests.support.shop import ASYNC, PLAIN, MakeShop, credentials

TARGETS = Landing(theme={"accent": "#0a6b4f"})
RETURN = f"imp_uid={I1}&merchant_uid={ORDER}&imp_success=true"
SERVERS_OWN = {"content-length", "date", "server", "transfer-encoding"}


@pytest.fixture(params=[f"{framework}-memory" for framework in (*PLAIN, *ASYNC)])
def kind(request: pytest.FixtureRequest) -> str:
    """Every framework, in memory."""
    return str(request.param)


@pytest.fixture
def core(gateway: ScriptedGateway) -> Iterator[Verifier]:
    verifier = Verifier(
        MemoryStore(expected=lambda order, _: PRICE if order == ORDER else None),
        credentials=credentials(),
        base_url=gateway.address,
        test_mode=True,
        landing=TARGETS,
        language="auto",
    )
    yield verifier
    verifier.close()


@pytest.mark.parametrize("accepted", ["ko", "en"])
def test_every_page_is_the_cores_to_the_byte(
    make_shop: MakeShop, core: Verifier, gateway: ScriptedGateway, accepted: str
) -> None:
    shop = make_shop(landing=TARGETS, language="auto")
    for payment in (
        {"status": "failed", "fail_reason": "한도 초과 <b>"},
        {"status": "ready", "paid_at": 0},
        {},
        {"status": "cancelled", "cancel_amount": PRICE},
    ):
        gateway.has(**payment)
        headers = [("Accept-Language", accepted)]
        expected = core.serve("redirect", Request("GET", RETURN, headers, client="203.0.113.9"))
        answer = shop.ask("GET", f"/redirect?{RETURN}", headers=headers)
        assert (answer.status, answer.body) == (expected.status, expected.body)
        given = {k: v for k, v in answer.headers.items() if k not in SERVERS_OWN}
        assert given == {name.lower(): value for name, value in expected.headers}
        assert b"<!doctype html>" in answer.body
