"""docs/tutorial-*.md: each page is followed, by its own commands, for each shop that it shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path

import click
import pytest

from imp_verify.cli._commands import commands
from imp_verify.sandbox import Account, SandboxServer
from imp_verify.sandbox.command import PORT
from tests.support.servers import SCRIPTS, Server, free_port, started, until

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
PAGES = sorted(each.stem.removeprefix("tutorial-") for each in DOCS.glob("tutorial-*.md"))
SHOPS = {
    "flask_sqlalchemy_shop": ("flask", "flask"),
    "flask_shop": ("flask", "flask"),
    "django_site": ("django", "python manage.py runserver"),
    "fastapi_sqlalchemy_shop": ("fastapi", "uvicorn"),
    "fastapi_sqlmodel_shop": ("fastapi", "uvicorn"),
    "starlette_shop": ("starlette", "uvicorn"),
    "quart_shop": ("quart", "quart"),
    "wsgi_shop": ("plain", "gunicorn"),
    "asgi_shop": ("plain", "uvicorn"),
}
"""The page of each shop, and how the page's command for it begins."""
FEW = ("flask_sqlalchemy_shop", "django_site", "fastapi_sqlmodel_shop")
FOLLOWED = SHOPS if os.environ.get("IMP_VERIFY_ALL_SERVERS") == "1" else FEW


def read(page: str) -> str:
    return (DOCS / f"tutorial-{page}.md").read_text(encoding="utf-8")


def shown(page: str) -> list[tuple[str, str]]:
    """Return the files that a page shows: under examples/, and as the page calls them."""
    pattern = r"^```\{literalinclude\} \.\./examples/(\S+)\n(?::.*\n)*?:caption: (\S+)$"
    return re.findall(pattern, read(page), re.MULTILINE)


def consoles(page: str) -> list[list[str]]:
    """Return the commands of each console block."""
    found = re.findall(r"```console\n(.*?)```", read(page), re.DOTALL)
    return [re.findall(r"^\$ (.*)$", block, re.MULTILINE) for block in found]


def typed(page: str) -> list[str]:
    return [line for block in consoles(page) for line in block]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_shows_is_there_with_its_marks(page: str) -> None:
    assert shown(page)
    for name, _ in shown(page):
        assert (EXAMPLES / name).is_file()
    asked = re.findall(r"examples/(\S+)\n(?::.*\n)*?:start-after: \"(.*)\"\n:end-", read(page))
    for name, mark in asked:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert text.count(f"\n{mark}\n") == 1, (name, mark)


def test_every_shop_of_a_page_is_bought_from() -> None:
    files = {name for page in PAGES for name, caption in shown(page) if caption == "shop.py"}
    assert {f"{name}.py" for name in SHOPS if name != "django_site"} == files
    assert {page for page, _ in SHOPS.values()} == set(PAGES)


def test_the_page_of_django_shows_all_that_its_project_adds_to_another() -> None:
    told = {caption for _, caption in shown("django")}
    folder = EXAMPLES / "django_site"
    for name, caption in shown("django"):
        assert folder / caption == EXAMPLES / name
    own = {str(each.relative_to(folder)) for each in folder.rglob("*.py")} - {
        *("manage.py", "shop/__init__.py", "shop/admin.py"),
        *("shop/migrations/__init__.py", "shop/migrations/0001_initial.py"),
    }
    assert own == {each for each in told if each.endswith(".py")}


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_package_are_typed_as_they_are(page: str) -> None:
    lines = [line for line in typed(page) if re.search(r"\bimp[-_]verify (?!@)", line)]
    assert len(lines) == 4
    for line in lines:
        words = shlex.split(re.sub(r".*\bimp[-_]verify ", "", line))
        command = commands.get_command(click.Context(commands), words[0])
        assert command is not None, line
        command.make_context(words[0], words[1:])  # raises where an option is not known


def test_the_extras_and_the_command_of_the_first_page_are_there() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    table = text.partition("| extra | for |\n")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()]
    named = {name for cell in first for name in re.findall(r"`(.*?)`", cell)}
    assert named == set(metadata("imp-verify").get_all("Provides-Extra") or [])
    options = re.findall(r"`(--[a-z]+)(?: [^`]*)?`", text)
    demo = commands.get_command(click.Context(commands), "demo")
    assert demo is not None
    assert options == ["--language", "--host"]
    assert set(options) <= {name for each in demo.params for name in each.opts}


@pytest.mark.parametrize("page", PAGES)
def test_the_keys_and_addresses_are_those_of_the_sandbox(page: str) -> None:
    told = variables(page)
    account = Account()
    assert told == {
        "IMP_KEY": account.key,
        "IMP_SECRET": account.secret,
        "IMP_USER_CODE": account.user_code,
        "IMP_API_URL": f"http://127.0.0.1:{PORT}",
        "IMP_PUBLIC_URL": "http://127.0.0.1:8000",
        "SHOP_SDK": f"http://127.0.0.1:{PORT}/v1/iamport.js",
    }


def variables(page: str) -> dict[str, str]:
    lines = [line for line in typed(page) if line.startswith("export ")]
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(lines)))


@dataclass(frozen=True)
class Reader:
    """Somebody who follows a page; the ports are free ones."""

    page: str
    ports: dict[str, str]
    environment: dict[str, str]
    folder: Path

    def at(self, text: str) -> str:
        for port, own in self.ports.items():
            text = text.replace(f":{port}", f":{own}").replace(f" {port}", f" {own}")
        return text

    def types(self, *lines: str) -> str:
        """Type these lines into a shell, and return what they print."""
        ran = subprocess.run(
            ["bash", "-c", "\n".join(map(self.at, lines))],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@contextmanager
def following(name: str, folder: Path) -> Iterator[tuple[Reader, Server, SandboxServer]]:
    """Do what a page says until its shop runs."""
    page, beginning = SHOPS[name]
    if name == "django_site":
        shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    else:
        shutil.copy(EXAMPLES / f"{name}.py", folder / "shop.py")
    shutil.copy(EXAMPLES / "check_payment.py", folder)
    port = free_port()
    hook = f"http://127.0.0.1:{port}/payments/webhook"
    with SandboxServer(webhook_url=hook) as server:
        own = server.url.rpartition(":")[2]
        here = Reader(page, {"8000": str(port), str(PORT): own}, {}, folder)
        told = {name: here.at(value) for name, value in variables(page).items()}
        path = os.pathsep.join([str(SCRIPTS), os.environ["PATH"]])
        more = {"PATH": path, "NO_PROXY": "*"}
        reader = Reader(page, here.ports, {**os.environ, **told, **more}, folder)
        for line in typed(page):
            if line == "python manage.py migrate":
                reader.types(line)
        (command,) = (each for each in typed(page) if is_server(each, beginning))
        with started(reader.at(command), reader.environment, folder, port=port) as shop:
            warm(shop)
            yield reader, shop, server


def is_server(line: str, beginning: str) -> bool:
    return line.startswith(beginning) and "8000" in line


def warm(shop: Server) -> None:
    """Have the shop import its client: on a busy machine that may outlast a first look-up."""
    unknown = {"imp_uid": "imp_000000000000", "merchant_uid": "ORD-1"}
    assert until(lambda: shop.ask("POST", "/payments/webhook", unknown, LOCAL).status == 400)


LOCAL = {"Host": "127.0.0.1"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWED)
def test_who_follows_a_page_sees_an_order_paid_and_a_forgery_refused(
    name: str, tmp_path: Path
) -> None:
    with following(name, tmp_path) as (reader, shop, server):
        order, pay, forge = (
            next(each for each in consoles(reader.page) if beginning in "\n".join(each))
            for beginning in ("echo", "trigger paid", "trigger forged")
        )
        reader.types('curl -sf -o /dev/null "$SHOP_SDK" -o /dev/null http://127.0.0.1:8900/')
        # What was ordered is looked at, and then paid, in one shell.
        said = reader.types(*order, 'curl -s "$order/pay"', *pay)
        assert f'"sdk":"{server.url}/v1/iamport.js"' in said
        assert "<- 200" in said
        assert '"status":"success"' in said
        assert re.search(r'"state": ?"paid"', said)
        said = reader.types(*forge)
        assert "<- 400" in said
        assert '"status":"forgery"' in said
        assert re.search(r'"state": ?"new"', said)
        assert shop.ask("GET", "/favicon.ico", headers=LOCAL).status < 500
        if name == "wsgi_shop":
            checks_by_hand(reader, shop, server)


def checks_by_hand(reader: Reader, shop: Server, server: SandboxServer) -> None:
    (line,) = (each for each in typed(reader.page) if each.startswith("python check_payment.py"))
    answer = shop.ask("POST", "/orders?total=39000", headers=LOCAL)
    number = answer.headers["location"].rpartition("/")[2]
    paid = server.sandbox.gateway.make(merchant_uid=number, amount=39000, status="paid")
    line = line.replace("imp_123456789012", paid.imp_uid)
    assert reader.types(line.replace("ORD-1001", number)) == f"{number} is paid: 39000 KRW\n"
    other = reader.types(line.replace("ORD-1001", "ORD-1"))
    assert other == "not paid: forgery order\n"
