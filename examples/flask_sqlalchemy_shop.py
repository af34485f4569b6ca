"""A Flask shop with Flask-SQLAlchemy: its models, its helpers and the payments share `db.session`.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    gunicorn --threads 8 flask_sqlalchemy_shop:app
"""

import os
from pathlib import Path

from flask import Flask, redirect, render_template_string, request
from flask_sqlalchemy import SQLAlchemy

# payments: begin
from imp_verify import Checkout, ExpectedPayment, Landing, Verifier, order_number
from imp_verify.contrib.flask import payments
from imp_verify.stores.sqlalchemy import SqlAlchemyStore

# payments: end

CODE = os.environ["IMP_USER_CODE"]
SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"
app = Flask(__name__)
file = Path(os.environ.get("SHOP_DB", "shop.db")).absolute()
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("SHOP_DATABASE", f"sqlite:///{file}")
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}
db = SQLAlchemy(app)


class Order(db.Model):
    __tablename__ = "orders"
    number = db.Column(db.String(64), primary_key=True)
    total = db.Column(db.Integer, nullable=False)
    state = db.Column(db.String(8), nullable=False, default="new")


class Parcel(db.Model):
    __tablename__ = "parcels"
    id = db.Column(db.Integer, primary_key=True)
    number = db.Column(db.ForeignKey(Order.number), nullable=False)


def pack(order):
    """A helper of the shop's, as it was before there were payments. It does not commit."""
    db.session.add(Parcel(number=order.number))


@app.post("/orders")
def order():
    row = Order(number=order_number(), total=int(request.args["total"]))
    db.session.add(row)
    db.session.commit()
    return redirect(f"/orders/{row.number}", 303)


@app.get("/orders/<number>")
def show(number):
    row = db.get_or_404(Order, number)
    parcels = Parcel.query.filter_by(number=number).count()
    return {"number": number, "total": row.total, "state": row.state, "parcels": parcels}


# payments: begin
def expected(number, session):
    row = session.get(Order, number)
    return row and ExpectedPayment(row.number, row.total, open=row.state == "new")


def paid(outcome, session):  # session is db.session(), and what pack() writes commits with it
    order = session.get(Order, outcome.merchant_uid)
    order.state = "paid"
    pack(order)


store = SqlAlchemyStore(db.session, expected=expected, on_paid=paid)
verifier = Verifier(store, checkout=Checkout(CODE), landing=Landing("/orders/{merchant_uid}"))
app.register_blueprint(payments(verifier), url_prefix="/payments")
# payments: end

with app.app_context():
    db.create_all()
    store.create_all()


@app.get("/orders/<number>/pay")
def pay(number):
    template = PAGE + "{{ imp_verify_button(number, sdk=sdk) }}"
    return render_template_string(template, number=number, sdk=SDK)
