"""docs/testing.md: its tests, as they stand, in suites of shops."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PAGE = "docs/testing.md"
PROJECT = {
    "settings.py": """
SECRET_KEY = "not a secret"
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["imp_verify.contrib.django", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
IMP_VERIFY = {"STORE": "shop.payments.store"}
""",
    "urls.py": """
from django.urls import include, path
urlpatterns = [path("payments/", include("imp_verify.contrib.django.urls"))]
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models

class Order(models.Model):
    number = models.CharField(max_length=64, primary_key=True)
    total = models.IntegerField()
    state = models.CharField(max_length=16, default="new")
""",
    "shop/payments.py": """
from imp_verify import ExpectedPayment
from imp_verify.contrib.django.stores import DjangoStore
from shop.models import Order

def expected(number, using):
    order = Order.objects.using(using).filter(number=number).first()
    return order and ExpectedPayment(order.number, order.total, open=order.state == "new")

def paid(outcome, using):
    Order.objects.using(using).filter(number=outcome.merchant_uid).update(state="paid")

store = DjangoStore(expected=expected, on_paid=paid)
""",
}


def blocks() -> list[str]:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_first_test_has_at_most_15_lines_and_passes(pytester: pytest.Pytester) -> None:
    text = blocks()[0]
    assert len([line for line in text.partition("\n\n\n")[2].splitlines() if line]) <= 15
    pytester.makepyfile(text)
    result = pytester.runpytest_inprocess("-p", "pytest_imp_verify", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_the_flask_shop_is_told() -> None:
    exec(blocks()[1], {})


def test_djangos_own_test_case_sees_what_a_webhook_did(pytester: pytest.Pytester) -> None:
    for name, text in {**PROJECT, "shop/tests.py": blocks()[2]}.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_SETTINGS_MODULE", "settings")
        patch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
        ran = pytester.run(sys.executable, "-W", "error", "-m", "django", "test")
    ran.stderr.fnmatch_lines(["Ran 1 test in *", "OK"])
