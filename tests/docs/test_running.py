"""docs/running.md: its proxy, its servers' lines, its senders, and its list, as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from imp_verify import Credentials, Request, Verifier
from imp_verify.cli import _words
from imp_verify.stores.memory import MemoryStore
from tests.support.needs import NGINX

PAGE = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")


@pytest.mark.needs("nginx")
def test_nginx_takes_the_blocks(tmp_path: Path) -> None:
    limits, locations, proxy = re.findall(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
    [place] = set(re.findall(r"include (\S+);", locations))
    assert proxy.splitlines()[0] == f"# {place}"
    (tmp_path / "proxy.conf").write_text(proxy, encoding="utf-8")
    temporary = "".join(
        f"{name}_temp_path {tmp_path / name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    inner = locations.replace(place, str(tmp_path / "proxy.conf"))
    server = f"server {{ listen unix:{tmp_path / 'socket'}; {inner} }}"
    whole = (
        f"pid {tmp_path / 'pid'};events {{}}http {{ access_log off; {temporary}{limits}{server} }}"
    )
    (tmp_path / "nginx.conf").write_text(whole, encoding="utf-8")
    command = [NGINX, "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


def verifier_of(block: str) -> Verifier:
    names: dict[str, Any] = {"store": MemoryStore(expected=lambda number, _: 39000)}
    keys = 'credentials=Credentials("key", "secret"), test_mode=True,'
    exec("from imp_verify import Credentials\n" + block.replace("store,", f"store, {keys}"), names)
    verifier: Verifier = names["verifier"]
    assert verifier.settings.credentials == Credentials("key", "secret")
    return verifier


def test_only_the_senders_named_reach_the_webhook_and_only_the_proxy_is_believed() -> None:
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    verifier = verifier_of(block)
    assert verifier.settings.webhook_sources is not None
    sender = verifier.settings.webhook_sources[0]

    def status(client: str, *forwarded: str, endpoint: str = "webhook") -> int:
        headers = [("X-Forwarded-For", each) for each in forwarded]
        return verifier.serve(endpoint, Request("POST", "", headers, b"", client)).status

    assert status("127.0.0.1", sender) == 400  # empty, but read
    assert status("127.0.0.1", f"{sender}, 203.0.113.9") == 403
    assert status("203.0.113.9", sender) == 403
    assert status("203.0.113.9", endpoint="complete") == 400
    for each in verifier.settings.webhook_sources or ():
        assert PAGE.count(each) == 2
    verifier.close()


def test_the_servers_read_their_lines() -> None:
    one, other = (shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE))
    assert (one[0], other[0]) == ("gunicorn", "uvicorn")
    config = import_module("gunicorn.config").Config()
    read = config.parser().parse_args(one[1:])
    assert (read.timeout, read.graceful_timeout, read.threads) == (60, 30, 8)
    assert (
        import_module("uvicorn.main").main.make_context("uvicorn", other[1:]).params["workers"] == 2
    )
    assert config.timeout == 30


def test_the_limits_are_the_defaults_and_go_together() -> None:
    settings = verifier_of("from imp_verify import Verifier\nverifier = Verifier(store,)").settings
    rows = dict(re.findall(r"^\| `(\w+)`.* \| (\d+) \|", PAGE, re.MULTILINE))
    assert rows == {"timeout": "5", "confirm_timeout": "4", "cancel_timeout": "30"}
    assert {name: getattr(settings, name) for name in rows} == {
        name: float(value) for name, value in rows.items()
    }
    assert settings.timeout + 5 < 15


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_list_names_lines_of_doctor_in_both_languages(language: str) -> None:
    text = PAGE
    if language == "ko":
        catalogue = Path(__file__).parents[2] / "docs/locale/ko/LC_MESSAGES/running.po"
        text = re.sub(r'"\n"', "", catalogue.read_text(encoding="utf-8"))
        text = "\n".join(re.findall(r'^msgstr "(☐.*)"$', text, re.MULTILINE))
    listed = re.findall(r"☐ (.*)", text.replace("\\n", "\n"))
    assert len(listed) == 12
    shown = {_words.Words(language)(f"check_{name}") for name in CHECKS}
    named = {
        each.strip()
        for line in listed
        for found in re.findall(r"\(([^)]*)\)", line)
        for each in found.split(",")
    }
    assert shown - named == set()


CHECKS = (
    *("token", "mode", "clock", "lookup", "database", "tables", "collation", "lock_timeout"),
    *("store", "public_url", "senders"),
)
