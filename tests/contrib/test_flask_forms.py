"""The Flask blueprint in every form a shop may have: factories, nested, several, CSRF checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.cli import routes_command
from flask_wtf.csrf import CSRFProtect
from werkzeug.test import Client

from imp_verify import Verifier
from imp_verify.contrib.flask import payments
from imp_verify.stores.memory import MemoryStore
from tests.support.gateway import I1, ORDER, PRICE, ScriptedGateway
from tests.support.shop import body, credentials

CLAIM = body(amount=PRICE)


def make(gateway: ScriptedGateway, order: str) -> Verifier:
    return Verifier(
        MemoryStore(expected=lambda asked, _: PRICE if asked == order else None),
        credentials=credentials(),
        base_url=gateway.address,
        test_mode=True,
    )


@pytest.fixture
def verifier(gateway: ScriptedGateway) -> Iterator[Verifier]:
    gateway.has()
    verifier = make(gateway, ORDER)
    yield verifier
    verifier.close()


def ask(app: Flask, method: str, path: str, sent: object = None) -> tuple[int, str]:
    answer = Client(app).open(path, method=method, json=CLAIM if sent is None else sent)
    return answer.status_code, (answer.json or {}).get("status", answer.text)


def assert_serves(app: Flask, prefix: str) -> None:
    for slash in ("", "/"):
        assert ask(app, "POST", f"{prefix}/complete{slash}") == (200, "success")
        assert ask(app, "POST", f"{prefix}/webhook{slash}") == (200, "success")
        assert ask(app, "DELETE", f"{prefix}/complete{slash}") == (405, "invalid")
        assert ask(app, "OPTIONS", f"{prefix}/confirm{slash}") == (204, "")


def test_a_blueprint_made_before_serves_every_application_of_a_factory(verifier: Verifier) -> None:
    blueprint = payments(verifier)

    def create_app() -> Flask:
        app = Flask("shop")
        app.register_blueprint(blueprint, url_prefix="/pay")
        return app

    for app in (create_app(), create_app()):
        assert_serves(app, "/pay")


def test_a_blueprint_made_inside_a_factory_serves(verifier: Verifier) -> None:
    def create_app() -> Flask:
        app = Flask("shop")
        app.register_blueprint(payments(verifier), url_prefix="/pay")
        return app

    for app in (create_app(), create_app()):
        assert_serves(app, "/pay")


def test_it_serves_under_nested_blueprints(verifier: Verifier) -> None:
    inner = Blueprint("inner", "inner", url_prefix="/inner")
    inner.register_blueprint(payments(verifier), url_prefix="/pay")
    outer = Blueprint("outer", "outer")
    outer.register_blueprint(inner)
    app = Flask("shop")
    app.register_blueprint(outer, url_prefix="/api")
    assert_serves(app, "/api/inner/pay")
    with app.test_request_context():
        assert app.url_for("outer.inner.payments.webhook") == "/api/inner/pay/webhook"


def test_it_serves_twice_in_one_app_under_another_name(verifier: Verifier) -> None:
    blueprint = payments(verifier)
    app = Flask("shop")
    app.register_blueprint(blueprint, url_prefix="/pay")
    app.register_blueprint(blueprint, url_prefix="/old", name="old")
    assert_serves(app, "/pay")
    assert_serves(app, "/old")


def test_several_verifiers_share_an_app(verifier: Verifier, gateway: ScriptedGateway) -> None:
    second = make(gateway, "ORD-2")
    gateway.has(imp_uid="imp_2", merchant_uid="ORD-2")
    app = Flask("shop")
    app.register_blueprint(payments(verifier), url_prefix="/a")
    app.register_blueprint(payments(second, name="second"), url_prefix="/b")
    other = {"imp_uid": "imp_2", "merchant_uid": "ORD-2"}
    assert_serves(app, "/a")
    assert ask(app, "POST", "/b/complete") == (400, "forgery")
    assert ask(app, "POST", "/b/complete", other) == (200, "success")
    second.close()


def test_rules_of_the_shops_own_keep_their_methods(verifier: Verifier) -> None:
    app = Flask("shop")
    app.add_url_rule("/payments.html", "payments_page", lambda: "page")
    blueprint = payments(verifier)
    blueprint.add_url_rule("/help", "help", lambda: "help")
    app.register_blueprint(blueprint, url_prefix="/pay")
    assert ask(app, "POST", "/payments.html")[0] == 405
    assert ask(app, "POST", "/pay/help")[0] == 405


def test_routes_are_listed_with_the_methods_that_they_have(verifier: Verifier) -> None:
    app = Flask("shop")
    app.register_blueprint(payments(verifier), url_prefix="/pay")
    listed = app.test_cli_runner().invoke(routes_command, [])
    assert (listed.exit_code, listed.exception) == (0, None)
    lines = {tuple(line.replace(",", "").split()) for line in listed.output.splitlines()}
    assert ("payments.complete", "GET", "POST", "/pay/complete") in lines
    assert ("payments.webhook_slash", "POST", "/pay/webhook/") in lines


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("nested", [False, True])
def test_the_csrf_check_is_off_for_the_payments_only(
    verifier: Verifier, order: str, nested: bool
) -> None:
    app = Flask("shop")
    app.config["SECRET_KEY"] = "a key of the test's"
    app.add_url_rule("/order", "order", lambda: "ordered", methods=["POST"])
    csrf = CSRFProtect()
    if order == "before":
        csrf.init_app(app)
    blueprint: Any = payments(verifier)
    if nested:
        outer = Blueprint("outer", "outer")
        outer.register_blueprint(blueprint)
        blueprint = outer
    app.register_blueprint(blueprint, url_prefix="/pay")
    if order != "before":
        csrf.init_app(app)
    answer = Client(app).post("/pay/complete", data={"imp_uid": I1, "merchant_uid": ORDER})
    assert (answer.status_code, answer.json and answer.json["status"]) == (200, "success")
    assert "Set-Cookie" not in answer.headers
    assert_serves(app, "/pay")
    assert ask(app, "POST", "/order")[0] == 400


def test_another_extension_of_that_name_is_left_alone(verifier: Verifier) -> None:
    app = Flask("shop")
    app.extensions["csrf"] = object()
    app.register_blueprint(payments(verifier), url_prefix="/pay")
    assert_serves(app, "/pay")
