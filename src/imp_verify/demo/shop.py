"""The shop's pages: products, checkout and orders. Who paid is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from importlib.resources import files
from mimetypes import guess_type
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, render_template, request, url_for
from werkzeug import Response

from imp_verify import Checkout, Credentials, Landing, Verifier
from imp_verify.contrib.flask import payments
from imp_verify.demo.orders import HOOKS, Order, Orders, expected
from imp_verify.demo.texts import TEXTS
from imp_verify.sandbox import Account
from imp_verify.sandbox.guard import NOT_THIS_HOST, NOT_THIS_ORIGIN, is_foreign, is_own_host
from imp_verify.stores.sqlite import SqliteStore

KOREA = timezone(timedelta(hours=9))
RECENT = 8
UNPAID = ("new", "waiting")
"""An order that waits for a deposit may be paid otherwise still."""
_RESULTS = {
    "on_duplicate": "duplicatePayment",
    "on_failed": "failed",
    "on_forgery": "forgery",
    "on_late": "latePayment",
    "on_review": "pending",
}
"""For a hook that a payment did not pay the order by, the word of the answer that went with it."""
_STATIC = {each.name: each.read_bytes() for each in (files("imp_verify.demo") / "static").iterdir()}


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy; its name and words are among the texts."""

    key: str
    amount: Decimal
    currency: str = "KRW"


PRODUCTS = {
    product.key: product
    for product in (
        Product("chair", Decimal(64900)),
        Product("mug", Decimal(18000)),
        Product("poster", Decimal("19.99"), "USD"),
    )
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the shop must be told.

    Attributes:
        database: The SQLite file's path.
        public_url: The shop's own address, without a slash at its end.
        gateway_url: The gateway's address, as the shop's server asks it.
        sandbox_url: The gateway's, as browsers see it.
        sdk_url: Where its pages load the browser SDK from.
        account: The shop's account at the gateway.
        language: ko or en, until the visitor chooses.
    """

    database: str
    public_url: str
    gateway_url: str
    sandbox_url: str
    sdk_url: str
    account: Account
    language: str = "ko"


def make_verifier(settings: Settings) -> Verifier:
    """Make what this is all about: one verifier over the shop's own database."""
    return Verifier(
        SqliteStore(settings.database, expected=expected, **HOOKS),
        credentials=Credentials(key=settings.account.key, secret=settings.account.secret),
        base_url=settings.gateway_url,
        language=settings.language,
        checkout=Checkout(settings.account.user_code, confirm=True),
        public_url=settings.public_url,
        give_back=["duplicate"],  # the shop's own pages promise it
        landing=Landing(
            success="/orders/{merchant_uid}",
            failure="/orders/{merchant_uid}?result={status}",
            pending="/orders/{merchant_uid}?result={status}",
        ),
    )


def make_shop(settings: Settings, verifier: Verifier) -> Flask:
    """Make the Flask application."""
    app = Flask(__name__, static_folder=None)
    app.config["SHOP"] = settings
    app.config["ORDERS"] = Orders(settings.database)
    app.register_blueprint(payments(verifier), url_prefix="/payments")
    app.before_request(_choose_language)
    app.before_request(_refuse_strangers)
    app.after_request(_guard_page)
    app.add_template_filter(_money, "money")
    app.add_template_filter(_clock, "clock")
    app.add_url_rule("/static/<filename>", "static", _static)
    app.add_url_rule("/", "front", _front)
    app.add_url_rule("/orders", "create", _create, methods=["POST"])
    app.add_url_rule("/orders/<number>", "order", _order)
    app.add_url_rule("/orders/<number>/pay", "pay", _pay)
    app.register_error_handler(404, _not_found)
    return app


def _settings() -> Settings:
    return current_app.config["SHOP"]  # type: ignore[no-any-return]


def _orders() -> Orders:
    return current_app.config["ORDERS"]  # type: ignore[no-any-return]


def _refuse_strangers() -> Response | None:
    """Answer to the shop's own names and pages only, as the sandbox does: any page in this browser
    can send requests to loopback."""
    headers = {name.lower(): value for name, value in request.headers}
    own = urlsplit(_settings().public_url)
    if not is_own_host(headers.get("host", ""), own.port, (own.netloc,)):
        return Response(NOT_THIS_HOST, 403, mimetype="text/plain")
    if is_foreign(request.method, headers):
        return Response(NOT_THIS_ORIGIN, 403, mimetype="text/plain")
    return None


def _choose_language() -> None:
    asked = request.args.get("lang") or request.cookies.get("lang")
    g.language = asked if asked in TEXTS else _settings().language


def _guard_page(response: Response) -> Response:
    if request.args.get("lang") in TEXTS:
        response.set_cookie("lang", g.language, samesite="Lax", max_age=31536000)
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", _policy(_settings()))
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _policy(settings: Settings) -> str:
    sdk = urlsplit(settings.sdk_url)
    gateway = settings.sandbox_url
    return (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none';"
        # A phone's page is posted to the gateway.
        f" form-action 'self' {gateway}; frame-ancestors 'none';"
        f" script-src 'self' {sdk.scheme}://{sdk.netloc};"
        f" frame-src {gateway}; connect-src 'self' {gateway}"
    )


def _show(page: str, **values: object) -> str:
    words = TEXTS[g.language]
    return render_template(page, t=words, language=g.language, shop=_settings(), **values)


def amount_in_words(amount: Decimal, currency: str, language: str) -> str:
    """Write an amount for people."""
    if currency == "KRW" and language == "ko":
        return f"{amount:,f}원"
    return f"{amount:,f} {currency}"


def _money(amount: Decimal, currency: str) -> str:
    return amount_in_words(amount, currency, g.language)


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, KOREA):%Y-%m-%d %H:%M}"


def _static(filename: str) -> Response:
    """Return a file of the pages, read whole: werkzeug's server leaves one open that it was sending
    to a visitor who hung up."""
    if filename not in _STATIC:
        abort(404)
    return Response(_STATIC[filename], mimetype=guess_type(filename)[0])


def _front() -> str:
    return _show("front.html", products=PRODUCTS.values(), orders=_orders().newest(RECENT))


def _create() -> Response:
    product = PRODUCTS.get(request.form.get("product", ""))
    if product is None:
        abort(404)
    number = _orders().create(product.key, product.amount, product.currency)
    return redirect(url_for("pay", number=number), 303)


def _order(number: str) -> str:
    order, told = _find(number), _orders().told(number)
    # What was recorded counts, also for who comes without the word that a redirect brings along.
    last = told[-1].hook if told else ""
    result = _RESULTS.get(last) or request.args.get("result", "")
    if order.state not in UNPAID and last != "on_duplicate":  # no news for who has paid
        result = ""
    refused_by = _refused_by(order)
    return _show("order.html", order=order, told=told, result=result, refused_by=refused_by)


def _refused_by(order: Order) -> str | None:
    """Return the forged payment that an unpaid order got last: the gateway takes no other for its
    number."""
    told = _orders().told(order.number)
    forged = order.state in UNPAID and bool(told) and told[-1].hook == "on_forgery"
    return told[-1].imp_uid if forged else None


def _pay(number: str) -> str | Response:
    order = _find(number)
    if order.state not in UNPAID or _refused_by(order):
        return redirect(url_for("order", number=number), 303)
    return _show("pay.html", order=order)


def _find(number: str) -> Order:
    order = _orders().get(number)
    if order is None:
        abort(404)
    return order


def _not_found(error: Exception) -> tuple[str, int]:
    what = "missing" if request.path.startswith("/orders") else "no_page"
    return _show("missing.html", what=what), 404
