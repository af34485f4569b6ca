"""docs/sandbox.md: its calls, as they stand, and its tables of faults and calls."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import requests

from imp_verify.sandbox import Fault, SandboxServer
from imp_verify.sandbox.calls import CALLS, NAMES
from imp_verify.sandbox.command import GUIDE
from imp_verify.sandbox.fault_checks import OF_WEBHOOKS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "sandbox.md"
OWN = "http://127.0.0.1:8900"
SHOP = "http://127.0.0.1:5000/payments/webhook"


def read() -> str:
    return (DOCS / PAGE).read_text(encoding="utf-8")


def parts() -> list[str]:
    return re.split(r"^## ", read(), flags=re.MULTILINE)


def rows(text: str) -> list[tuple[list[str], str]]:
    """Return of each row of a table the names in its first cell, and the rest."""
    found = re.findall(r"^\| (`.*?`) \|(.*)$", text, re.MULTILINE)
    return [(re.findall(r"`(\w+)`", first), rest) for first, rest in found]


def code() -> list[str]:
    return re.findall(r"```python\n(.*?)```", read(), re.DOTALL)


def test_what_the_command_prints_is_what_it_prints() -> None:
    said = GUIDE["en"].format(
        url=OWN,
        key="sandbox_key",
        secret="sandbox_secret",
        user_code="imp00000000",
        account="",
        webhook=SHOP,
    )
    assert said in read()


def test_the_python_of_the_page_runs() -> None:
    (block,) = code()
    exec(block.replace(SHOP, "http://127.0.0.1:1/"), {})


def test_every_call_of_curl_is_answered() -> None:
    lines = re.findall(r"^\$ curl (.*)$", read(), re.MULTILINE)
    with SandboxServer() as server, requests.Session() as session:
        session.trust_env = False
        imp_uid = "none yet"
        for line in lines:
            words = shlex.split(line.replace("IMP_UID", imp_uid).replace(OWN, server.url))
            (url,) = (word for word in words if word.startswith(server.url))
            body = json.loads(words[words.index("--json") + 1]) if "--json" in words else None
            method = words[1] if words[0] == "-X" else "GET" if body is None else "POST"
            answer = session.request(method, url, json=body, timeout=10)
            assert answer.status_code in (200, 201), (line, answer.text)
            if "/windows" in url:
                imp_uid = answer.json()["imp_uid"]
    assert len(lines) > 10


def test_every_field_of_a_fault_has_its_row() -> None:
    (text,) = (each for each in parts() if "| `rate`, `seed` |" in each)
    told = rows(text)
    of_status = {"body", "content_type"}
    named = {name for names, _ in told for name in names} | of_status
    assert named == {each.name for each in fields(Fault) if each.init}
    (status,) = (rest for names, rest in told if names == ["status"])
    assert all(f"`{name}`" in status for name in of_status)
    webhooks = text.rpartition("|---|---|")[2]
    assert [names[0] for names, _ in rows(webhooks)][:3] == list(OF_WEBHOOKS)


def test_every_call_that_there_is_has_its_row() -> None:
    (text,) = (each for each in parts() if "| `token` |" in each)
    told = {names[0]: re.findall(r"`([^`]+)`", rest) for names, rest in rows(text)}
    assert list(told) == list(NAMES)
    for name, calls in told.items():
        assert calls == [f"{each.method} {each.paths[0]}" for each in CALLS if each.name == name]


def test_every_link_between_the_pages_leads_somewhere() -> None:
    for page in [*DOCS.glob("*.md"), *DOCS.parent.glob("README*.md")]:
        found = re.findall(r"\]\(([\w./-]+\.md)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
        for name, anchor in found:
            text = (page.parent / name).read_text(encoding="utf-8")
            heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
            assert not anchor or anchor in anchors, (page.name, name, anchor)
