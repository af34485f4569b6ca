"""A FastAPI shop with SQLModel: its models and the payments share one database.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    uvicorn fastapi_sqlmodel_shop:app
"""

import os
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

# payments: begin
from imp_verify import AsyncVerifier, Checkout, ExpectedPayment, Landing, order_number
from imp_verify.contrib.browser import async_button
from imp_verify.contrib.fastapi import payments
from imp_verify.stores.sqlalchemy import AsyncSqlAlchemyStore

# payments: end

CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
file = Path(os.environ.get("SHOP_DB", "shop.db")).absolute()
engine = create_async_engine(os.environ.get("SHOP_DATABASE", f"sqlite+aiosqlite:///{file}"))
Session = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


class Order(SQLModel, table=True):
    __tablename__ = "orders"
    number: str = Field(primary_key=True, max_length=64)
    total: int
    state: str = Field(default="new", max_length=16)


@asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
    await store.create_all()
    yield
    await verifier.close()
    await engine.dispose()


app = FastAPI(title="A shop", lifespan=lifespan)


@app.post("/orders")
async def order(total: int) -> RedirectResponse:
    row = Order(number=order_number(), total=total)
    async with Session.begin() as session:
        session.add(row)
    return RedirectResponse(f"/orders/{row.number}", 303)


@app.get("/orders/{number}")
async def show(number: str) -> Order:
    async with Session() as session:
        row = await session.get(Order, number)
    if row is None:
        raise HTTPException(404)
    return row


# payments: begin
async def expected(number, session):
    row = await session.get(Order, number)
    return row and ExpectedPayment(row.number, row.total, open=row.state == "new")


async def paid(outcome, session):
    (await session.get(Order, outcome.merchant_uid)).state = "paid"


store = AsyncSqlAlchemyStore(Session, expected=expected, on_paid=paid)
verifier = AsyncVerifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
app.include_router(payments(verifier), prefix="/payments")


@app.get("/orders/{number}/pay")
async def pay(number: str) -> HTMLResponse:
    return HTMLResponse(PAGE + await async_button(verifier, number, sdk=SDK))


# payments: end
