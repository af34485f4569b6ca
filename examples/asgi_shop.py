"""A shop on ASGI alone.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    uvicorn asgi_shop:app
"""

import json
import os
import sqlite3
from contextlib import closing
from urllib.parse import parse_qs

# payments: begin
from imp_verify import AsyncVerifier, Checkout, ExpectedPayment, Landing, order_number
from imp_verify.contrib.asgi import PaymentsMiddleware
from imp_verify.contrib.browser import async_button
from imp_verify.stores.sqlite import SqliteStore

# payments: end

CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
DATABASE = os.environ.get("SHOP_DB", "shop.db")

with closing(sqlite3.connect(DATABASE)) as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)")


async def shop(scope, receive, send):
    if scope["type"] != "http":
        return  # a server that asks about the life span goes on without it
    if scope["method"] == "POST":
        total = int(parse_qs(scope["query_string"].decode())["total"][0])
        await answer(send, 303, "text/plain", "", (b"location", order(total).encode()))
        return
    number, *pay = scope["path"].split("/")[2:] or [""]
    if pay == ["pay"]:
        page = PAGE + await async_button(verifier, number, sdk=SDK)
        await answer(send, 200, "text/html; charset=utf-8", page)
    else:
        await answer(send, 200, "application/json", json.dumps(show(number)))


def order(total):
    number = order_number()
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("INSERT INTO orders VALUES (?, ?, 'new')", (number, total))
    return f"/orders/{number}"


def show(number):
    with closing(sqlite3.connect(DATABASE)) as db:
        row = db.execute("SELECT total, state FROM orders WHERE number = ?", (number,)).fetchone()
    total, state = row or (None, "unknown")
    return {"number": number, "total": total, "state": state}


async def answer(send, status, content_type, text, *more):
    body = text.encode()
    length = str(len(body)).encode()
    headers = [(b"content-type", content_type.encode()), (b"content-length", length), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# payments: begin
def expected(number, db):
    query = "SELECT number, total, state FROM orders WHERE number = ?"
    row = db.execute(query, (number,)).fetchone()
    return row and ExpectedPayment(row[0], row[1], open=row[2] == "new")


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


store = SqliteStore(DATABASE, expected=expected, on_paid=paid)
verifier = AsyncVerifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
app = PaymentsMiddleware(shop, verifier, prefix="/payments")
# payments: end
