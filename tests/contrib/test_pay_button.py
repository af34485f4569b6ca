"""The pay button on a page of each framework: where it is mounted, its nonce and its language."""

# ruff: noqa: N802 - the case's id stands in the name as it is

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import django
import pytest
from django.test import override_settings
from django.urls import include, path

from imp_verify import AsyncVerifier, Checkout, ConfigurationError, Verifier
from imp_verify._web.script import address
from imp_verify.contrib.browser import find_order
from imp_verify.stores.memory import MemoryStore
from tests.support import django_site  # noqa: F401  # it makes the settings
from tests.support.gateway import ORDER, PRICE
from tests.support.shop import Answer, AsgiDriver, WsgiDriver, credentials

PAGE = "<!doctype html>{{ imp_verify_button(order, nonce='n-1', name=name) }}"
NAME = "</script><b>의자"
DATA = re.compile(r'<script type="application/json" data-imp-verify="[^"]+">(.*?)</script>')


def settings(**arguments: Any) -> dict[str, Any]:
    return {
        "credentials": credentials(),
        "test_mode": True,
        "language": "auto",
        "checkout": Checkout("imp00000000"),
        "public_url": "https://shop.test",
        **arguments,
    }


def store(order: str = ORDER) -> MemoryStore:
    return MemoryStore(expected=lambda asked, _: PRICE if asked == order else None)


def plain(**arguments: Any) -> Verifier:
    return Verifier(store(), **settings(**arguments))


def asynchronous(**arguments: Any) -> AsyncVerifier:
    return AsyncVerifier(store(), **settings(**arguments))


def flask_app(**arguments: Any) -> WsgiDriver:
    from flask import Flask, render_template_string

    from imp_verify.contrib.flask import payments

    verifier, app = plain(**arguments), Flask("shop")
    app.register_blueprint(payments(verifier), url_prefix="/pay")
    app.add_url_rule(
        "/page", view_func=lambda: render_template_string(PAGE, order=ORDER, name=NAME)
    )
    return WsgiDriver(verifier, app)


def quart_app(**arguments: Any) -> AsgiDriver:
    from quart import Quart, render_template_string

    from imp_verify.contrib.quart import payments
    from tests.support.apps import patient

    verifier, app = asynchronous(**arguments), Quart("shop")
    app.register_blueprint(payments(verifier), url_prefix="/pay")

    @app.get("/page")
    async def page() -> str:
        return await render_template_string(PAGE, order=ORDER, name=NAME)

    return AsgiDriver(verifier, patient(app))


def templates(verifier: AsyncVerifier) -> Callable[[Any], Any]:
    from jinja2 import DictLoader, Environment
    from starlette.templating import Jinja2Templates

    from imp_verify.contrib.starlette import template_button

    env = Environment(loader=DictLoader({"page.html": PAGE}), autoescape=True)
    env.globals["imp_verify_button"] = template_button(verifier, prefix="/pay")
    pages = Jinja2Templates(env=env)

    async def page(request: Any) -> Any:
        order = await find_order(verifier, ORDER)
        return pages.TemplateResponse(request, "page.html", {"order": order, "name": NAME})

    return page


def starlette_app(**arguments: Any) -> AsgiDriver:
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    from imp_verify.contrib.starlette import payments

    verifier = asynchronous(**arguments)
    routes = [Route("/page", templates(verifier)), Mount("/pay", payments(verifier))]
    return AsgiDriver(verifier, Starlette(routes=routes))


def fastapi_app(**arguments: Any) -> AsgiDriver:
    from fastapi import FastAPI

    from imp_verify.contrib.fastapi import payments

    verifier, app = asynchronous(**arguments), FastAPI()
    app.include_router(payments(verifier), prefix="/pay")
    app.add_route("/page", templates(verifier))
    return AsgiDriver(verifier, app)


class site:  # noqa: N801  # a URLconf may be any object
    @staticmethod
    def page(request: Any) -> Any:
        from django.http import HttpResponse
        from django.template import Context, Template

        template = Template(
            "{% load imp_verify %}<!doctype html>"
            '{% imp_verify_button order nonce="n-1" name=name %}'
        )
        context = Context({"request": request, "order": ORDER, "name": NAME})
        return HttpResponse(template.render(context))

    urlpatterns = [  # noqa: RUF012
        path("pay/", include("imp_verify.contrib.django.urls")),
        path("page", page),
    ]


class elsewhere:  # noqa: N801
    urlpatterns = [path("page", site.page)]  # noqa: RUF012


UNDO = ExitStack()


def django_app(**arguments: Any) -> WsgiDriver:
    from django.core.handlers.wsgi import WSGIHandler

    verifier = plain(**arguments)
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates"}
    changes = {"IMP_VERIFY": {"VERIFIER": verifier}, "ROOT_URLCONF": site, "TEMPLATES": [engine]}
    UNDO.enter_context(override_settings(**changes))
    return WsgiDriver(verifier, WSGIHandler())


APPS: dict[str, Callable[..., WsgiDriver | AsgiDriver]] = {
    "flask": flask_app,
    "quart": quart_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "django": django_app,
}


@pytest.fixture(params=APPS)
def make_app(request: pytest.FixtureRequest) -> Iterator[Callable[..., WsgiDriver | AsgiDriver]]:
    with ExitStack() as ends:

        def make(**arguments: Any) -> WsgiDriver | AsgiDriver:
            driver = APPS[request.param](**arguments)
            ends.callback(driver.close)
            ends.callback(UNDO.close)
            return driver

        yield make


def visit(driver: WsgiDriver | AsgiDriver, *headers: tuple[str, str]) -> Answer:
    answer = driver.start("GET", "/page", "", headers, b"").result(30)
    assert answer.status == 200, answer
    return answer


def data(answer: Answer) -> dict[str, Any]:
    (found,) = DATA.findall(answer.body.decode())
    content: dict[str, Any] = json.loads(found)
    return content


ROOTS = ["", "/shop", "/가게"]
ENCODED = {"": "", "/shop": "/shop", "/가게": "/%EA%B0%80%EA%B2%8C"}


@pytest.mark.parametrize("root", ROOTS)
def test_F04_D02_addresses_begin_with_the_mount_point_once(make_app: Any, root: str) -> None:
    driver = make_app()
    # SCRIPT_NAME holds UTF-8 bytes as Latin-1, root_path is decoded.
    driver.root = root.encode().decode("latin-1") if isinstance(driver, WsgiDriver) else root
    answer = visit(driver)
    mounted = f"{ENCODED[root]}/pay"
    given = data(answer)
    assert given["complete"] == f"{mounted}/complete"
    assert given["params"]["m_redirect_url"] == f"https://shop.test{mounted}/redirect"
    assert (
        f'<script src="{mounted}/{address()}" defer nonce="n-1"></script>' in answer.body.decode()
    )


def test_F04_a_path_of_the_public_url_takes_the_mount_points_place(make_app: Any) -> None:
    driver = make_app(public_url="https://shop.test/outer")
    for root in ("", "/inner"):
        driver.root = root
        given = data(visit(driver))
        assert given["complete"] == "/outer/pay/complete"
        assert given["params"]["m_redirect_url"] == "https://shop.test/outer/pay/redirect"


def test_D01_no_address_is_made_of_the_host_that_came_in(make_app: Any) -> None:
    answer = visit(make_app(), ("Host", "www.evil.test"), ("X-Forwarded-Host", "evil.test"))
    assert b"evil" not in answer.body
    assert data(answer)["params"]["m_redirect_url"] == "https://shop.test/pay/redirect"


def test_D02_without_a_public_url_the_setting_is_named(
    make_app: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("IMP_PUBLIC_URL", raising=False)
    future = make_app(public_url=None).start("GET", "/page", "", [], b"")
    error = future.exception(30)  # some leave it to the server, which says no more than 500
    if error is None:
        assert future.result().status == 500
        error = next(record.exc_info[1] for record in caplog.records if record.exc_info)
    assert isinstance(error, ConfigurationError)
    assert "IMP_PUBLIC_URL" in str(error)


def test_the_engine_does_not_escape_the_button_and_the_button_escapes_the_data(
    make_app: Any,
) -> None:
    answer = visit(make_app())
    page = answer.body.decode()
    assert "&lt;button" not in page
    assert page.count("<button") == 1
    assert page.count("<script") == 2
    params = data(answer)["params"]
    assert (params["name"], params["amount"], params["merchant_uid"]) == (NAME, PRICE, ORDER)


@pytest.mark.parametrize(("accepted", "label"), [("en", "Pay"), ("ko", "결제하기")])
def test_the_language_is_what_the_browser_prefers(make_app: Any, accepted: str, label: str) -> None:
    answer = visit(make_app(), ("Accept-Language", accepted))
    assert f">{label}</button>" in answer.body.decode()
    assert data(answer)["language"] == accepted


# --- what only one framework has -----------------------------------------------------------------


def test_of_several_blueprints_a_page_names_one() -> None:
    from flask import Blueprint, Flask, render_template_string

    from imp_verify.contrib.flask import payments

    app, outer = Flask("shop"), Blueprint("outer", __name__)
    other = Verifier(store("ORD-2"), **settings(checkout=Checkout("imp00000002")))
    outer.register_blueprint(payments(other, name="second"), url_prefix="/two")
    app.register_blueprint(payments(plain()), url_prefix="/pay")
    app.register_blueprint(outer, url_prefix="/outer")
    with app.test_request_context():
        first = render_template_string("{{ imp_verify_button('ORD-1001') }}")
        second = render_template_string("{{ imp_verify_button('ORD-2', payments='outer.second') }}")
        with pytest.raises(ConfigurationError, match=r"'third'; there are payments, outer\.second"):
            render_template_string("{{ imp_verify_button('ORD-2', payments='third') }}")
    assert '"userCode":"imp00000000"' in first
    assert '"complete":"/pay/complete"' in first
    assert '"userCode":"imp00000002"' in second
    assert '"complete":"/outer/two/complete"' in second


def test_without_a_blueprint_there_is_no_button() -> None:
    from flask import Flask

    from imp_verify.contrib.flask import imp_verify_button

    with (
        Flask("shop").test_request_context(),
        pytest.raises(ConfigurationError, match="there are none"),
    ):
        imp_verify_button(ORDER)


def django_request(**attributes: Any) -> Any:
    from django.test import RequestFactory

    request = RequestFactory().get("/page")
    for name, value in attributes.items():
        setattr(request, name, value)
    return request


def test_in_django_the_nonce_is_the_requests_own() -> None:
    from imp_verify.contrib.django.button import imp_verify_button

    with override_settings(IMP_VERIFY={"VERIFIER": plain()}, ROOT_URLCONF=site):
        own = imp_verify_button(django_request(csp_nonce="n-2"), ORDER)
        given = imp_verify_button(django_request(csp_nonce="n-2"), ORDER, nonce="n-3")
        none = imp_verify_button(django_request(), ORDER)
    assert 'nonce="n-2"' in own
    assert 'nonce="n-3"' in given
    assert "nonce" not in none


if django.VERSION >= (6, 0):

    def test_in_django_6_the_nonce_is_that_of_its_middleware() -> None:
        from django.http import HttpResponse
        from django.middleware import csp

        from imp_verify.contrib.django.button import imp_verify_button

        policy = {"script-src": ["<CSP_NONCE_SENTINEL>"]}
        with override_settings(
            IMP_VERIFY={"VERIFIER": plain()}, ROOT_URLCONF=site, SECURE_CSP=policy
        ):
            middleware = csp.ContentSecurityPolicyMiddleware(
                lambda request: HttpResponse(imp_verify_button(request, ORDER))
            )
            response = middleware(django_request())
        (nonce,) = set(re.findall(r'nonce="([^"]+)"', response.content.decode()))
        assert f"'nonce-{nonce}'" in response.headers["Content-Security-Policy"]


def test_in_django_the_endpoints_must_be_included() -> None:
    from imp_verify.contrib.django.button import imp_verify_button

    with (
        override_settings(IMP_VERIFY={"VERIFIER": plain()}, ROOT_URLCONF=elsewhere),
        pytest.raises(ConfigurationError, match=r'include\("imp_verify'),
    ):
        imp_verify_button(django_request(), ORDER)


def test_in_django_the_setting_holds_it_all() -> None:
    from imp_verify.contrib.django.button import imp_verify_button

    whole = {
        "STORE": store(),
        "CREDENTIALS": credentials(),
        "TEST_MODE": True,
        "CHECKOUT": {"USER_CODE": "imp00000009", "CONFIRM": True},
        "PUBLIC_URL": "https://shop.test",
    }
    with override_settings(IMP_VERIFY=whole, ROOT_URLCONF=site):
        made = imp_verify_button(django_request(), ORDER)
    assert '"userCode":"imp00000009"' in made
    assert '"confirm_url":"https://shop.test/pay/confirm"' in made
    wrong = {**whole, "CHECKOUT": {"USER_CODE": "imp 9"}}
    with (
        override_settings(IMP_VERIFY=wrong, ROOT_URLCONF=site),
        pytest.raises(ConfigurationError, match=r'IMP_VERIFY\["CHECKOUT"\]: Checkout\.user_code'),
    ):
        imp_verify_button(django_request(), ORDER)


def django_page(template: str, **context: Any) -> str:
    from django.template import Context, Engine

    with override_settings(IMP_VERIFY={"VERIFIER": plain()}, ROOT_URLCONF=site):
        engine = Engine(
            libraries={"imp_verify": "imp_verify.contrib.django.templatetags.imp_verify"}
        )
        made = engine.from_string("{% load imp_verify %}" + template)
        page: str = made.render(Context(context))
    return page


def test_in_django_a_text_may_be_one_that_is_translated_late() -> None:
    page = django_page(
        '{% imp_verify_button number name=_("oak chair") label=_("<oak chair>") %}',
        number=ORDER,
        request=django_request(),
    )
    assert '"name":"oak chair"' in page
    assert ">&lt;oak chair&gt;</button>" in page


def test_in_django_a_template_without_the_request_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match=r"context_processors\.request"):
        django_page("{% imp_verify_button number %}", number=ORDER)
