"""Targets: what is written into a page: the pay button, the snippets, the result page, and where a
redirect goes."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

from imp_verify import (
    Checkout,
    ConfigurationError,
    Credentials,
    ExpectedPayment,
    InvalidRequest,
    Landing,
    OrderStore,
    Outcome,
    Payment,
    Settled,
    StoreError,
    Verdict,
    Verifier,
)
from imp_verify._web.answers import INVALID, REFUSED, TROUBLE, Told, Wording, landing
from imp_verify.contrib.browser import FLAVORS, Place, button, snippet

from .drawing import NUMBERS, Draw, hostile, mutated, text, word
from .target import Case, Target, in_short

__all__ = ["BUTTON", "LANDING", "PAGE", "SNIPPET"]

_TAG = re.compile(r'<(?:/([a-z0-9]+)|([a-z0-9]+)((?: [a-z-]+(?:="[^"<>]*")?)*)/?)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)(?:="([^"]*)")?')
_OFTEN = 16
"""Of so many pages one is read by a second parser too, which takes ten times as long."""

Element = tuple[str, dict[str, str | None]]


class _Browser(HTMLParser):
    """The elements as a lenient parser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def read_html(page: str) -> tuple[list[Element], list[str]]:
    """Return the elements of a page and the text behind the tag that opens each.

    Strictly: whatever is no plain tag with quoted attributes holds no angle bracket, so that no
    parser of any browser can find another element or attribute.
    """
    elements: list[Element] = []
    texts: list[str] = []
    end = 0
    opened = False
    for found in _TAG.finditer(page):
        between = page[end : found.start()]
        assert "<" not in between, between
        assert ">" not in between, between
        if opened:
            texts[-1] = between
        end, opened = found.end(), found[2] is not None
        if opened:
            attributes = {
                name: unescape(value) if f'{name}="' in found[3] else None
                for name, value in _ATTRIBUTE.findall(found[3])
            }
            elements.append((found[2], attributes))
            texts.append("")
    assert "<" not in page[end:], page[end:]
    assert ">" not in page[end:], page[end:]
    if crc32(page.encode("utf-8", "surrogatepass")) % _OFTEN == 0:
        assert _Browser(page).elements == elements
    return elements, texts


# The pay button.


class _Shop(OrderStore):
    """Knows no order: each page says all of its own."""

    def expected(self, merchant_uid: str) -> ExpectedPayment | None:
        return None

    def settle(self, outcome: Outcome) -> Settled:
        raise AssertionError(outcome)


def _shop(checkout: Checkout, public_url: str, language: str) -> Verifier:
    return Verifier(
        _Shop(),
        credentials=Credentials("key", "secret"),
        base_url="https://gateway.test",
        test_mode=False,
        checkout=checkout,
        public_url=public_url,
        language=language,
    )


_SHOPS = (
    _shop(Checkout("imp00000000", "channel-key-1"), "https://shop.test", "ko"),
    _shop(Checkout('i"<m>&', pg="kcp.A'1", tier="</t>"), "https://shop.test/a'b?x=1&y=2", "auto"),
)
_BUYER = ("buyer_name", "buyer_tel", "buyer_email", "buyer_addr", "buyer_postcode")
_PREFIXES = ("/payments", "/pay/", "", "/결제", "/a b", '/"><script>')


def _draw_button(draw: Draw) -> Case:
    order = {
        "merchant_uid": hostile(draw, ("ORD-1001", "주문-1001", "a'\"<b>&", "&lt;", "x" * 41), 0.8),
        "amount": draw.choice(NUMBERS) if draw.random() < 0.3 else "39000",
        "name": text(draw),
        draw.choice(_BUYER): text(draw),
    }
    options: dict[str, Any] = {}
    for name in ("label", "id", "sdk", "jquery"):
        if draw.random() < 0.3:
            options[name] = text(draw)
    if draw.random() < 0.2:
        options["params"] = {text(draw, 1): text(draw), "custom_data": [text(draw), None, 1]}
    if draw.random() < 0.1:
        options[draw.choice(("language", "pay_method", "onclick", "amount"))] = text(draw)
    place = {"prefix": hostile(draw, _PREFIXES, 0.8), "root": hostile(draw, ("", "/shop"), 0.8)}
    if draw.random() < 0.5:
        place["nonce"] = text(draw)
    return {"shop": draw.below(2), "order": order, "options": options, "place": place}


def _check_button(case: Case) -> str:
    order, options = case["order"], case["options"]
    try:
        page = button(_SHOPS[case["shop"]], order, place=Place(**case["place"]), **options)
    except (InvalidRequest, StoreError) as error:
        return in_short(error, 700)
    page.encode()  # a template's answer is UTF-8
    elements, texts = read_html(page)
    data = json.loads(texts[4], parse_float=Decimal)
    nonce = {"nonce": case["place"]["nonce"]} if case["place"].get("nonce") else {}
    name = _sent(options["id"]) if options.get("id") else elements[0][1]["id"]
    label, spoken = _sent(options.get("label") or texts[0]), elements[0][1]["aria-label"]
    assert unescape(texts[0]) == label or not options.get("label")
    assert spoken is not None
    assert spoken.startswith(label)
    sdk = (
        options["sdk"] if options.get("sdk") is not None else "https://cdn.iamport.kr/v1/iamport.js"
    )
    assert elements == [
        (
            "button",
            {
                **{"type": "button", "class": "imp-verify-button", "id": name},
                **{"aria-label": spoken, "disabled": None},
            },
        ),
        ("p", {"class": "imp-verify-status", "id": f"{name}-status", "role": "status"}),
        ("noscript", {}),
        ("p", {}),
        ("script", {"type": "application/json", "data-imp-verify": name}),
        ("link", {"rel": "preload", "as": "script", "href": _sent(sdk), **_nonce_of(nonce)}),
        ("script", {"src": elements[6][1]["src"], "defer": None, **_nonce_of(nonce)}),
    ]
    assert data["params"]["merchant_uid"] == order["merchant_uid"]
    assert Decimal(data["params"]["amount"]) == Decimal(order["amount"])
    assert data["params"]["name"] == _paired(order["name"][:40])
    for each in _BUYER:
        if each in order:
            assert data["params"][each] == _paired(order[each])
    return f"a button{', more parameters' if 'params' in options else ''}"


def _nonce_of(nonce: dict[str, str]) -> dict[str, str]:
    """Return the attribute as it leaves."""
    return {name: _sent(value) for name, value in nonce.items()}


def _paired(given: str) -> str:
    """Return text as JSON gives it back: two halves side by side are one character."""
    return given.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _sent(given: str) -> str:
    """Return text as UTF-8 carries it: half a character is a question mark."""
    return given.encode("utf-8", "replace").decode()


BUTTON = Target(
    "button",
    "Whatever texts an order and a page bring, the button is the same seven elements with the same "
    "attributes, and its data reads as what was given; else InvalidRequest or StoreError.",
    _draw_button,
    _check_button,
)


# The snippets.

_USER, _CHANNEL, _PREFIX, _PUBLIC = (
    "imp98765432",
    "channel-key-98765432",
    "/p987",
    "https://h987.test",
)
_JSON_TEXT = r'"(?:[^"\\<>&\n\r\u2028\u2029]|\\["\\/bfnrtu])*"'
_SAFE_PATH = r"[A-Za-z0-9!#$&'()*+,./:;=?@\[\]_~%-]*"
"""Each place stands in double quotes, and none of these ends a text in them."""
_SAFE_URL = rf"https?://{_SAFE_PATH}"
_USER_CODES = ("imp00000000", 'i"m', "i'm", "</script>", "i&m", "i\\m", "`${x}`", "{{x}}", "주문")
_URLS = (
    "https://shop.test",
    "https://shop.test/a?b=c&d='e'",
    "http://localhost:8000",
    "https://한글.한국",
)


def _draw_snippet(draw: Draw) -> Case:
    which = {draw.choice(("channel_key", "pg")): hostile(draw, _USER_CODES, 0.8)}
    return {
        "flavor": draw.choice(tuple(FLAVORS)) if draw.random() < 0.98 else text(draw),
        "language": draw.choice(("ko", "en")) if draw.random() < 0.98 else text(draw),
        "user_code": hostile(draw, _USER_CODES, 0.8),
        "prefix": hostile(draw, _PREFIXES, 0.6),
        "public_url": hostile(draw, _URLS, 0.6)
        if draw.random() < 0.8
        else draw.choice(_URLS) + text(draw),
        **(which if draw.random() < 0.6 else {}),
    }


_patterns: dict[tuple[str, str, str], re.Pattern[str]] = {}


def _pattern(flavor: str, language: str, chosen: str) -> re.Pattern[str]:
    """Return what any snippet of this kind must be: the very text of a harmless one, with values of
    safe letters in their places."""
    key = flavor, language, chosen
    if key not in _patterns:
        given = {chosen: _CHANNEL} if chosen else {}
        model = snippet(
            flavor, language, user_code=_USER, prefix=_PREFIX, public_url=_PUBLIC, **given
        )
        places = (
            (f'"{_USER}"', _JSON_TEXT),
            (f'"{_CHANNEL}"', _JSON_TEXT),
            (_PUBLIC + _PREFIX, _SAFE_URL),
            (_PREFIX, _SAFE_PATH),
        )
        for n, (value, _) in enumerate(places):
            model = model.replace(value, f"\0{n}\0")
        pieces = re.split("\0([0-3])\0", model)
        _patterns[key] = re.compile(
            "".join(
                f"({places[int(piece)][1]})" if n % 2 else re.escape(piece)
                for n, piece in enumerate(pieces)
            )
        )
    return _patterns[key]


def _check_snippet(case: Case) -> str:
    try:
        code = snippet(**case)
    except ConfigurationError as error:
        return in_short(error, 400)
    chosen = next((name for name in ("channel_key", "pg") if name in case), "")
    found = _pattern(case["flavor"], case["language"], chosen).fullmatch(code)
    assert found, "a value stands outside its place"
    texts = [json.loads(each) for each in found.groups() if each.startswith('"')]
    assert case["user_code"] in texts
    assert not chosen or case[chosen] in texts
    flavor: str = case["flavor"]
    return flavor


SNIPPET = Target(
    "snippet",
    "A snippet is the text of a harmless one with values of safe letters in the same places, which "
    "read as what was given; else ConfigurationError.",
    _draw_snippet,
    _check_snippet,
)


# The result page.

_KEYS = (*Verdict, REFUSED, INVALID, TROUBLE)
_ACCOUNT = ("vbank_name", "vbank_num", "vbank_holder")
_THEMES: tuple[dict[str, str], ...] = ({}, {"accent": "#0a6b4f", "font": "system-ui, serif"})
_WORDINGS = (Wording(), Wording("en"), Wording("en", varies=True))


def _draw_page(draw: Draw) -> Case:
    account: dict[str, Any] | None = None
    if draw.random() < 0.4:
        account = {name: text(draw) for name in _ACCOUNT if draw.random() < 0.8}
        account["vbank_date"] = draw.choice((0, 1, 1735800000, 253402214399, 253402214400))
        account["currency"] = hostile(draw, ("KRW", "USD"), 0.7)
        account["amount"] = draw.choice(("39000", "10.99", "0", "999999999999999999.99999999"))
    return {
        "key": "virtual_account" if account else str(draw.choice(_KEYS)),
        "reason": "" if draw.random() < 0.2 else text(draw, 8),
        "account": account,
        "wording": draw.below(3),
        "theme": draw.below(2),
    }


_heads: dict[tuple[str, int, int], bytes] = {}


def _page(case: Case, told: Told) -> bytes:
    targets = Landing(theme=_THEMES[case["theme"]])
    response = landing(case["key"], told, targets, _WORDINGS[case["wording"]])
    assert all(re.fullmatch("[ -~]*", value) for _, value in response.headers)
    assert dict(response.headers)["Content-Security-Policy"].startswith("default-src 'none'")
    return response.body


def _told(case: Case) -> Told:
    given = case["account"]
    if given is None:
        return Told("ORD-1001", case["reason"])
    raw = {name: given[name] for name in (*_ACCOUNT, "vbank_date") if name in given}
    amount = Decimal(given["amount"])
    number = given.get("vbank_num")
    payment = Payment(
        *("imp_1", "ORD-1001", "ready", amount),
        currency=given["currency"],
        vbank_num=number,
        raw=raw,
    )
    return Told("ORD-1001", case["reason"], payment)


def _seen(given: str) -> str:
    kept = "".join(each if each.isprintable() else " " for each in given)
    return _sent(kept.strip())


def _check_page(case: Case) -> str:
    key = case["key"], case["wording"], case["theme"]
    if key not in _heads:
        _heads[key] = _page({**case, "account": None}, Told()).partition(b"</h1>")[0]
    head, _, rest = _page(case, _told(case)).partition(b"</h1>")
    assert head == _heads[key]
    body = rest.decode().removesuffix("</main>\n</body>\n</html>\n") + "</main></body></html>"
    elements, texts = read_html(body)
    assert {tag for tag, _ in elements} <= {"p", "dl", "div", "dt", "dd", "input", "nav", "a"}
    for tag, attributes in elements:
        allowed = _ALLOWED[tag]
        assert attributes.keys() <= allowed.keys(), attributes
        assert all(
            fits is None or attributes[n] in fits for n, fits in allowed.items() if n in attributes
        )
    shown = [unescape(each) for each in texts]
    reason = _seen(case["reason"])
    assert not reason or shown[0] == reason
    _check_account(case["account"] or {}, elements, shown)
    kinds = [tag for tag, _ in elements]
    return f"{case['key']}, {kinds.count('p')} sentences, {kinds.count('dt')} lines"


_ALLOWED: dict[str, dict[str, tuple[str, ...] | None]] = {
    **{"p": {"lang": ("ko",)}, "dl": {}, "div": {}, "dt": {}, "nav": {}},
    "dd": {"lang": ("ko",), "class": ("whole",)},
    "input": {"readonly": None, "value": None, "aria-label": ("계좌번호", "Account number")},
    "a": {"href": ("", "/")},
}


def _check_account(account: dict[str, str], elements: list[Element], shown: list[str]) -> None:
    fields = [attributes["value"] for tag, attributes in elements if tag == "input"]
    number = _seen(account.get("vbank_num", "")[:200])
    assert fields == ([number] if number else [])
    values = [text for (tag, _), text in zip(elements, shown, strict=True) if tag == "dd"]
    for name in ("vbank_name", "vbank_holder"):
        value = _seen(account.get(name, "")[:200])
        assert not value or value in values


PAGE = Target(
    "page",
    "Whatever the gateway says of a failure or of an account, the result page has the same head, "
    "only its own elements and attributes, and these texts as text.",
    _draw_page,
    _check_page,
)


# Where a redirect goes.

_TARGETS = (
    *("/orders/{merchant_uid}", "/fail?why={reason}&as={status}", "/{reason}/x", "/{merchant_uid}"),
    *("https://shop.test/{merchant_uid}?r={reason}", "https://한글.한국/{reason}", "/#/{reason}"),
    *("https://shop.test", "//evil.test", "https://{reason}", "http://shop.test", "javascript:x"),
)


def _draw_landing(draw: Draw) -> Case:
    target = draw.choice(_TARGETS) if draw.random() < 0.7 else draw.choice(_TARGETS) + text(draw)
    number = hostile(draw, ("ORD-1001", "주문-1001", "..", "/evil.test", "a/../b", "%2F"), 0.5)
    return {
        "target": mutated(draw, target) if draw.random() < 0.2 else target,
        "number": number,
        "reason": text(draw, 6) if draw.random() < 0.8 else word(draw, 200),
        "key": str(draw.choice(_KEYS)),
    }


def _check_landing(case: Case) -> str:
    target = case["target"]
    try:
        targets = Landing(success=target, failure=target, pending=target)
    except ConfigurationError as error:
        return in_short(error, 300)
    response = landing(case["key"], Told(case["number"], case["reason"]), targets, Wording())
    if response.status != 303:
        assert "{merchant_uid}" in target
        assert not case["number"]
        return "the built-in page"
    location = dict(response.headers)["Location"]
    assert re.fullmatch("[!-~]+", location), location
    before = re.split(r"\{|[/?#]", target.removeprefix("https://"), maxsplit=1)[0]
    if target.startswith("/"):
        assert re.match(r"/(?![/\\])", location), location
        assert urlsplit(location).netloc == ""
        where = "here"
    else:
        assert location.startswith("https://")
        host = urlsplit(location).netloc
        assert not before.isascii() or unquote(host) == unquote(before)
        where = "another host"
    return f"{where}, {_filled(target, location, case)}"


def _filled(target: str, location: str, case: Case) -> str:
    """Values that stand behind a `?` come back as they were."""
    if target != "/fail?why={reason}&as={status}":
        return "filled"
    why, _, _ = urlsplit(location).query.removeprefix("why=").partition("&as=")
    assert unquote(why) == _sent(case["reason"])
    return "read again"


LANDING = Target(
    "landing",
    "A redirect goes to the host that the shop set, in printable ASCII, whatever is filled in; a "
    "target of another form is ConfigurationError.",
    _draw_landing,
    _check_landing,
)
