"""The browser code to paste where no template helper is at hand: a text for each flavour, commented
in Korean or English; and the types of what it calls."""

from __future__ import annotations

import re
from importlib.resources import files
from urllib.parse import quote

from ... import Checkout, ConfigurationError
from ...settings import check_public_url
from ._button import Place
from ._inert import to_json

__all__ = ["FLAVORS", "snippet"]

FLAVORS = {
    "jquery": "jquery.html",
    "esnext": "esnext.html",
    "react": "react.jsx",
    "vue": "vue.vue",
    "html": "html.html",
}
_WORDS = {  # Korean, English
    "PAY": ("결제하기", "Pay"),
    "NAME": ("참나무 의자", "Oak chair"),
    "BUYER": ("홍길동", "Hong Gildong"),
    "TITLE": ("주문서", "Checkout"),
    "PRICE": ("39,000원", "39,000 KRW"),
    "MISSING": (
        "결제 모듈을 불러오지 못했습니다. 페이지를 새로 고침해 주세요.",
        "Loading failed. Please reload the page.",
    ),
}
_TYPES = "types"
_LANGUAGES = ("ko", "en")
_COMMENT = re.compile(r"^(\s*)(//|<!--)(ko|en) (.*\n)", re.MULTILINE)
_WORD = re.compile(r"__([A-Z_]+?)__")
# What each SDK is told about the PG where nobody says; the shop has its own in the console.
_PG = ("pg", "html5_inicis")
_CHANNEL = ("channelKey", "channel-key-00000000")


def snippet(
    flavor: str,
    language: str = "ko",
    *,
    user_code: str = "imp00000000",
    channel_key: str | None = None,
    pg: str | None = None,
    prefix: str = "/payments",
    public_url: str = "https://shop.example",
) -> str:
    """Write the code of one flavour, with sample values for an order.

    Args:
        flavor: jquery, esnext, react, vue, or html for a whole page; types for what TypeScript
            asks, `imp-verify.d.ts` as it is.
        language: ko or en, of comments and words.
        user_code, channel_key, pg: See `Checkout`.
        prefix: Where the endpoints are mounted.
        public_url: The shop's own address.

    Raises:
        ConfigurationError: There is no such flavour or language, or a value is unusable.
    """
    if flavor not in (*FLAVORS, _TYPES) or language not in _LANGUAGES:
        offered = ", ".join((*FLAVORS, _TYPES))
        raise ConfigurationError(f"there are {offered} in {', '.join(_LANGUAGES)}")
    Checkout(user_code, channel_key, pg)
    given = check_public_url("public_url", public_url)
    package = files("imp_verify")
    if flavor == _TYPES:
        return package.joinpath("_web", "imp-verify.d.ts").read_text(encoding="utf-8")
    path, whole = Place(quote(prefix, safe="/-._~%", errors="replace")).addresses(given)
    values = {name: words[_LANGUAGES.index(language)] for name, words in _WORDS.items()}
    values |= {
        "LANGUAGE": language,
        "PREFIX": path,
        "PUBLIC": whole,
        "USER_CODE": to_json(user_code),
        "CHANNEL": _channel(flavor, channel_key, pg),
        "NUMBER": "ORD1001",
        "AMOUNT": "39000",
    }
    folder = package.joinpath("contrib", "browser", "snippets")
    text = folder.joinpath(FLAVORS[flavor]).read_text(encoding="utf-8")
    chosen = _COMMENT.sub(lambda found: _in(language, found), text)
    return _WORD.sub(lambda found: values[found[1]], chosen)


def _in(language: str, comment: re.Match[str]) -> str:
    indent, mark, of, words = comment.groups()
    return f"{indent}{mark} {words}" if of == language else ""


def _channel(flavor: str, channel_key: str | None, pg: str | None) -> str:
    default = _PG if flavor == "jquery" else _CHANNEL
    name, value = default
    if channel_key is not None:
        name, value = "channelKey", channel_key
    elif pg is not None:
        name, value = "pg", pg
    key = f'"{name}"' if flavor == "html" else name
    return f"{key}: {to_json(value)},"
