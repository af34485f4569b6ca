"""A shop on WSGI alone.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    gunicorn --threads 8 wsgi_shop:app
"""

import json
import os
import sqlite3
from contextlib import closing
from urllib.parse import parse_qs

# payments: begin
from imp_verify import Checkout, ExpectedPayment, Landing, Verifier, order_number
from imp_verify.contrib.browser import button
from imp_verify.contrib.wsgi import PaymentsMiddleware
from imp_verify.stores.sqlite import SqliteStore

# payments: end

CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
DATABASE = os.environ.get("SHOP_DB", "shop.db")

with closing(sqlite3.connect(DATABASE)) as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)")


def shop(environ, start_response):
    with closing(sqlite3.connect(DATABASE)) as db, db:
        if environ["REQUEST_METHOD"] == "POST":
            number = order_number()
            total = int(parse_qs(environ["QUERY_STRING"])["total"][0])
            db.execute("INSERT INTO orders VALUES (?, ?, 'new')", (number, total))
            start_response("303 See Other", [("Location", f"/orders/{number}")])
            return []
        number, *pay = environ["PATH_INFO"].split("/")[2:] or [""]
        if pay == ["pay"]:
            return answer(
                start_response, "text/html; charset=utf-8", PAGE + button(verifier, number, sdk=SDK)
            )
        row = db.execute("SELECT total, state FROM orders WHERE number = ?", (number,)).fetchone()
    total, state = row or (None, "unknown")
    body = json.dumps({"number": number, "total": total, "state": state})
    return answer(start_response, "application/json", body)


def answer(start_response, content_type, text):
    body = text.encode()
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


# payments: begin
def expected(number, db):
    row = db.execute("SELECT number, total, state FROM orders WHERE number=?", (number,)).fetchone()
    return row and ExpectedPayment(row[0], row[1], open=row[2] == "new")


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


store = SqliteStore(DATABASE, expected=expected, on_paid=paid)
verifier = Verifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
app = PaymentsMiddleware(shop, verifier, prefix="/payments")
# payments: end
