"""The Quart blueprint in every form a shop may have, and whatever the shop did with the body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from quart import Blueprint, Quart, request
from quart.cli import routes_command

from imp_verify import AsyncVerifier
from imp_verify.contrib.quart import payments
from tests.support.apps import Apps
from tests.support.gateway import I1, ORDER, PRICE
from tests.support.shop import body

CLAIM = body(amount=PRICE)
FORM = f"imp_uid={I1}&merchant_uid={ORDER}".encode()
FORM_TYPE = "application/x-www-form-urlencoded"
PARTS_TYPE = "multipart/form-data; boundary=x"
PARTS = f'--x\r\nContent-Disposition: form-data; name="imp_uid"\r\n\r\n{I1}\r\n--x--\r\n'.encode()


def registered(verifier: AsyncVerifier, **config: Any) -> Quart:
    app = Quart("shop")
    app.config.update(config)
    app.register_blueprint(payments(verifier), url_prefix="/pay")
    return app


def test_a_method_that_nobody_knows_reaches_the_core(apps: Apps) -> None:
    for slash in ("", "/"):
        answer = apps.ask(registered(apps.verifier), "BREW", f"/pay/complete{slash}")
        assert answer.told == (405, "invalid")


def test_an_unknown_path_is_quarts_own_404(apps: Apps) -> None:
    answer = apps.ask(registered(apps.verifier), "POST", "/pay/nothing", CLAIM)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_routes_are_listed_with_the_methods_that_they_have(apps: Apps) -> None:
    listed = registered(apps.verifier).test_cli_runner().invoke(routes_command, [])
    assert (listed.exit_code, listed.exception) == (0, None)
    lines = {tuple(line.replace(",", "").split()) for line in listed.output.splitlines()}
    assert ("payments.complete", "GET", "POST", "/pay/complete") in lines


def test_several_verifiers_share_an_app(apps: Apps) -> None:
    app = Quart("shop")
    app.register_blueprint(payments(apps.verifier), url_prefix="/a")
    app.register_blueprint(payments(apps.knows("ORD-2"), name="second"), url_prefix="/b")
    apps.gateway.has(imp_uid="imp_2", merchant_uid="ORD-2")
    other = {"imp_uid": "imp_2", "merchant_uid": "ORD-2"}
    assert apps.ask(app, "POST", "/a/complete", CLAIM).told == (200, "success")
    assert apps.ask(app, "POST", "/b/complete", CLAIM).told == (400, "forgery")
    assert apps.ask(app, "POST", "/b/complete/", other).told == (200, "success")
    assert apps.ask(app, "PUT", "/b/complete/", other).told == (405, "invalid")


def test_one_blueprint_serves_two_applications_and_nested_ones(apps: Apps) -> None:
    blueprint = payments(apps.verifier)
    outer = Blueprint("outer", "outer", url_prefix="/outer")
    outer.register_blueprint(blueprint, url_prefix="/pay")
    plain, nested = Quart("plain"), Quart("nested")
    plain.register_blueprint(blueprint, url_prefix="/pay")
    nested.register_blueprint(outer, url_prefix="/api")
    for app, prefix in ((plain, "/pay"), (nested, "/api/pay")):
        for slash in ("", "/"):
            path = f"{prefix}/complete{slash}"
            assert apps.ask(app, "POST", path, CLAIM).told == (200, "success")
            assert apps.ask(app, "DELETE", path).told == (405, "invalid")


async def reads_it() -> None:
    assert await request.get_data()


async def parses_the_form() -> None:
    assert await request.form is not None


async def parses_the_json() -> None:
    assert await request.get_json(silent=True, force=True) is not ...


@pytest.mark.parametrize("reader", [reads_it, parses_the_form, parses_the_json])
@pytest.mark.parametrize(
    ("sent", "content_type"),
    [
        (FORM, FORM_TYPE),
        (PARTS, PARTS_TYPE),
        (FORM, "application/json"),
        (json.dumps(CLAIM).encode(), "application/json"),
    ],
)
def test_a_body_that_the_shop_has_read_is_read_again(
    apps: Apps, reader: Callable[[], Any], sent: bytes, content_type: str
) -> None:
    app = registered(apps.verifier)
    app.before_request(reader)
    parts = [sent[:9], sent[9:]]
    assert apps.ask(app, "POST", "/pay/complete", parts, content_type).told == (200, "success")


def test_a_body_that_was_not_kept_is_malformed(apps: Apps) -> None:
    async def eats() -> None:
        async for _ in request.body:
            pass

    app = registered(apps.verifier)
    app.before_request(eats)
    assert apps.ask(app, "POST", "/pay/complete", CLAIM).told == (400, "invalid")


@pytest.mark.parametrize("parts", [[FORM], [b"{", b" " * 50, b"}"]])
def test_a_limit_of_the_shops_own_is_answered_by_the_core(apps: Apps, parts: list[bytes]) -> None:
    app = registered(apps.verifier, MAX_CONTENT_LENGTH=20)
    assert apps.ask(app, "POST", "/pay/complete", parts).told == (413, "invalid")


def slow(app: Any, pause: float) -> Any:
    """Yield the body's parts with a pause before each."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        async def slowly() -> Any:
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=pause)
            return await receive()

        await app(scope, slowly, send)

    return call


def test_a_time_limit_of_quarts_own_is_not_asked(apps: Apps) -> None:
    app = registered(apps.verifier, BODY_TIMEOUT=0.001)
    late = slow(app, 0.02)
    parts = [FORM[:9], FORM[9:]]
    assert apps.ask(late, "POST", "/pay/complete", parts).told == (200, "success")


def test_a_body_that_takes_too_long_is_malformed(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imp_verify.contrib._asgi._BODY_TIME", 0.01)
    late = slow(registered(apps.verifier), 0.5)
    assert apps.ask(late, "POST", "/pay/complete", FORM).told == (400, "invalid")
    assert apps.gateway.asked == []


def test_a_client_that_leaves_early_gets_no_answer(apps: Apps) -> None:
    app = registered(apps.verifier)
    messages = [{"type": "http.request", "body": FORM, "more_body": True}]
    assert apps.send(app, apps.scope("POST", "/pay/complete"), messages).status == 0
    assert apps.gateway.asked == []
