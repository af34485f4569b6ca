"""A FastAPI shop.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    uvicorn fastapi_shop:app
"""

import os
import sqlite3
from contextlib import closing

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse

# payments: begin
from imp_verify import AsyncVerifier, Checkout, ExpectedPayment, Landing, order_number
from imp_verify.contrib.browser import async_button
from imp_verify.contrib.fastapi import payments
from imp_verify.stores.sqlite import SqliteStore

# payments: end

DATABASE = os.environ.get("SHOP_DB", "shop.db")
CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
app = FastAPI(title="A shop")

with closing(sqlite3.connect(DATABASE)) as db:
    db.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)")


@app.post("/orders")
def order(total: int) -> RedirectResponse:
    number = order_number()
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("INSERT INTO orders VALUES (?, ?, 'new')", (number, total))
    return RedirectResponse(f"/orders/{number}", 303)


@app.get("/orders/{number}")
def show(number: str) -> dict[str, str | int]:
    with closing(sqlite3.connect(DATABASE)) as db:
        row = db.execute("SELECT total, state FROM orders WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise HTTPException(404)
    return {"number": number, "total": row[0], "state": row[1]}


# payments: begin
def expected(number, db):
    row = db.execute("SELECT number, total, state FROM orders WHERE number=?", (number,)).fetchone()
    return row and ExpectedPayment(row[0], row[1], open=row[2] == "new")


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


store = SqliteStore(DATABASE, expected=expected, on_paid=paid)
verifier = AsyncVerifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
app.include_router(payments(verifier), prefix="/payments")


@app.get("/orders/{number}/pay")
async def pay(number: str) -> HTMLResponse:
    return HTMLResponse(PAGE + await async_button(verifier, number, sdk=SDK))


# payments: end
