"""A shop on WSGI alone: IMP_KEY=... IMP_SECRET=... gunicorn --threads 8 wsgi_shop:app"""

import json
import os
import secrets
import sqlite3
from contextlib import closing
from urllib.parse import parse_qs

# payments: begin
from imp_verify import Landing, Verifier
from imp_verify.contrib.wsgi import PaymentsMiddleware
from imp_verify.stores.sqlite import SqliteStore

# payments: end

DATABASE = os.environ.get("SHOP_DB", "shop.db")

with closing(sqlite3.connect(DATABASE)) as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)")


def shop(environ, start_response):
    with closing(sqlite3.connect(DATABASE)) as db, db:
        if environ["REQUEST_METHOD"] == "POST":
            number = secrets.token_hex(8)
            total = int(parse_qs(environ["QUERY_STRING"])["total"][0])
            db.execute("INSERT INTO orders VALUES (?, ?, 'open')", (number, total))
            start_response("303 See Other", [("Location", f"/orders/{number}")])
            return []
        number = environ["PATH_INFO"].rpartition("/")[2]
        row = db.execute("SELECT total, state FROM orders WHERE number = ?", (number,)).fetchone()
    total, state = row or (None, "unknown")
    body = json.dumps({"number": number, "total": total, "state": state}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


# payments: begin
def expected(number, db):
    row = db.execute("SELECT total FROM orders WHERE number = ?", (number,)).fetchone()
    return row and row[0]


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


store = SqliteStore(DATABASE, expected=expected, on_paid=paid)
verifier = Verifier(store, landing=Landing("/orders/{merchant_uid}"))
app = PaymentsMiddleware(shop, verifier, prefix="/payments")
# payments: end
