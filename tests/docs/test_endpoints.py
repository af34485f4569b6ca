"""docs/endpoints.md: its tables are the code's, in both languages, and its examples are answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from imp_verify import ENDPOINTS, MAX_BODY, Landing, Request, Response, Settled, Verifier
from imp_verify._web import answers
from imp_verify._web.endpoints import KEYS, METHODS, RETURN_KEYS
from imp_verify.testing import FakeGateway, OrdersInMemory

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "endpoints.md").read_text(encoding="utf-8")


def korean() -> str:
    """Return the Korean page, as far as its cells and code go."""
    with (DOCS / "locale/ko/LC_MESSAGES/endpoints.po").open("rb") as file:
        told = {str(each.id): str(each.string) for each in read_po(file, locale="ko") if each.id}
    rows = [re.split(r" ?\| ?", line.strip("| ")) for line in TEXT.splitlines() if line[:1] == "|"]
    return "\n".join("| " + " | ".join(told.get(each, each) for each in row) + " |" for row in rows)


def rows(page: str, pattern: str) -> list[tuple[str, ...]]:
    return re.findall(rf"^\| {pattern} \|", page, re.MULTILINE)


@pytest.fixture(params=["en", "ko"])
def page(request: pytest.FixtureRequest) -> str:
    return TEXT if request.param == "en" else korean()


def test_the_table_of_answers_is_the_codes(page: str) -> None:
    found = rows(
        page, r"`([\w:]+)` \| (\d+) `(\w+)` \| (\d+) `(\w+)` \| (\w+|[가-힣]+)(?: \| .+?)?"
    )
    lands = {"성공": "success", "대기": "pending", "실패": "failure"}
    told = {
        key: answers.Row((int(one), word), (int(two), other), lands.get(to, to))
        for key, one, word, two, other, to in found
    }
    own = {str(key): row._replace(says=None) for key, row in answers._TABLE.items()}
    assert list(told.items()) == list(own.items())


def test_the_tables_of_messages_are_the_codes(page: str) -> None:
    word = r"`(\w+)`(?: [^|]*`late:refused`[^|]*)?"
    cells = word + r" \| ([^|`]*[가-힣][^|`]*) \| ([A-Z][^|`]*)"
    told = [(word, (ko, en)) for word, ko, en in rows(page, cells)]
    messages = {**answers._WORDS}
    given_back = ("latePayment", messages.pop("refusedPayment"))
    own = [*answers._REASONS.items(), *answers._HEADINGS.items(), *messages.items(), given_back]
    assert sorted(told) == sorted(own)


def test_the_addresses_methods_and_keys_are_the_codes() -> None:
    section = TEXT.partition("## The addresses")[2].partition("\n- ")[0]
    named = re.findall(r"`/payments/([\w.-]+)`", section)
    assert set(named) == set(ENDPOINTS)
    for line in re.findall(r"^\| `/payments/.*$", section, re.MULTILINE):
        cells = line.split("|")
        methods = re.findall(r"[A-Z]{3,}", cells[2])
        [first, *_] = re.findall(r"/payments/([\w.-]+)", cells[1])
        keys = re.findall(r"`(\w+)`", cells[3])
        if first == "imp-verify.js":
            assert tuple(methods) == METHODS[first]
            continue
        assert set(methods) <= set(METHODS[first])
        assert tuple(keys) == (RETURN_KEYS if "GET" in methods else KEYS[first])
    assert MAX_BODY == 64 * 1024
    assert "64 KiB" in TEXT


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def shown(answer: Response, block: str) -> bool:
    """Whether a block is this answer, to the byte."""
    head, _, body = block.rstrip("\n").partition("\n\n")
    first, *lines = head.splitlines()
    headers = [tuple(each.split(": ", 1)) for each in lines]
    status = int(first.split()[1])
    return (status, headers, body.encode()) == (answer.status, [*answer.headers], answer.body)


def test_the_examples_are_what_is_asked_and_answered() -> None:
    asked, told, refused = blocks("http")
    gateway, store = FakeGateway(), OrdersInMemory()
    store.orders["ORD-1001"] = 39000
    verifier = Verifier(store, transport=gateway.transport, credentials=gateway.credentials)
    second = gateway.open("ORD-1001", 39000)
    paid = gateway.pay("ORD-1001", 39000)
    line, _, rest = asked.partition(" HTTP/1.1\n")
    header, _, body = rest.partition("\n\n")
    body = body.replace("imp_123456789012", paid.imp_uid)
    method, path = line.split()
    name, _, value = header.partition(": ")
    request = Request(method, headers=[(name, value)], body=body.encode())
    assert shown(verifier.serve(path.rpartition("/")[2], request), told)

    claim = {"imp_uid": second.imp_uid, "merchant_uid": "ORD-1001", "amount": 39000}
    question = Request("POST", body=json.dumps(claim).encode())
    assert shown(verifier.serve("confirm", question), refused)


def test_the_landing_of_the_page_lands_there() -> None:
    names: dict[str, Landing] = {}
    exec(blocks("python")[0], {}, names)
    gateway, store = FakeGateway(), OrdersInMemory()
    store.orders.update({"ORD-1": 39000, "ORD-2": 39000, "ORD-3": 39000})
    verifier = Verifier(
        store,
        transport=gateway.transport,
        credentials=gateway.credentials,
        landing=names["landing"],
    )
    paid = gateway.pay("ORD-1", 39000)
    assert verifier.verify(paid.imp_uid, "ORD-1").settled is Settled.NEW
    declined = gateway.decline(gateway.open("ORD-2", 39000))
    open_window = gateway.open("ORD-3", 39000)

    def lands(query: str) -> str | None:
        answer = verifier.serve("redirect", Request("GET", query=query))
        return dict(answer.headers).get("Location")

    both = f"imp_uid={paid.imp_uid}&merchant_uid=ORD-1"
    assert lands(both) == "/orders/ORD-1?status=success"
    assert lands("merchant_uid=ORD-1") == "/orders/ORD-1?status=success"
    assert lands(f"imp_uid={paid.imp_uid}") is None  # the built-in page
    why = lands(f"imp_uid={declined.imp_uid}&merchant_uid=ORD-2&error_msg=mine")
    assert why is not None
    assert why.startswith("/cart?why=%")
    assert lands(f"imp_uid={declined.imp_uid}") == "/cart?why="
    waits = lands(f"imp_uid={open_window.imp_uid}&merchant_uid=ORD-3")
    assert waits == "https://your.shop/orders/ORD-3/wait"
    assert lands("merchant_uid=ORD-3&imp_success=false") == "/cart?why="
