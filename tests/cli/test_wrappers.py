"""The same commands in a framework's own: `flask imp-verify`, `quart imp-verify` and `manage.py
imp_verify`, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from imp_verify import Credentials, Verifier
from imp_verify.contrib.flask import payments
from imp_verify.sandbox import SandboxServer
from imp_verify.stores.memory import MemoryStore
from tests.cli.test_doctor import serving
from tests.support.servers import SCRIPTS

from .conftest import KEYS, SECRET, Ran, paid

FLASK = """
from flask import Flask, current_app
from imp_verify import Verifier
from imp_verify.contrib.flask import payments
from imp_verify.stores.sqlite import SqliteStore

def expected(merchant_uid, db):
    return current_app.config["PRICES"].get(merchant_uid)

app = Flask("wrapped")
app.config["PRICES"] = {"ORD-1001": 39000}
verifier = Verifier(SqliteStore("shop.db", expected=expected))
app.register_blueprint(payments(verifier), url_prefix="/pay")
cheap = Verifier(SqliteStore("cheap.db", expected=lambda order, db: 390))
app.register_blueprint(payments(cheap, name="cheap"), url_prefix="/<lang>/cheap")
"""
QUART = (
    FLASK.replace("flask", "quart").replace("Flask", "Quart").replace("Verifier(", "AsyncVerifier(")
).replace("import Verifier", "import AsyncVerifier")
SETTINGS = """
INSTALLED_APPS += ["imp_verify.contrib.django"]
IMP_VERIFY = {"STORE": "project.payments.store"}
"""
URLS = """
from django.urls import include
urlpatterns += [path("pay/", include("imp_verify.contrib.django.urls"))]
"""
PAYMENTS = """
from imp_verify import ExpectedPayment
from imp_verify.contrib.django.stores import DjangoStore

def expected(merchant_uid, using):
    return ExpectedPayment("ORD-1001", 39000)

store = DjangoStore(expected=expected)
"""
pytestmark = pytest.mark.slow


class Typed:
    """A command line in a folder, with the environment of a shop."""

    def __init__(self, folder: Path, base: list[str], **variables: str) -> None:
        self.folder = folder
        self._base = base
        self._variables = variables

    def __call__(self, *argv: str, **more: str) -> Ran:
        clean = {name: each for name, each in os.environ.items() if not name.startswith("IMP_")}
        done = subprocess.run(
            [*self._base, *argv],
            cwd=self.folder,
            env={
                **clean,
                "LANG": "C.UTF-8",
                "LC_ALL": "C.UTF-8",
                "IMP_VERIFY_OUTWARD": os.environ["IMP_VERIFY_OUTWARD"],
                "PYTHONPATH": os.pathsep.join(sys.path),
                **self._variables,
                **more,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert SECRET not in done.stdout + done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(params=["flask", "quart"])
def typed(request: pytest.FixtureRequest, tmp_path: Path, sandbox: SandboxServer) -> Typed:
    (tmp_path / "wrapped.py").write_text(FLASK if request.param == "flask" else QUART)
    base = [str(SCRIPTS / request.param), "--app", "wrapped:app", "imp-verify"]
    return Typed(tmp_path, base, **KEYS, IMP_API_URL=sandbox.url)


def test_flask_and_quart_have_the_verifier_that_is_mounted(
    typed: Typed, sandbox: SandboxServer
) -> None:
    imp_uid = paid(sandbox)
    ran = typed("verify", imp_uid, "ORD-1001", "--json")
    assert ran.status == 0, ran.err
    assert (ran.json["verdict"], ran.json["settled"]) == ("paid", "new")
    # `--app` of ours has nothing to say here, nor its variable.
    ran = typed("verify", imp_uid, "--json", IMP_VERIFY_APP="nowhere:verifier")
    assert ran.json["settled"] == "repeated"
    ran = typed("--payments", "cheap", "verify", imp_uid, "--dry-run")
    assert (ran.status, "FORGERY" in ran.out) == (1, True)
    ran = typed("--payments", "other", "verify", imp_uid)
    assert (ran.status, "there are payments, cheap" in ran.err) == (2, True)


def test_their_doctor_knows_where_the_endpoints_are(typed: Typed) -> None:
    app = Flask("answers")
    store = MemoryStore(expected=lambda order, _: 39000)
    verifier = Verifier(store, credentials=Credentials("key", "secret"), test_mode=True)
    app.register_blueprint(payments(verifier), url_prefix="/pay")
    (typed.folder / "shop.db").touch()  # the shop has begun
    with serving(app) as address:
        ran = typed("doctor", "--json", IMP_PUBLIC_URL=f"http://{address}")
        assert ran.status == 0, ran.out + ran.err
        assert ran.json["webhook_url"] == f"http://{address}/pay/webhook"
        # A path with a variable is none that could be asked.
        given = ("--payments", "cheap", "doctor", "--json", "--prefix", "/pay")
        ran = typed(*given, IMP_PUBLIC_URL=f"http://{address}")
        assert ran.json["webhook_url"] == f"http://{address}/pay/webhook"


def test_their_help_is_ours_and_a_wrong_use_is_exit_2(typed: Typed) -> None:
    ran = typed("--help")
    assert ran.status == 0
    assert "imp-verify [OPTIONS] COMMAND" in ran.out
    assert "doctor" in ran.out
    assert typed("nothing").status == 2
    assert typed("verify").status == 2


def test_one_command_serves_several_registrations_and_is_there_without_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore(expected=lambda order, _: 39000)
    verifier = Verifier(store, credentials=Credentials("key", "secret"), test_mode=True)
    app = Flask("twice")
    for name in ("one", "two"):
        app.register_blueprint(payments(verifier, name=name), url_prefix=f"/{name}")
    assert list(app.cli.commands) == ["imp-verify"]
    monkeypatch.delitem(sys.modules, "imp_verify.cli._commands", raising=False)
    monkeypatch.setitem(sys.modules, "rich", None)
    ran = app.test_cli_runner().invoke(args=["imp-verify", "doctor"])
    assert ran.exit_code == 2
    assert 'pip install "imp-verify[cli]"' in ran.output


def append(path: Path, text: str) -> None:
    path.write_text((path.read_text() if path.exists() else "") + text)


@pytest.fixture
def manage(tmp_path: Path, sandbox: SandboxServer) -> Typed:
    command = [sys.executable, "-m", "django", "startproject", "project", str(tmp_path)]
    _ = subprocess.run(command, check=True, timeout=60)
    append(tmp_path / "project/settings.py", SETTINGS)
    append(tmp_path / "project/urls.py", URLS)
    append(tmp_path / "project/payments.py", PAYMENTS)
    base = [sys.executable, "manage.py"]
    return Typed(tmp_path, base, **KEYS, IMP_API_URL=sandbox.url)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_django_project_has_the_verifier_of_its_setting(
    asynchronous: bool, manage: Typed, sandbox: SandboxServer
) -> None:
    if asynchronous:
        append(manage.folder / "project/settings.py", 'IMP_VERIFY["ASYNC"] = True\n')
    ran = manage("imp_verify", "doctor", "--json")
    assert ran.status == 1
    tables = [each for each in ran.json["checks"] if each["name"] == "tables"]
    assert [each["level"] for each in tables] == ["bad"]
    assert manage("migrate").status == 0
    imp_uid = paid(sandbox)
    ran = manage("imp_verify", "verify", imp_uid, "ORD-1001", "--json")
    assert ran.status == 0, ran.err
    assert (json.loads(ran.out)["settled"], ran.err.count("Traceback")) == ("new", 0)
    ran = manage("imp_verify", "doctor", "--json", IMP_PUBLIC_URL="http://127.0.0.1:9")
    assert ran.status == 1
    assert ran.json["webhook_url"] == "http://127.0.0.1:9/pay/webhook"
    assert [each["name"] for each in ran.json["checks"] if each["level"] != "good"] == [
        "public_url"
    ]


def test_a_django_project_without_what_is_needed_is_told(manage: Typed) -> None:
    ran = manage("imp_verify", "reconcile", "--app", "other:verifier")
    assert (ran.status, "takes no --app" in ran.err) == (2, True)
    ran = manage("imp_verify", "doctor", IMP_SECRET="")
    assert (ran.status, "IMP_SECRET" in ran.err) == (2, True)
    assert manage("imp_verify").status == 2
    assert "COMMAND" in manage("imp_verify", "--help").out
    path = manage.folder / "project/urls.py"
    path.write_text(path.read_text().replace(URLS, ""))
    ran = manage("imp_verify", "doctor", "--json", IMP_PUBLIC_URL="http://127.0.0.1:9")
    assert ran.json["webhook_url"] == "http://127.0.0.1:9/payments/webhook"
    path.write_text("import no_such_library")
    ran = manage("imp_verify", "doctor", "--verbose")
    assert ran.status == 2
    assert ran.err.count("Traceback") == 0
    assert ran.err.splitlines()[-1].endswith(
        "ModuleNotFoundError: No module named 'no_such_library'"
    )
    assert f"{path}:1 in <module>" in ran.err
