"""A smoke test of each framework that has no adapter of its own, behind a middleware."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imp_verify.contrib import asgi, wsgi
from tests.support import shop as support
from tests.support.apps import patient
from tests.support.gateway import I1, ORDER, ScriptedGateway
from tests.support.remote import run
from tests.support.shop import PREFIX, Shop

OWN = b"the shop's own"


def bottle() -> Any:
    import bottle

    app = bottle.Bottle()
    app.route("/own", callback=lambda: OWN)
    return app


def falcon_wsgi() -> Any:
    import falcon

    class Own:
        def on_get(self, request: Any, response: Any) -> None:
            response.data = OWN

    app = falcon.App()
    app.add_route("/own", Own())
    return app


def falcon_asgi() -> Any:
    import falcon.asgi

    class Own:
        async def on_get(self, request: Any, response: Any) -> None:
            response.data = OWN

    app = falcon.asgi.App()
    app.add_route("/own", Own())
    return app


def pyramid() -> Any:
    with warnings.catch_warnings():
        # Importing Pyramid warns by itself, of pkg_resources.
        warnings.simplefilter("ignore")
        from pyramid.config import Configurator
        from pyramid.response import Response

        config = Configurator()
        config.add_route("own", "/own")
        config.add_view(lambda request: Response(OWN), route_name="own")
        return config.make_wsgi_app()


def litestar() -> Any:
    from litestar import Litestar, get

    @get("/own")
    async def own() -> bytes:
        return OWN

    return Litestar([own])


def django_wsgi() -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    from tests.support import django_site  # noqa: F401  # it makes the settings

    return WSGIHandler()


def django_asgi() -> Any:
    from django.core.handlers.asgi import ASGIHandler

    from tests.support import django_site  # noqa: F401

    return patient(ASGIHandler())


PLAIN = {
    "bottle": bottle,
    "django_wsgi": django_wsgi,
    "falcon_wsgi": falcon_wsgi,
    "pyramid": pyramid,
}
ASYNC = {"django_asgi": django_asgi, "falcon_asgi": falcon_asgi, "litestar": litestar}


@pytest.fixture(params=[*PLAIN, *ASYNC])
def shop(
    request: pytest.FixtureRequest,
    gateway: ScriptedGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    name = request.param
    if name in PLAIN:
        app = PLAIN[name]()
        monkeypatch.setitem(
            support.PLAIN, name, lambda v: wsgi.PaymentsMiddleware(app, v, prefix=PREFIX)
        )
    else:
        app = ASYNC[name]()
        monkeypatch.setitem(
            support.ASYNC, name, lambda v: asgi.PaymentsMiddleware(app, v, prefix=PREFIX)
        )
    made = Shop(
        gateway,
        name,
        "memory",
        tmp_path / "shop.db",
        {
            "credentials": support.credentials(),
            "base_url": gateway.address,
            "test_mode": True,
            "landing": support.LANDING,
        },
    )
    yield made
    made.close()


def test_F01_payments_are_answered_and_the_rest_is_the_frameworks(  # noqa: N802
    shop: Shop, gateway: ScriptedGateway
) -> None:
    gateway.has()
    claim = {"imp_uid": I1, "merchant_uid": ORDER}
    assert shop.post("/complete", claim).told == (200, "success")
    assert shop.post("/webhook/", claim).told == (200, "success")
    assert shop.redirect().lands == f"/thanks?o={ORDER}&s=success"
    assert shop.confirm().told == (200, "approved")
    assert shop.ask("PUT", "/confirm").status == 405
    own = shop.driver.start("GET", "/own", "", [("Host", "shop.test")], b"").result(30)
    assert own.status == 200
    assert OWN in own.body
    assert shop.hooks == ["on_paid"]


OTHERS = [
    *(f"waitress-{framework}" for framework in support.PLAIN),
    *(f"hypercorn-{framework}" for framework in support.ASYNC),
]


@pytest.mark.slow
@pytest.mark.parametrize("setup", OTHERS)
def test_another_server_serves_it_too(setup: str, gateway: ScriptedGateway, tmp_path: Path) -> None:
    gateway.has()
    claim = {"imp_uid": I1, "merchant_uid": ORDER}
    with run(setup, gateway, tmp_path) as remote:
        assert remote.post("/complete", claim).told == (200, "success")
        assert remote.post("/webhook/", claim).told == (200, "success")
        assert remote.post("/webhook", b"a" * 65537).told == (413, "invalid")
        back = remote.ask("GET", f"/redirect?imp_uid={I1}&merchant_uid={ORDER}")
        assert back.lands == f"/thanks?o={ORDER}&s=success"
        assert remote.ask("HEAD", "/webhook").status == 405
        sizes = [remote.ask(how, "/imp-verify.js") for how in ("GET", "HEAD")]
        assert len({each.headers["content-length"] for each in sizes}) == 1
        assert remote.ask("GET", "/unknown").status == 404
        assert remote.shipped == [I1]
