"""docs/stores-django.md: its shop and its test, as they stand, in a project of Django's."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.docs.test_testing import PROJECT

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "stores-django.md"
# What the page leaves to docs/testing.md: a gateway, and who pays at it.
PAYING = """

from django.conf import settings
from imp_verify.testing import FakeGateway

def set_up(self):
    self.gateway = FakeGateway()
    asks = {"TRANSPORT": self.gateway.transport, "CREDENTIALS": self.gateway.credentials}
    self.enterContext(self.settings(IMP_VERIFY={**settings.IMP_VERIFY, **asks}))

def pay(self, number, amount):
    return self.gateway.pay(number, amount).imp_uid

Webhook.setUp = set_up
Webhook.pay = pay

class Claims(Webhook):
    def test_a_hook_pays_the_order_and_what_it_returns_is_called(self):
        from django.db import transaction
        from imp_verify import StoreError
        from imp_verify.contrib.django.conf import get_verifier

        Order.objects.create(number="A-2", total=39000, state="gone")
        late = self.pay("A-2", 39000)
        self.assertEqual(get_verifier().verify(late, "A-2").verdict, "late")
        with transaction.atomic(), self.assertRaises(StoreError):
            get_verifier().give_back(late)
        self.assertEqual(self.gateway.payment(late).cancel_amount, 0)
"""


def test_the_pages_shop_passes_the_pages_test_and_claims_nothing_in_an_atomic_block(
    pytester: pytest.Pytester,
) -> None:
    payments, trial = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    project = {**PROJECT, "shop/payments.py": payments, "shop/tests.py": trial + PAYING}
    for name, text in project.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_SETTINGS_MODULE", "settings")
        patch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
        ran = pytester.run(sys.executable, "-W", "error", "-m", "django", "test")
    ran.stderr.fnmatch_lines(["Ran 2 tests in *", "OK"])


def test_the_permissions_and_settings_of_the_page_are_there() -> None:
    text = PAGE.read_text("utf-8")
    root = PAGE.parents[1] / "src" / "imp_verify" / "contrib" / "django"
    written = "".join(file.read_text("utf-8") for file in root.rglob("*.py"))
    for permission in re.findall(r"`imp_verify\.(\w+)`", text):
        if permission != "contrib":
            assert f'"{permission}"' in written
    assert "CONN_HEALTH_CHECKS" in written
    assert "imp_changes_once" in written
