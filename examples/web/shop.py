"""The server beside a page that is built with Vite: one order, and what the payment window is told.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=http://127.0.0.1:5173 \
    gunicorn --threads 8 shop:app
"""

import os

from flask import Flask, Response, abort

from imp_verify import Checkout, ExpectedPayment, InvalidRequest, Landing, Verifier
from imp_verify.contrib.browser import config, to_json
from imp_verify.contrib.flask import payments
from imp_verify.stores.memory import MemoryStore

orders = {"ORD1001": {"total": 39000, "state": "new"}}  # a shop has a database, and a store for it


def expected(number, _):
    order = orders.get(number)
    return order and ExpectedPayment(number, order["total"], open=order["state"] == "new")


def paid(outcome, _):
    orders[outcome.merchant_uid]["state"] = "paid"


store = MemoryStore(expected=expected, on_paid=paid)
checkout = Checkout(os.environ["IMP_USER_CODE"])
verifier = Verifier(store, checkout=checkout, landing=Landing("/orders/{merchant_uid}"))
app = Flask(__name__)
app.register_blueprint(payments(verifier), url_prefix="/payments")


@app.get("/orders/<number>")
def show(number):
    return {"number": number, **orders[number]} if number in orders else abort(404)


@app.get("/orders/<number>/checkout")
def told(number):
    """What `ImpVerify.mount` takes."""
    if number not in orders:
        return {"message": "주문을 찾을 수 없습니다"}, 404
    try:
        sdk = os.environ.get("SHOP_SDK")
        made = config(verifier, number, name="참나무 의자", sdk=sdk)
    except InvalidRequest as error:  # it is closed: a sentence for the buyer
        return {"message": str(error)}, 404
    return Response(to_json(made), mimetype="application/json")
