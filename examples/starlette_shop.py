"""A Starlette shop.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    uvicorn starlette_shop:app
"""

import os
import sqlite3
from contextlib import closing

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Mount, Route

# payments: begin
from imp_verify import AsyncVerifier, Checkout, ExpectedPayment, Landing, order_number
from imp_verify.contrib.browser import async_button
from imp_verify.contrib.starlette import payments
from imp_verify.stores.sqlite import SqliteStore

# payments: end

CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
DATABASE = os.environ.get("SHOP_DB", "shop.db")

with closing(sqlite3.connect(DATABASE)) as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)")


def order(request):
    number = order_number()
    with closing(sqlite3.connect(DATABASE)) as db, db:
        total = int(request.query_params["total"])
        db.execute("INSERT INTO orders VALUES (?, ?, 'new')", (number, total))
    return RedirectResponse(f"/orders/{number}", 303)


def show(request):
    number = request.path_params["number"]
    with closing(sqlite3.connect(DATABASE)) as db:
        row = db.execute("SELECT total, state FROM orders WHERE number = ?", (number,)).fetchone()
    total, state = row or (None, "unknown")
    return JSONResponse({"number": number, "total": total, "state": state})


# payments: begin
def expected(number, db):
    row = db.execute("SELECT number, total, state FROM orders WHERE number=?", (number,)).fetchone()
    return row and ExpectedPayment(row[0], row[1], open=row[2] == "new")


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


store = SqliteStore(DATABASE, expected=expected, on_paid=paid)
verifier = AsyncVerifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
mounted = Mount("/payments", payments(verifier))


async def pay(request):
    number = request.path_params["number"]
    return HTMLResponse(PAGE + await async_button(verifier, number, sdk=SDK))


# payments: end

app = Starlette(
    routes=[
        Route("/orders", order, methods=["POST"]),
        Route("/orders/{number}", show),
        Route("/orders/{number}/pay", pay),
        mounted,
    ]
)
