"""A Django shop in one file.

IMP_KEY=... IMP_SECRET=... IMP_USER_CODE=... IMP_PUBLIC_URL=https://... \
    gunicorn --threads 8 django_shop:app
"""

import os

import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.utils import get_random_secret_key
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from imp_verify import ExpectedPayment, order_number
from imp_verify.contrib.django.stores import DjangoStore

SDK = os.environ.get("SHOP_SDK")  # the sandbox's script; None: the gateway's own
PAGE = "<!doctype html><title>Checkout</title>"


# payments: begin
def expected(number, using):
    order = Order.objects.using(using).filter(number=number).first()
    return order and ExpectedPayment(order.number, order.total, open=order.state == "new")


def paid(outcome, using):
    Order.objects.using(using).filter(number=outcome.merchant_uid).update(state="paid")


def pay(request, number):
    from imp_verify.contrib.django.button import imp_verify_button

    return HttpResponse(PAGE + imp_verify_button(request, number, sdk=SDK))


payments = {
    "STORE": DjangoStore(expected=expected, on_paid=paid),
    "CHECKOUT": {"USER_CODE": os.environ["IMP_USER_CODE"]},
    "LANDING": {"success": "/orders/{merchant_uid}"},
}
# payments: end

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key(),
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["imp_verify.contrib.django"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("SHOP_DB", "shop.db"),
        }
    },
    USE_TZ=True,
    IMP_VERIFY=payments,
)
django.setup()


class Order(models.Model):
    number = models.CharField(max_length=64, primary_key=True)
    total = models.IntegerField()
    state = models.CharField(max_length=16, default="new")

    class Meta:
        app_label = "shop"
        db_table = "orders"


call_command("migrate", verbosity=0)
if Order._meta.db_table not in connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Order)


@csrf_exempt
def order(request):
    new = Order.objects.create(number=order_number(), total=int(request.GET["total"]))
    return HttpResponseRedirect(f"/orders/{new.number}", status=303)


def show(request, number):
    found = Order.objects.filter(number=number).values("number", "total", "state").first()
    return JsonResponse(found or {"number": number, "total": None, "state": "unknown"})


urlpatterns = [
    path("orders", order),
    path("orders/<str:number>", show),
    path("orders/<str:number>/pay", pay),
    path("payments/", include("imp_verify.contrib.django.urls")),
]
app = get_wsgi_application()
