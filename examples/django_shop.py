"""A Django shop in one file.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    gunicorn --threads 8 django_shop:app
"""

import os
import secrets

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

PAGE = "<!doctype html><title>Checkout</title>"
DATABASE = os.environ.get("SHOP_DB", "shop.db")


# payments: begin
def expected(number, db):
    row = db.execute("SELECT total FROM orders WHERE number = ?", (number,)).fetchone()
    return row and row[0]


def paid(outcome, db):
    db.execute("UPDATE orders SET state = 'paid' WHERE number = ?", (outcome.merchant_uid,))


def make_store():
    from imp_verify.stores.sqlite import SqliteStore

    return SqliteStore(DATABASE, expected=expected, on_paid=paid)


def pay(request, number):
    from imp_verify.contrib.django.button import imp_verify_button

    return HttpResponse(PAGE + imp_verify_button(request, number))


payments = {"STORE": make_store(), "CHECKOUT": {"USER_CODE": os.environ["IMP_USER_CODE"]}}
payments |= {"LANDING": {"success": "/orders/{merchant_uid}"}}
# payments: end

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY") or secrets.token_hex(32),
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["imp_verify.contrib.django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    USE_TZ=True,
    IMP_VERIFY=payments,
)
django.setup()

with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, total INT, state TEXT)"
    )


@csrf_exempt
def order(request):
    number = secrets.token_hex(8)
    with connection.cursor() as cursor:
        total = int(request.GET["total"])
        cursor.execute("INSERT INTO orders VALUES (%s, %s, 'open')", [number, total])
    return HttpResponseRedirect(f"/orders/{number}", status=303)


def show(request, number):
    with connection.cursor() as cursor:
        cursor.execute("SELECT total, state FROM orders WHERE number = %s", [number])
        total, state = cursor.fetchone() or (None, "unknown")
    return JsonResponse({"number": number, "total": total, "state": state})


urlpatterns = [
    path("orders", order),
    path("orders/<str:number>", show),
    path("orders/<str:number>/pay", pay),
    path("payments/", include("imp_verify.contrib.django.urls")),
]
app = get_wsgi_application()
