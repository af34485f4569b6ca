"""The list of payments and the journal as a page, without a browser."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from imp_verify import sandbox as sandbox_package
from imp_verify.sandbox import Fault, SandboxServer
from imp_verify.sandbox.journal import KINDS
from imp_verify.sandbox.pages.log import ENTRIES, PAGE
from imp_verify.sandbox.pages.texts import texts
from tests.sandbox.conftest import Rest, Shop, issued, opened, paid


def look(server: SandboxServer, rest: Rest, query: str = "") -> str:
    answer = rest.http.get(f"{server.url}/?lang=en&{query}")
    assert answer.status_code == 200
    return answer.text


def payments(page: str) -> list[str]:
    return re.findall(r'href="/window/(imp_\d+)\?', page)


def entries(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li id="entry-(\d+)"', page)]


def links(page: str, text: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(rf'href="/\?([^"]*)">{text}</a>', page)]


def act(server: SandboxServer, rest: Rest, path: str) -> tuple[int, str]:
    answer = rest.http.post(f"{server.url}/log/{path}?lang=en&kind=delivery", allow_redirects=False)
    return answer.status_code, answer.headers.get("Location", answer.text)


BACK = "/?lang=en&kind=delivery"


def test_payments_and_entries_are_listed_newest_first_in_pages(
    server: SandboxServer, rest: Rest
) -> None:
    ids = [paid(server, f"ORD-{n}").imp_uid for n in range(2 * PAGE + 3)]
    page = look(server, rest)
    assert payments(page) == ids[: -PAGE - 1 : -1]
    (older,) = links(page, "Older")
    page = look(server, rest, older)
    assert payments(page) == ids[-PAGE - 1 : -2 * PAGE - 1 : -1]
    assert "2 / 3" in page
    assert links(page, "Newer") == ["lang=en&page=1"]
    for n in range(ENTRIES):
        server.sandbox.open({"merchant_uid": f"LATER-{n}", "amount": 1})
    last = list(server.sandbox.journal)[-1].number
    page = look(server, rest)
    assert entries(page) == list(range(last, last - ENTRIES, -1))
    older = links(page, "Older")[-1]
    page = look(server, rest, older)
    assert entries(page) == list(range(last - ENTRIES, 0, -1))[:ENTRIES]
    assert 'data-first=""' in page
    assert links(page, "Newest") == ["lang=en"]


def test_filters_show_one_payment_one_order_or_one_kind(server: SandboxServer, rest: Rest) -> None:
    first, second = (paid(server, order, notice_url="x") for order in ("ORD-1", "ORD-2"))
    page = look(server, rest, f"imp_uid={first.imp_uid}")
    assert payments(page) == [first.imp_uid]
    shown = [each for each in server.sandbox.journal if each.number in entries(page)]
    assert {each.imp_uid for each in shown} == {first.imp_uid}
    page = look(server, rest, "merchant_uid=ORD-2&kind=delivery")
    assert payments(page) == [second.imp_uid]
    assert [each.kind for each in server.sandbox.journal if each.number in entries(page)] == [
        "delivery"
    ]
    assert '<option value="delivery" selected>' in page
    assert links(page, "Show all") == ["lang=en"]
    page = look(server, rest, "imp_uid=imp_0")
    assert "No payment is like this" in page
    assert "The journal has nothing like this" in page


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=" + "9" * 50, "before=x", "before=٣", "kind=nonsense"]
)
def test_a_query_that_asks_for_nothing_there_is_shows_the_beginning(
    server: SandboxServer, rest: Rest, query: str
) -> None:
    attempt = paid(server)
    assert payments(look(server, rest, query)) == [attempt.imp_uid]


def test_every_kind_of_entry_is_told_with_all_that_is_known(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    shop.answers["/hook"] = (500, "<b>broken</b>")
    wanted = {"notice_url": shop.url + "/hook", "confirm_url": shop.url + "/yes"}
    attempt = server.sandbox.open({"merchant_uid": "ORD-1", "amount": 39000, **wanted})
    server.sandbox.approve(attempt.imp_uid)
    server.sandbox.cancel(attempt.imp_uid)
    server.sandbox.faults.add(Fault("payment", status=503, body="{}"))
    rest.http.get(f"{server.url}/payments/{attempt.imp_uid}", headers=rest.headers)
    server.sandbox.clock.advance(60)
    page = look(server, rest)
    assert set(re.findall(r'<li id="entry-\d+" class="(\w+)"', page)) == set(KINDS)
    for text in (
        f"GET /payments/{attempt.imp_uid}",
        f"POST {shop.url}/hook",
        f"POST {shop.url}/yes",
        "&lt;b&gt;broken&lt;/b&gt;",
        "<dt>Fault</dt>",
        "Window opened",
        "Approved",
    ):
        assert text in page, text
    assert page.count(">Resend</button>") == 2


def test_a_delivery_without_an_answer_says_why(server: SandboxServer, rest: Rest) -> None:
    paid(server, notice_url="http://127.0.0.1:9/hook")
    page = look(server, rest)
    assert '<span class="bad">no answer</span>' in page
    assert "ConnectionRefusedError" in page


@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_secret_and_no_token_is_shown(
    server: SandboxServer, rest: Rest, shop: Shop, language: str
) -> None:
    token = rest.headers["Authorization"].removeprefix("Bearer ")
    shop.answers["/hook"] = (200, f"sandbox_secret {token}")
    paid(server, notice_url=shop.url + "/hook", name="other_secret")
    rest.get(f"/payments/imp_0?token={token}")
    page = rest.http.get(f"{server.url}/?lang={language}").text
    assert not any(each in page for each in ("sandbox_secret", "other_secret", token))


def test_both_languages_have_the_same_words() -> None:
    assert texts("ko").keys() == texts("en").keys()


def test_every_step_that_is_written_down_has_its_words() -> None:
    sources = Path(sandbox_package.__file__).parent.rglob("*.py")
    text = "".join(each.read_text(encoding="utf-8") for each in sources)
    steps = re.findall(r'\bstep="([a-z-]+)"|journal\.(?:WINDOW|CONTROL), "([a-z-]+)"', text)
    named = {one or other for one, other in steps} | {"expire", "take-back", "made", "changed"}
    assert len(named) > 15
    for language in ("ko", "en"):
        assert [step for step in named if f"step_{step}" not in texts(language)] == []


@pytest.mark.parametrize(
    ("language", "says"), [("ko", "승인 대기"), ("en", "Waiting for approval")]
)
def test_a_payment_that_waits_for_its_approval_is_said_to_do_so(
    server: SandboxServer, rest: Rest, language: str, says: str
) -> None:
    imp_uid = server.sandbox.gateway.make(merchant_uid="A", amount=1, status="pending").imp_uid
    for page in (f"/?lang={language}", f"/window/{imp_uid}?lang={language}"):
        assert f">{says}<" in rest.http.get(server.url + page).text


def test_a_delivery_is_sent_again_by_its_button(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    paid(server, notice_url=shop.url + "/hook")
    (delivery,) = server.sandbox.webhooks.deliveries
    assert f"/log/deliveries/{delivery.number}/resend" in look(server, rest)
    assert act(server, rest, f"deliveries/{delivery.number}/resend") == (303, BACK)
    assert len(shop.got) == 2
    for number in ("99", "9" * 5000, "x"):
        assert act(server, rest, f"deliveries/{number}/resend")[0] == 404


MOVES = [
    ("card", "approve", "paid"),
    ("card", "decline", "failed"),
    ("card", "close", "failed"),
    ("vbank", "issue", "ready"),
]


@pytest.mark.parametrize(("method", "move", "status"), MOVES)
def test_an_open_window_is_moved_by_its_buttons(
    server: SandboxServer, rest: Rest, method: str, move: str, status: str
) -> None:
    imp_uid = opened(server, pay_method=method).imp_uid
    path = f"payments/{imp_uid}/{move}"
    assert f'formaction="/log/{path}?' in look(server, rest)
    assert act(server, rest, path) == (303, BACK)
    assert server.sandbox.gateway.attempt(imp_uid).status == status


def test_an_account_and_a_paid_payment_have_theirs(server: SandboxServer, rest: Rest) -> None:
    server.sandbox.settings.change({"account_expired": "failed"})
    first, second = (issued(server, order).imp_uid for order in ("ORD-1", "ORD-2"))
    assert act(server, rest, f"payments/{first}/deposit") == (303, BACK)
    assert act(server, rest, f"payments/{first}/cancel") == (303, BACK)
    assert act(server, rest, f"payments/{second}/expire") == (303, BACK)
    gateway = server.sandbox.gateway
    assert [gateway.attempt(each).status for each in (first, second)] == ["cancelled", "failed"]
    assert "/log/payments/" not in look(server, rest)
    status, page = act(server, rest, f"payments/{first}/cancel")
    assert (status, "이미 전액취소된 주문입니다." in page) == (200, True)
    assert act(server, rest, f"payments/{first}/nothing")[0] == 404
    assert "존재하지 않는" in act(server, rest, "payments/imp_0/approve")[1]


def test_an_unlimited_account_is_paid_into_on_its_own_page(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = issued(server, pg="settle", amount=0).imp_uid
    page = look(server, rest)
    assert f"/log/payments/{imp_uid}/expire" in page
    assert f"/log/payments/{imp_uid}/deposit" not in page


def test_the_page_may_ask_the_sandbox_and_nobody_else(server: SandboxServer, rest: Rest) -> None:
    policy = rest.http.get(server.url + "/").headers["Content-Security-Policy"]
    assert "connect-src 'self'" in policy
    window = rest.http.get(f"{server.url}/window/{paid(server).imp_uid}")
    assert "connect-src" not in window.headers["Content-Security-Policy"]


def test_webhooks_that_are_kept_back_go_by_the_lists_button(
    server: SandboxServer, rest: Rest, shop: Shop
) -> None:
    server.sandbox.faults.add(Fault("webhook", withhold=True))
    paid(server, merchant_uid="B", notice_url=shop.url + "/withheld")
    server.sandbox.settings.change({"webhook_order": "browser-first"})
    paid(server, notice_url=shop.url + "/hook")
    assert "Webhooks kept back: 2" in look(server, rest)
    assert act(server, rest, "release") == (303, BACK)
    assert "kept back" not in look(server, rest)
    assert [path for path, _, _ in shop.got] == ["/withheld", "/hook"]
