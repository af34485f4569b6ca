"""A project as `django-admin startproject` makes it, by the commands that a shop runs: without
credentials it is built and migrated, and told so where it is served or deployed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
INSTALLED_APPS += ["imp_verify.contrib.django"]
STATIC_ROOT = BASE_DIR / "static"
IMP_VERIFY = {"STORE": "project.payments.store"}
"""
URLS = """
from django.urls import include
urlpatterns += [path("payments/", include("imp_verify.contrib.django.urls"))]
"""
PAYMENTS = """
from imp_verify import ExpectedPayment
from imp_verify.contrib.django.stores import DjangoStore

def expected(merchant_uid, using):
    return ExpectedPayment("ORD-1001", 39000)

store = DjangoStore(expected=expected)
"""
pytestmark = pytest.mark.slow
MISSING = "IMP_KEY is missing"


def append(path: Path, text: str) -> None:
    path.write_text((path.read_text() if path.exists() else "") + text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    command = [sys.executable, "-m", "django", "startproject", "project", str(tmp_path)]
    _ = subprocess.run(command, check=True, timeout=60)
    append(tmp_path / "project/settings.py", SETTINGS)
    append(tmp_path / "project/urls.py", URLS)
    append(tmp_path / "project/payments.py", PAYMENTS)
    return tmp_path


def manage(project: Path, *arguments: str, **environment: str) -> tuple[bool, str]:
    """Run manage.py with no credentials in its environment but those given; say whether it went
    well, and what it wrote."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IMP_")}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=project,
        env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode == 0, done.stdout + done.stderr


def test_without_credentials_a_project_is_built_and_migrated_but_not_served(project: Path) -> None:
    for built in (
        ["makemigrations", "--check"],
        ["migrate"],
        ["collectstatic", "--noinput"],
        ["check"],
    ):
        went_well, text = manage(project, *built)
        assert went_well, text
        assert ("W002" in text) == (built[0] != "collectstatic"), text
    serve = ["runserver", "--noreload", "127.0.0.1:0"]
    for served in (serve, ["check", "--deploy"]):
        went_well, text = manage(project, *served)
        assert not went_well, text
        assert "imp_verify.E002" in text
        assert MISSING in text
    given = {"IMP_KEY": "key", "IMP_SECRET": "secret"}
    _, text = manage(project, "check", "--deploy", **given)  # Django's own are there still
    assert "security.W" in text
    assert "imp_verify" not in text


def test_urls_of_an_application_that_is_not_installed_do_not_pass_the_check(project: Path) -> None:
    append(project / "project/settings.py", "\nINSTALLED_APPS.pop()\n")
    went_well, text = manage(project, "check")
    assert not went_well
    assert 'INSTALLED_APPS lacks "imp_verify.contrib.django"' in text


def test_a_project_on_a_database_without_our_tables_is_told_what_to_run(project: Path) -> None:
    ask = "import imp_verify.contrib.django as d; d.get_verifier().store.receipts(['imp_1'])"
    went_well, text = manage(project, "shell", "-c", ask, IMP_KEY="key", IMP_SECRET="secret")
    assert not went_well
    assert "the store's tables are missing: run manage.py migrate" in text
