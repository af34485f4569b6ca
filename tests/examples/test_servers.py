"""Every line of the README's table of frameworks, put into a shop as it stands, and every example:
bought from under every server, by the server's own command."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from imp_verify.sandbox import SandboxServer
from tests.examples.test_examples import COMMANDS, EXAMPLES, order
from tests.support.processes import beside_sandbox
from tests.support.servers import (
    ASGI_SERVERS,
    WAIT,
    WSGI_SERVERS,
    Server,
    Wire,
    cells,
    started,
    until,
)

ROOT = Path(__file__).parents[2]
SERVERS = {**WSGI_SERVERS, **ASGI_SERVERS}
READMES = ("README.md", "README.ko.md")
PRICE = 39000
SHOP = """
import os
from imp_verify import AsyncVerifier, ExpectedPayment, Verifier
from imp_verify.stores.sqlite import SqliteStore

def expected(number, db):
    return ExpectedPayment(number, 39000) if number.startswith("ORD-") else None

store = SqliteStore(os.environ["SHOP_DB"], expected=expected)
"""
FLASK = """
from flask import Flask
app = Flask("shop")
app.add_url_rule("/own", view_func=lambda: "the shop's own")
verifier = Verifier(store)
"""
QUART = """
from quart import Quart
app = Quart("shop")
@app.get("/own")
async def own():
    return "the shop's own"
async_verifier = AsyncVerifier(store)
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
app = FastAPI()
@app.get("/own", response_class=PlainTextResponse)
def own():
    return "the shop's own"
async_verifier = AsyncVerifier(store)
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
app = Starlette(routes=[Route("/own", lambda request: PlainTextResponse("the shop's own"))])
async_verifier = AsyncVerifier(store)
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"the shop's own"]
verifier = Verifier(store)
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{word}"
            await send({"type": f"lifespan.{word}.complete"})
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"14")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"the shop's own"})
async_verifier = AsyncVerifier(store)
"""
SHOPS = {
    "Flask": FLASK,
    "Quart": QUART,
    "FastAPI": FASTAPI,
    "Starlette": STARLETTE,
    "any WSGI application": WSGI,
    "any ASGI application": ASGI,
}
SETTINGS = """
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"], INSTALLED_APPS=["imp_verify.contrib.django"], ROOT_URLCONF="shop.urls",
    IMP_VERIFY=IMP_VERIFY,
)
import django
django.setup()
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
wsgi, asgi = WSGIHandler(), ASGIHandler()
"""
URLS = """
from django.http import HttpResponse
from django.urls import include, path
urlpatterns = [path("own", lambda request: HttpResponse("the shop's own")), {line}]
"""


def lines_of(readme: str) -> list[list[str]]:
    """Return the code in each row of the table, in its order."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[[^|]+\) \| (.*) \| `(?:\w+)` \|$", text, re.MULTILINE)
    return [code for row in rows if (code := re.findall(r"`([^`]+)`", row))]


def named(readme: str) -> dict[str, list[str]]:
    """Return the same by the names of SHOPS, and Django's."""
    names = ["Flask", "Quart", "Django", *list(SHOPS)[2:]]
    return dict(zip(names, lines_of(readme), strict=True))


def test_both_readmes_mount_alike() -> None:
    assert lines_of(READMES[0]) == lines_of(READMES[1])
    assert len(lines_of(READMES[0])) == len(SHOPS) + 1


def write(folder: Path, framework: str) -> str:
    """Write a shop around the README's lines, and say what a server is to run."""
    code = named(READMES[0])[framework.partition(" (")[0]]
    if framework in SHOPS:
        (folder / "shop.py").write_text(SHOP + SHOPS[framework] + "\n".join(code) + "\n")
        return "shop:app"
    url, setting = code
    shop = folder / "shop"
    shop.mkdir()
    (shop / "__init__.py").touch()
    (shop / "payments.py").write_text(SHOP)
    (shop / "urls.py").write_text(URLS.format(line=url))
    (shop / "main.py").write_text(f"{setting}\n{SETTINGS}")
    return "shop.main:wsgi" if framework == "Django (WSGI)" else "shop.main:asgi"


@dataclass(frozen=True)
class Payment:
    """A payment that the gateway has, and its order's number."""

    number: str
    imp_uid: str

    @property
    def claim(self) -> dict[str, object]:
        return {"imp_uid": self.imp_uid, "merchant_uid": self.number, "amount": PRICE}


class Gateway:
    """The gateway of all these shops."""

    def __init__(self, server: SandboxServer) -> None:
        self._server = server

    def variables(self, folder: Path) -> dict[str, str]:
        """Tell a shop where it is, and where to keep its records."""
        return beside_sandbox(self._server, SHOP_DB=str(folder / "shop.db"))

    def paid(self, number: str) -> Payment:
        wanted = {"merchant_uid": number, "amount": PRICE}
        imp_uid = self._server.sandbox.gateway.open(wanted).imp_uid
        self._server.sandbox.approve(imp_uid)
        return Payment(number, imp_uid)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with SandboxServer() as server:
        yield Gateway(server)


def get(shop: Server, path: str) -> str:
    """Ask the shop's own application."""
    url, hangs_up = f"http://127.0.0.1:{shop.port}{path}", {"Connection": "close"}
    answer = requests.get(url, headers=hangs_up, timeout=WAIT)
    assert answer.status_code == 200, b"".join(shop.said).decode()
    return answer.text


def buy(shop: Server, payment: Payment) -> None:
    """Have the shop asked before the money moves, and told of it in both ways."""

    def post(endpoint: str) -> Wire:
        return shop.ask("POST", f"/payments/{endpoint}", payment.claim)

    # A first request imports clients: on a busy machine that may outlast its deadline.
    assert until(lambda: post("confirm").status == 200), b"".join(shop.said).decode()
    assert [post(each).word for each in ("webhook", "complete")] == ["success", "success"]


WHOLE = os.environ.get("IMP_VERIFY_ALL_SERVERS") == "1"
"""Whether each is tried under each server, as `make test-all` does."""
PLAIN = ("Flask", "Django (WSGI)", "any WSGI application")
ASYNC = ("Quart", "Django (ASGI)", "FastAPI", "Starlette", "any ASGI application")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "framework"),
    [*cells(WSGI_SERVERS, *PLAIN, whole=WHOLE), *cells(ASGI_SERVERS, *ASYNC, whole=WHOLE)],
)
def test_n01_a_line_of_the_readme_sells_under_a_server_as_it_is_started(
    server: str, framework: str, gateway: Gateway, tmp_path: Path
) -> None:
    app = write(tmp_path, framework)
    command = f"{SERVERS[server]} {app}"
    with started(command, gateway.variables(tmp_path), tmp_path) as shop:
        assert get(shop, "/own") == "the shop's own"
        buy(shop, gateway.paid(f"ORD-{server}-{framework}"))
    assert b"Traceback" not in b"".join(shop.said)


ON_WSGI = ("flask_shop", "django_shop", "wsgi_shop")
ON_ASGI = (
    *("starlette_shop", "fastapi_shop", "asgi_shop"),
    *("fastapi_sqlalchemy_shop", "quart_shop"),
)
# Daphne runs no lifespan, in which this shop makes its tables.
NEVER = ("daphne", "fastapi_sqlalchemy_shop")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "name"),
    [
        *cells(WSGI_SERVERS, *ON_WSGI, whole=WHOLE),
        *(each for each in cells(ASGI_SERVERS, *ON_ASGI, whole=WHOLE) if each.values != NEVER),
    ],
)
def test_n01_an_example_sells_under_a_server_as_it_is_started(
    server: str, name: str, gateway: Gateway, tmp_path: Path
) -> None:
    variables = gateway.variables(tmp_path)
    with started(f"{SERVERS[server]} {name}:app", variables, EXAMPLES) as shop:
        number = order(shop, PRICE)
        assert json.loads(get(shop, f"/orders/{number}"))["state"] != "paid"
        buy(shop, gateway.paid(number))
        assert json.loads(get(shop, f"/orders/{number}"))["state"] == "paid"
    assert b"Traceback" not in b"".join(shop.said)


def test_every_example_runs_under_every_server() -> None:
    assert {*ON_WSGI, *ON_ASGI} == set(COMMANDS)
