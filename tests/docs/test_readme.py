"""The READMEs: their shop is run as it stands and bought from; their words, links and pictures."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imp_verify.sandbox import SandboxServer

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ko.md")


def shop_of(readme: str) -> str:
    """Return the first Python block."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    return found.group(1)


def test_every_picture_is_there_and_shown_in_one_document_of_its_language() -> None:
    docs = ROOT / "docs"
    catalogues = [*docs.glob("locale/ko/LC_MESSAGES/*.po")]
    shown: list[str] = []
    for page in [*(ROOT / name for name in READMES), *docs.glob("*.md"), *catalogues]:
        text = page.read_text(encoding="utf-8")
        if page in catalogues:  # what stands in place of the sources' pictures
            text = "".join(re.findall(r"^msgstr [^\n]*(?:\n\"[^\n]*)*", text, re.MULTILINE))
        found = re.findall(r"\]\([^)]*images/([^)]+)\)", text)
        language = "ko" if page in catalogues or page.name.endswith(".ko.md") else "en"
        assert [name for name in found if not name.endswith(f"-{language}.png")] == []
        shown += found
    assert sorted(shown) == sorted(each.name for each in (docs / "images").iterdir())


@pytest.mark.parametrize("readme", READMES)
def test_the_shop_of_the_readme_has_at_most_15_lines(readme: str) -> None:
    assert sum(1 for line in shop_of(readme).splitlines() if line.strip()) <= 15


def test_both_readmes_show_the_same_shop_answers_and_links() -> None:
    texts = [(ROOT / readme).read_text(encoding="utf-8") for readme in READMES]
    one, other = (re.findall(r"```python\n(.*?)```", text, re.DOTALL) for text in texts)
    without = [[re.sub(r" *#.*", "", block) for block in blocks] for blocks in (one, other)]
    assert without[0] == without[1]
    assert len(without[0]) == 1
    words, links = (
        [re.findall(pattern, text) for text in texts]
        for pattern in (r": `(\w+)` \|", r"\]\(((?!README)[^)]*\.md[^)]*)\)")
    )
    assert words[0] == words[1] == ["forgery"] * 3
    assert links[0] == links[1]
    assert len(links[0]) > 20


@pytest.mark.parametrize("readme", READMES)
def test_a_readme_has_at_most_900_words_with_its_code_and_tables(readme: str) -> None:
    assert len((ROOT / readme).read_text(encoding="utf-8").split()) <= 900


@pytest.mark.parametrize("readme", READMES)
def test_each_link_and_picture_of_a_readme_is_absolute_or_a_file_of_the_repository(
    readme: str,
) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(found) > 20
    relative = [each for each in found if not re.match(r"(?:https|mailto):", each)]
    assert [each for each in relative if not (ROOT / each.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_shop_of_the_readme_sells(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMP_KEY", "sandbox_key")
    monkeypatch.setenv("IMP_SECRET", "sandbox_secret")
    monkeypatch.setenv("IMP_TEST_MODE", "1")
    with closing(sqlite3.connect("shop.db", isolation_level=None)) as db, SandboxServer() as server:
        monkeypatch.setenv("IMP_API_URL", server.url)
        db.execute("CREATE TABLE orders (number TEXT PRIMARY KEY, total INTEGER, state TEXT)")
        orders = [("ORD-1", "new"), ("ORD-2", "new"), ("ORD-3", "cancelled")]
        db.executemany("INSERT INTO orders VALUES (?, 39000, ?)", orders)
        shop: dict[str, Any] = {"__name__": "shop"}
        exec(compile(shop_of(readme), readme, "exec"), shop)
        client = shop["app"].test_client()

        paid = server.sandbox.gateway.open({"merchant_uid": "ORD-1", "amount": 39000}).imp_uid
        cheap = server.sandbox.gateway.open({"merchant_uid": "ORD-2", "amount": 390}).imp_uid
        dropped = server.sandbox.gateway.open({"merchant_uid": "ORD-3", "amount": 39000}).imp_uid
        for imp_uid in (paid, cheap, dropped):
            server.sandbox.approve(imp_uid)
        good = client.post("/payments/complete", json={"imp_uid": paid, "merchant_uid": "ORD-1"})
        again = client.get(f"/payments/redirect?imp_uid={paid}&merchant_uid=ORD-1&imp_success=true")
        bad = client.post("/payments/webhook", data={"imp_uid": cheap, "merchant_uid": "ORD-2"})
        stolen = client.post("/payments/complete", json={"imp_uid": paid, "merchant_uid": "ORD-2"})

        late = client.post("/payments/webhook", data={"imp_uid": dropped, "merchant_uid": "ORD-3"})

        assert (good.status_code, good.json["status"]) == (200, "success")
        assert (again.status_code, again.location) == (303, "/orders/ORD-1")
        assert (bad.status_code, bad.json["status"]) == (400, "forgery")
        assert (stolen.status_code, stolen.json["status"]) == (400, "forgery")
        assert (late.status_code, late.json["status"]) == (200, "latePayment")
        rows = db.execute("SELECT number, state FROM orders ORDER BY number").fetchall()
        assert rows == [("ORD-1", "paid"), *orders[1:]]
        shop["verifier"].close()
