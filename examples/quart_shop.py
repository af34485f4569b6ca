"""A Quart shop.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    hypercorn quart_shop:app
"""

import os
import sqlite3
from contextlib import closing

from quart import Quart, abort, redirect, render_template_string, request

# payments: begin
from imp_verify import AsyncVerifier, Checkout, ExpectedPayment, Landing, order_number
from imp_verify.contrib.quart import payments
from imp_verify.stores.sqlite import SqliteStore

# payments: end

DATABASE = os.environ.get("SHOP_DB", "shop.db")
CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
app = Quart(__name__)

with closing(sqlite3.connect(DATABASE)) as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)")


@app.post("/orders")
async def order():
    number = order_number()
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("INSERT INTO orders VALUES (?, ?, 'new')", (number, request.args["total"]))
    return redirect(f"/orders/{number}", 303)


@app.get("/orders/<number>")
async def show(number):
    with closing(sqlite3.connect(DATABASE)) as db:
        row = db.execute("SELECT total, state FROM orders WHERE number = ?", (number,)).fetchone()
    return {"number": number, "total": row[0], "state": row[1]} if row else abort(404)


# payments: begin
def expected(number, db):
    row = db.execute("SELECT number, total, state FROM orders WHERE number=?", (number,)).fetchone()
    return row and ExpectedPayment(row[0], row[1], open=row[2] == "new")


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


store = SqliteStore(DATABASE, expected=expected, on_paid=paid)
verifier = AsyncVerifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
app.register_blueprint(payments(verifier), url_prefix="/payments")


@app.get("/orders/<number>/pay")
async def pay(number):
    template = PAGE + "{{ imp_verify_button(number, sdk=sdk) }}"
    return await render_template_string(template, number=number, sdk=SDK)


# payments: end
