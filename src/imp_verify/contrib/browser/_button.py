"""The pay button as HTML: what `imp-verify.js` needs to open the window and to come back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any, Unpack
from urllib.parse import quote, urlsplit

from ... import (
    AsyncVerifier,
    Checkout,
    ConfigurationError,
    ExpectedPayment,
    InvalidRequest,
    Verifier,
)
from ..._web.answers import Wording, reason_words
from ..._web.script import address
from ...order_numbers import check_order_number
from ...settings import warn_if_long
from ._inert import Markup, to_json
from ._orders import AwaitedOrder, Named, PaidOrder, PaymentOptions, find_order, look_up, read_order
from ._preparing import prepare_for_page

__all__ = ["ButtonOptions", "Place", "async_button", "button", "config"]

_log = logging.getLogger("imp_verify")
_LONGEST_NAME = 40
_SDK = "https://cdn.iamport.kr/v1/iamport.js"
"""Which one `imp-verify.js` loads where a page names none."""
_PATH = "/:@!$&'()*+,;=~%"
"""What stays as it is in a path; a `%` belongs to what is encoded already."""
_LABEL = ("결제하기", "Pay")
_NO_SCRIPT = (
    "결제하려면 브라우저에서 자바스크립트를 켜 주세요.",
    "Please turn on JavaScript in your browser to pay.",
)
_AWAITED = (
    "이 주문에는 입금을 기다리는 가상계좌가 있습니다. 그 계좌로 입금하셨거나 입금하실 예정이면 "
    "여기서 다시 결제하지 마세요.",
    "A virtual account of this order is waiting for your deposit. If you use it, please do not pay "
    "here as well.",
)
"""No more than that: whoever counts up order numbers sees the page of another's order too."""
_OURS = frozenset(
    (
        *("merchant_uid", "amount", "currency", "channelKey", "pg", "m_redirect_url"),
        *("notice_url", "confirm_url", "customer_uid"),
    )
)
"""Not for a page to choose: the order, the settings or the rules decide them. A card registration
(`customer_uid`) is never accepted as a payment."""


class ButtonOptions(PaymentOptions, total=False):
    """What a page may choose besides.

    label: The button's text; language: "ko" or "en", else the verifier's; id: the button's, else
    made up; sdk: the SDK's address, else v1/iamport.js; jquery: jQuery's, for the SDK that needs
    it; params: further parameters of the window, by their names.
    """

    label: str | None
    language: str | None
    id: str | None
    sdk: str | None
    jquery: str | None
    params: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is, as its framework knows it.

    Attributes:
        prefix: Where the endpoints are mounted, within the application.
        root: Where the server mounts the application: SCRIPT_NAME or root_path, not encoded. A
            path in `public_url` takes its place.
        nonce: For a content security policy that asks for one.
        accepted: The request's `Accept-Language` headers, for `language="auto"`.
        afterwards: Runs what is given to it once the page's own transaction is done, where its
            framework has one.
    """

    prefix: str = "/payments"
    root: str = ""
    nonce: str | None = None
    accepted: Sequence[str] = ()
    afterwards: Callable[[Callable[[], None]], object] | None = None

    @classmethod
    def of(
        cls,
        redirect: str,
        root: str,
        nonce: object,
        accepted: Sequence[str],
        afterwards: Callable[[Callable[[], None]], object] | None = None,
    ) -> Place:
        """Take the prefix from the path of the endpoint `redirect`, as a framework makes it: with
        the root in front of it, encoded or not."""
        bare = "/".join(("", root.strip("/"))).rstrip("/")
        quoted = _quoted(bare)
        within = redirect.removeprefix(quoted if redirect.startswith(f"{quoted}/") else bare)
        prefix = within.removesuffix("/").removesuffix("redirect")
        return cls(prefix, root, None if nonce is None else str(nonce), accepted, afterwards)

    def addresses(self, public_url: str) -> tuple[str, str]:
        """Return the prefix as a path of any host, and as an absolute address."""
        parts = urlsplit(public_url)
        prefix = self.prefix.strip("/")
        mounted = parts.path or _quoted(self.root.strip("/"))
        whole = "".join(f"/{part.strip('/')}" for part in (mounted, _quoted(prefix)) if part)
        return whole, f"{parts.scheme}://{parts.netloc}{whole}"


def _quoted(path: str) -> str:
    return quote(path, safe=_PATH, errors="replace")


def button(
    verifier: Verifier | AsyncVerifier,
    order: Any,
    *,
    place: Place = Place(),
    **options: Unpack[ButtonOptions],
) -> Markup:
    """Make the pay button of an order, for any template engine.

    Args:
        order: An order number (its amount is then what the store expects), an `ExpectedPayment`,
            or a mapping or object that has `merchant_uid` and may have `amount`, `currency`,
            `name`, `account` and `buyer_...`. A closed order gets a sentence in place of a button,
            and so does one that a ready-made store, or another `Ledger`, knows to be paid, whatever
            the shop says of it.
            Where a virtual account waits for its deposit, a sentence above the button says so, and
            nothing of the account.
        place: Where the page is, and its nonce.
        options: Texts, and parameters of the window; what is None is left out.

    Raises:
        ConfigurationError: It is no verifier, or has no `checkout` or no `public_url`, or an
            AsyncVerifier is given a number; see `find_order`.
        InvalidRequest: No such order, or something that the window would refuse.
        StoreError: An amount that is no exact number above zero; an order that names none of
            several accounts.
    """
    named = read_order(order)
    return _render(verifier, look_up(verifier, named), named, place, options)


async def async_button(
    verifier: AsyncVerifier,
    order: Any,
    *,
    place: Place = Place(),
    **options: Unpack[ButtonOptions],
) -> Markup:
    """See `button`; the store is awaited, for templates that await."""
    named = read_order(order)
    return _render(verifier, await find_order(verifier, order), named, place, options)


def config(
    verifier: Verifier | AsyncVerifier,
    order: Any,
    *,
    place: Place = Place(),
    **options: Unpack[ButtonOptions],
) -> dict[str, Any]:
    """Make what `ImpVerify.pay` takes, for a page that has a button of its own; `to_json` writes
    it. Raises like `button`, and InvalidRequest with that sentence where `button` has one in place
    of a button: the order is closed, or known to be paid."""
    named = read_order(order)
    expected = look_up(verifier, named)
    data = _config(verifier, expected, named.fields, place, options)
    if not expected.open:
        raise InvalidRequest(_not_open(expected, _wording(verifier, place, options)))
    return data


def _render(
    verifier: Verifier | AsyncVerifier,
    expected: ExpectedPayment,
    named: Named,
    place: Place,
    options: ButtonOptions,
) -> Markup:
    data = _config(verifier, expected, named.fields, place, options)
    wording = _wording(verifier, place, options)
    if not expected.open:
        return Markup(f'<p class="imp-verify-status">{escape(_not_open(expected, wording))}</p>')
    name = escape(options.get("id") or _some_id())
    label = str(options.get("label") or wording.say(_LABEL))
    spoken = _accessible_name(label, data["params"])
    nonce = f' nonce="{escape(place.nonce)}"' if place.nonce else ""
    module = escape(data["complete"].removesuffix("complete") + address())
    sdk = escape(data.get("sdk", _SDK))
    waits, described = "", ""
    if isinstance(expected, AwaitedOrder):
        said = escape(wording.say(_AWAITED))
        waits = f'<p class="imp-verify-waits" id="{name}-waits">{said}</p>\n'
        described = f'aria-describedby="{name}-waits" '
    page = (
        f'{waits}<button type="button" class="imp-verify-button" id="{name}" '
        f'aria-label="{escape(spoken)}" {described}disabled>{escape(label)}</button>\n'
        f'<p class="imp-verify-status" id="{name}-status" role="status"></p>\n'
        f"<noscript><p>{wording.say(_NO_SCRIPT)}</p></noscript>\n"
        f'<script type="application/json" data-imp-verify="{name}">{to_json(data)}</script>\n'
        f'<link rel="preload" as="script" href="{sdk}"{nonce}>\n'
        f'<script src="{module}" defer{nonce}></script>'
    )
    # Half a character, which a text out of JSON may hold, would end the whole page as it is sent.
    return Markup(page.encode("utf-8", "replace").decode())


def _not_open(expected: ExpectedPayment, wording: Wording) -> str:
    key = "already_paid" if isinstance(expected, PaidOrder) else "closed"
    return reason_words(key, None, wording)


def _accessible_name(label: str, params: Mapping[str, object]) -> str:
    """Say which order a button pays, to who hears one of several apart from what is around it. It
    begins with what is to be seen: so it is called by who speaks to the browser."""
    name = params.get("name")
    what = name if isinstance(name, str) and name.strip() else params["merchant_uid"]
    return label if str(what) in label else f"{label}: {what}"


def _some_id() -> str:
    import secrets  # the same order may have two buttons on one page

    return f"imp-verify-{secrets.token_hex(4)}"


def _wording(verifier: Verifier | AsyncVerifier, place: Place, options: ButtonOptions) -> Wording:
    language = options.get("language")
    if language not in (None, "ko", "en"):
        raise InvalidRequest('language must be "ko" or "en"')
    return Wording.of(language or verifier.settings.language, list(place.accepted))


def _config(
    verifier: Verifier | AsyncVerifier,
    expected: ExpectedPayment,
    fields: Mapping[str, object],
    place: Place,
    options: ButtonOptions,
) -> dict[str, Any]:
    checkout, public_url = _shop(verifier, expected)
    check_order_number(expected.merchant_uid, checkout.pg)
    if checkout.prepare and expected.open:
        prepare_for_page(verifier, expected.merchant_uid, place.afterwards)
    path, whole = place.addresses(public_url)
    language = _wording(verifier, place, options).language
    params = {
        "language": language if language != "ko" else None,  # Korean is the window's own
        **_chosen(fields, options, expected),
        **_fixed(checkout, expected, whole, urlsplit(public_url).query),
    }
    settings = {
        "userCode": checkout.user_code,
        "tier": checkout.tier,
        "sdk": options.get("sdk"),
        "jquery": options.get("jquery"),
        "language": language,
        "complete": f"{path}/complete",
    }
    return {**_given(settings), "params": _given(params)}


def _shop(verifier: Verifier | AsyncVerifier, expected: ExpectedPayment) -> tuple[Checkout, str]:
    checkout, public_url = verifier.settings.checkout_of(expected), verifier.settings.public_url
    if checkout is None:
        raise ConfigurationError("the pay button needs a verifier with checkout=Checkout(...)")
    if public_url is None:
        raise ConfigurationError(
            "the pay button needs a verifier with public_url (IMP_PUBLIC_URL): the buyer comes "
            "back to an absolute address"
        )
    return checkout, public_url


def _fixed(
    checkout: Checkout, expected: ExpectedPayment, prefix: str, query: str
) -> dict[str, object]:
    """Return what settings and order decide, with the query of the shop's own address, which the
    window joins its own to."""
    behind = f"?{query}" if query else ""
    notices = tuple(checkout.notice_urls)
    _warn_of_addresses(f"{prefix}/redirect{behind}", f"{prefix}/webhook", notices)
    return {
        "channelKey": checkout.channel_key,
        "pg": checkout.pg,
        "merchant_uid": expected.merchant_uid,
        "amount": expected.amount,
        "currency": expected.currency,
        "m_redirect_url": f"{prefix}/redirect{behind}",
        "notice_url": _one_or_more(notices),
        "confirm_url": f"{prefix}/confirm{behind}" if checkout.confirm else None,
    }


@lru_cache
def _warn_of_addresses(returns_to: str, webhook: str, notices: tuple[str, ...]) -> None:
    """Say once in the log what keeps a buyer or a webhook from coming."""
    warn_if_long("the address that the buyer comes back to", returns_to)
    if notices and webhook not in (each.partition("?")[0].rstrip("/") for each in notices):
        _log.warning(
            "Checkout.notice_urls is without %s: no webhook of these payments comes here, for they "
            "go there in place of the console's address",
            webhook,
        )


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _one_or_more(urls: tuple[str, ...]) -> object:
    return list(urls) if len(urls) > 1 else (urls[0] if urls else None)


def _chosen(
    fields: Mapping[str, object], options: ButtonOptions, expected: ExpectedPayment
) -> dict[str, object]:
    """Return the parameters that the order and the page chose, the page's last."""
    more = options.get("params") or {}
    known = {k: v for k, v in options.items() if k in PaymentOptions.__annotations__}
    strange = options.keys() - known.keys() - ButtonOptions.__annotations__.keys()
    if strange := strange | (more.keys() & _OURS):
        raise InvalidRequest(f"the pay button takes no {', '.join(sorted(strange))}")
    chosen = {**fields, **_given(known), **more}
    if isinstance(name := chosen.get("name"), str):
        chosen["name"] = name[:_LONGEST_NAME]  # the gateway's limit, and only shown
    allowed, method = expected.pay_methods, chosen.get("pay_method")
    if allowed is not None and method is None and len(allowed) == 1:
        chosen["pay_method"] = next(iter(allowed))
    elif allowed is not None and method is not None and method not in allowed:
        # Paid so, it would be refused as a forgery, with the money taken.
        raise InvalidRequest(f"order {expected.merchant_uid!r} does not allow {method!r:.40}")
    return chosen
