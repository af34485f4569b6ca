"""What a shop sets once: credentials that show themselves to nobody, and landings that lead nowhere
else."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from imp_verify import (
    AsyncVerifier,
    Checkout,
    ConfigurationError,
    Credentials,
    Landing,
    Request,
    Verifier,
)
from imp_verify.settings import Settings, credential_problem
from imp_verify.stores.memory import MemoryStore
from imp_verify.transports import GatewayRequest, GatewayResponse

STORE = MemoryStore(expected=lambda order, _: 39000)
SECRET = "s3cr3t-of-the-shop"


def test_credentials_show_neither_key_nor_secret() -> None:
    credentials = Credentials("the-key", SECRET, "ABC")
    for shown in (repr(credentials), str(credentials), f"{credentials}", repr([credentials])):
        assert SECRET not in shown
        assert "the-key" not in shown
    assert (credentials.key, credentials.secret, credentials.tier) == ("the-key", SECRET, "ABC")


def test_credentials_are_frozen_values() -> None:
    credentials = Credentials("key", SECRET)
    with pytest.raises(FrozenInstanceError):
        credentials.secret = "other"  # type: ignore[misc]
    assert credentials == Credentials("key", SECRET)
    assert pickle.loads(pickle.dumps(credentials)) == credentials


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "is missing or blank"),
        ("", "is missing or blank"),
        ("  \t", "is missing or blank"),
        (5, "is missing or blank"),
        (b"secret-bytes", "is missing or blank"),
        ("secret ", "has white space at an end"),
        (" secret", "has white space at an end"),
        ("secret\n", "has white space at an end"),
        ("secret\u3000", "has white space at an end"),
        ("sec\nret", "holds a control character"),
        ("sec\x00ret", "holds a control character"),
        ("sec\r\nX: ret", "holds a control character"),
    ],
)
def test_a_credential_that_cannot_be_is_refused_by_the_name_of_its_argument(
    value: Any, complaint: str
) -> None:
    fields: list[tuple[str, dict[str, Any]]] = [
        ("IMP_KEY", {"key": value, "secret": SECRET}),
        ("IMP_SECRET", {"key": "key", "secret": value}),
    ]
    if value is not None:
        fields.append(("IMP_TIER", {"key": "key", "secret": SECRET, "tier": value}))
    for variable, given in fields:
        with pytest.raises(ConfigurationError) as caught:
            Credentials(**given)
        argument = variable.removeprefix("IMP_").lower()
        assert str(caught.value) == f"Credentials.{argument} (else {variable}) {complaint}"
        assert SECRET not in str(caught.value)


def test_a_credential_may_hold_any_printable_text() -> None:
    assert credential_problem("IMP_KEY", "a b+/=가") is None


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("IMP_KEY", "", "is missing or blank: set it, or give credentials="),
        ("IMP_SECRET", None, "is missing or blank: set it, or give credentials="),
        ("IMP_KEY", " ", "is missing or blank"),
        ("IMP_SECRET", "secret\n", "has white space at an end"),
        ("IMP_TIER", " ABC", "has white space at an end"),
        ("IMP_TIER", "가맹점", "holds a character no header can carry"),
    ],
)
def test_a5_a_variable_that_cannot_be_is_named_and_no_argument_is_blamed(
    variable: str, value: str | None, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IMP_KEY", "IMP_SECRET", "IMP_TIER"):
        monkeypatch.setenv(name, SECRET)
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        Verifier(STORE)
    assert str(caught.value).startswith(f"{variable} {complaint}")


@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
def test_a5_an_unknown_argument_is_pythons_own_error_and_the_signature_is_written_out(
    kind: Any,
) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.__init__\(\) got an unexpected"):
        kind(MemoryStore(expected=lambda order, _: 39000), credential=None)
    names = list(inspect.signature(kind).parameters)
    assert set(names) == {"store", "transport", *(each.name for each in fields(Settings))}
    assert {each.kind for each in list(inspect.signature(kind).parameters.values())[1:]} == {
        inspect.Parameter.KEYWORD_ONLY
    }


def test_every_argument_arrives_where_it_belongs() -> None:
    given: dict[str, Any] = {
        "credentials": Credentials("key", SECRET),
        "base_url": "https://gateway.test",
        "test_mode": True,
        "timeout": 7,
        "max_lookups": 3,
        "landing": Landing("/s"),
        "checkout": Checkout("imp1"),
        "public_url": "https://shop.test",
        "language": "en",
        "confirm_lookup": False,
        "confirm_timeout": 2,
        "webhook_sources": ["192.0.2.0/24"],
        "trusted_proxies": ["10.0.0.0/8"],
    }
    store = MemoryStore(expected=lambda order, _: 39000)
    kinds: list[tuple[Any, Any]] = [(Verifier, send), (AsyncVerifier, send_later)]
    for kind, transport in kinds:
        made = kind(store, transport=transport, **given)
        assert (made.store is store) is (kind is Verifier)
        settings, account = made.settings, made._accounts.select(None)
        assert (account.base_url, account.test_mode) == ("https://gateway.test", True)
        assert (settings.timeout, settings.confirm_lookup) == (7.0, False)
        assert settings.confirm_timeout == 2.0
        assert (settings.max_lookups, settings.checkout) == (3, given["checkout"])
        assert (settings.public_url, settings.test_mode) == ("https://shop.test", True)
        assert (settings.landing, settings.language) == (given["landing"], "en")
        assert made._senders.refusal(Request("POST", client="192.0.2.1")) is None
        assert made._senders.refusal(Request("POST", client="10.0.0.1")) is not None


def test_what_a_verifier_tells_of_its_settings_is_frozen_and_shows_no_secret() -> None:
    accounts = {"kr": Credentials("the-key", SECRET), "us": Credentials("the-key", SECRET)}
    sources = ["192.0.2.0/24"]
    made = Verifier(STORE, accounts=accounts, test_mode=True, webhook_sources=sources)
    kept = made.settings
    del accounts["us"], sources[:]
    assert kept.accounts is not None
    assert (list(kept.accounts), kept.webhook_sources) == (["kr", "us"], ("192.0.2.0/24",))
    with pytest.raises(FrozenInstanceError):
        kept.timeout = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        del kept.accounts["us"]  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        made.settings = kept  # type: ignore[misc]
    assert SECRET not in repr(kept)
    assert "the-key" not in repr(kept)


def send(request: GatewayRequest) -> GatewayResponse:
    raise AssertionError(request)


async def send_later(request: GatewayRequest) -> GatewayResponse:
    raise AssertionError(request)


# --- landings ------------------------------------------------------------------------------------

NAMES = ("success", "failure", "pending")


def landing(name: str, target: object) -> Landing:
    fields: dict[str, Any] = {name: target}
    return Landing(**fields)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "target",
    [
        *("/", "/cart", "/orders/{merchant_uid}", "/{merchant_uid}/x", "/a//b", "/a?next=//b"),
        *("/?{status}&{reason}", "/{status}{status}", "/주문/{merchant_uid}", "/a%20b", "/."),
        *("https://shop.test", "https://shop.test/a?b#c", "https://shop.test/{merchant_uid}"),
        *("https://shop.test:8443?m={merchant_uid}", "https://가게.test/#{status}"),
        *("/@evil.test", "/a:b", "/https://shop.test"),
    ],
)
def test_F04_a_landing_begins_with_one_slash_or_https_and_is_kept_as_written(  # noqa: N802
    name: str, target: str
) -> None:
    assert getattr(landing(name, target), name) == target


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "target",
    [
        *("", " ", "cart", "./cart", "../cart", "?x", "#x", "{merchant_uid}", "{reason}/x"),
        *("//evil.test", "///evil.test", "//", "/\\evil.test", "\\\\evil.test", "/a\\b", "\\/evil"),
        *("http://shop.test", "HTTPS://shop.test", "https:/shop.test", "https:shop.test"),
        *("https://", "https:///evil.test", "https://?x", "https://#x", "https://{status}.test"),
        *("https://shop.test{merchant_uid}", "https://{merchant_uid}@evil.test/"),
        *(
            "https://shop.test]]>=",
            "https://[::1/",
            "https://[shop.test]/",
            "https://a\uff0fb.test/",
        ),
        *("javascript:alert(1)", "data:text/html,x", "ftp://shop.test", "mailto:a@shop.test"),
        *("/a\r\nSet-Cookie: x=1", "/a\nb", "/a\rb", "/a\tb", "/a\x00b", "/a b", " /a", "/a "),
        *("/\t/evil.test", "/\n/evil.test", "\x01https://shop.test", "/a\u2028b", "/\u200b/evil"),
        *("/{order}", "/{}", "/{", "/}", "/{{status}}", "/{status!r}", "/{STATUS}", "/{ status }"),
        *("/{mer{reason}chant_uid}", "/{status", "/status}", "/{0}", "/{merchant_uid.x}"),
        *(5, True, b"/cart", ["/cart"], 1.5),
    ],
    ids=lambda target: ascii(target)[:40],
)
def test_a_landing_of_any_other_form_is_refused(name: str, target: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^Landing\.{name} "):
        landing(name, target)


def test_a_landing_left_out_is_none() -> None:
    assert Landing() == Landing(None, None, None)
    with pytest.raises(FrozenInstanceError):
        Landing().success = "//evil.test"  # type: ignore[misc]


@pytest.mark.parametrize(
    "theme",
    [
        *(None, 5, "accent:red", [("accent", "red")], {"colour": "red"}, {5: "red"}),
        *({"accent": 5}, {"accent": ""}, {"accent": "red;color:blue"}, {"accent": "red}body{x"}),
        *({"accent": "</style>"}, {"accent": "url(//evil.test"}, {"font": '"A"'}, {"font": "a\nb"}),
        *({"accent": "a" * 201}, {"accent": "\\72 ed"}, {"accent": "red!important"}),
        *({"accent": "red /* brand"}, {"accent": "red */"}),
    ],
    ids=ascii,
)
def test_a_theme_of_another_form_is_refused(theme: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^Landing\.theme"):
        Landing(theme=theme)


def test_a_theme_is_css_values_by_name() -> None:
    theme = {"accent": "light-dark(#0a6b4f, rgb(1 2 3 / 50%))", "font": "Noto Sans KR, serif"}
    assert Landing(theme=theme).theme == theme
    assert Landing().theme == {}


# --- what the payment window is told -------------------------------------------------------------


def test_a_checkout_is_a_frozen_value() -> None:
    urls = ["https://shop.test/hook?a=1", "http://localhost:8000/hook"]
    checkout = Checkout("imp00000000", "channel-key-1", tier="ABC", notice_urls=urls, confirm=True)
    assert checkout.notice_urls == tuple(urls)
    assert checkout == pickle.loads(pickle.dumps(checkout))
    assert Checkout("imp00000000", pg="html5_inicis.INIpayTest").pg == "html5_inicis.INIpayTest"
    with pytest.raises(FrozenInstanceError):
        checkout.confirm = False  # type: ignore[misc]


@pytest.mark.parametrize("name", ["user_code", "channel_key", "pg", "tier"])
@pytest.mark.parametrize("value", ["", " ", "imp 1", "imp1\n", "imp\u30001", "\x00", 5, b"imp1"])
def test_a_checkouts_words_are_text_without_white_space(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^Checkout\.{name} "):
        Checkout(**{"user_code": "imp00000000", name: value})


def test_a_checkout_needs_a_user_code() -> None:
    with pytest.raises(ConfigurationError, match=r"^Checkout\.user_code "):
        Checkout(None)  # type: ignore[arg-type]


def test_a_checkout_chooses_the_pg_in_one_way_only() -> None:
    with pytest.raises(ConfigurationError, match=r"channel_key and Checkout\.pg"):
        Checkout("imp00000000", "channel-key-1", "kcp")


@pytest.mark.parametrize(
    ("urls", "named"),
    [
        (["/hook"], "'/hook'"),
        ("http://shop.test/", "'http://shop.test/'"),
        (["https://a.test", "http://shop.test/hook?key=secret#secret"], "'http://shop.test/hook'"),
        (["https://secret@shop.test/"], ""),
        (["https://user:secret?x@shop.test/"], ""),
        (["https://user:secret#x@shop.test/"], ""),
        ([5], "'int'"),
        (5, ""),
        (["https://"], "'https://'"),
    ],
)
def test_o03_a_notice_url_that_is_no_address_is_named(urls: Any, named: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^Checkout\.notice_urls ") as caught:
        Checkout("imp00000000", notice_urls=urls)
    assert str(caught.value).startswith(f"Checkout.notice_urls {named}".rstrip())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "several",
    [
        "https://a.test/x,https://b.test/y",
        "https://a.test/x?a=1, https://b.test/y",
        "https://a.test/x,http://127.0.0.1/y",
    ],
)
def test_o03_several_notice_urls_in_one_text_are_no_address(several: str) -> None:
    for urls in (several, [several]):
        with pytest.raises(ConfigurationError, match="a list of them, not several in one text"):
            Checkout("imp00000000", notice_urls=urls)


@pytest.mark.parametrize(
    ("urls", "kept"),
    [
        ("https://shop.test/hook?to=a,b", ("https://shop.test/hook?to=a,b",)),
        ("https://shop.test/hook", ("https://shop.test/hook",)),
        (["https://a.test/x", "https://b.test/y"], ("https://a.test/x", "https://b.test/y")),
        (("https://a.test/x", "", None), ("https://a.test/x",)),
        ("", ()),
        (None, ()),
        ([], ()),
    ],
)
def test_o03_notice_urls_are_one_or_several_and_what_is_empty_is_left_out(
    urls: Any, kept: tuple[str, ...]
) -> None:
    assert Checkout("imp00000000", notice_urls=urls).notice_urls == kept


@pytest.mark.parametrize("confirm", [None, 1, "yes"])
def test_confirm_is_true_or_false(confirm: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^Checkout\.confirm "):
        Checkout("imp00000000", confirm=confirm)


# --- the shop's own address ----------------------------------------------------------------------


def verifier(**arguments: Any) -> Verifier:
    store = MemoryStore(expected=lambda order, _: 39000)
    keys = Credentials("key", SECRET)
    return Verifier(store, credentials=keys, test_mode=True, **arguments)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.test", "https://shop.test"),
        ("https://shop.test/", "https://shop.test"),
        ("https://shop.test:8443/a/b//", "https://shop.test:8443/a/b"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://shop.test#", "https://shop.test"),
        ("https://shop.test/a/#/done?x=1", "https://shop.test/a"),
        ("https://shop.test?", "https://shop.test"),
        ("https://shop.test/a/?a=1#x", "https://shop.test/a?a=1"),
        ("https://한글가게.한국", "https://xn--o39akk80bs97g.xn--3e0b707e"),
        ("https://xn--o39akk80bs97g.xn--3e0b707e", "https://xn--o39akk80bs97g.xn--3e0b707e"),
        ("https://가게.test:8443/a/", "https://xn--o39akk.test:8443/a"),
    ],
)
def test_the_public_url_is_kept_without_a_slash(
    given: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verifier(public_url=given).settings.public_url == kept
    monkeypatch.setenv("IMP_PUBLIC_URL", given)
    assert verifier().settings.public_url == kept
    assert verifier(public_url="https://given.test").settings.public_url == "https://given.test"
    monkeypatch.setenv("IMP_PUBLIC_URL", "")
    assert verifier().settings.public_url is None


@pytest.mark.parametrize(
    "given",
    [
        *("shop.test", "/payments", "//shop.test", "http://shop.test", "ftp://shop.test"),
        *("https://", "https:///x", "https://u:p@shop.test", "https://shop.test:99999"),
        *("https://shop.test/a b", "https://shop.test/가", 'https://shop.test/"x'),
        *(
            "https://shop.test\n",
            f"https://{'가' * 64}.test",
            "https://가..test",
            "https://가 게.kr",
        ),
        *("https://[::1", "http://127.0.0.1.evil.test", "javascript:alert(1)", 5),
    ],
)
def test_a_public_url_that_is_no_address_is_refused_by_its_name(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^public_url \(IMP_PUBLIC_URL\) ") as caught:
        verifier(public_url=given)
    assert str(given) not in str(caught.value)


def test_n15_a_host_in_its_own_script_is_written_as_the_dns_knows_it_wherever_one_is_given() -> (
    None
):
    known = "https://xn--o39akk.test/x"
    assert Checkout("imp1", notice_urls="https://가게.test/x").notice_urls == (known,)
    for host in ("가..test", "가" * 64, "[가"):
        with pytest.raises(ConfigurationError, match=r"^Landing\.success has a host that"):
            Landing(f"https://{host}/")


def test_d03_a_public_url_that_a_pg_may_cut_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    verifier(public_url="https://shop.test/" + "a" * 237)
    assert [each for each in caplog.messages if "characters" in each] == []
    verifier(public_url="https://shop.test/" + "a" * 238)
    [warning] = [each for each in caplog.messages if "characters" in each]
    assert warning.startswith("public_url (IMP_PUBLIC_URL) has 256 characters: some PGs cut")


def test_a_checkout_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^checkout must be Checkout, not str"):
        verifier(checkout="imp00000000")


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"language": "fr"}, 'language must be "ko", "en" or "auto"'),
        ({"max_lookups": 0}, "max_lookups must be a whole number"),
        ({"max_lookups": True}, "max_lookups must be a whole number"),
        ({"max_lookups": "64"}, "max_lookups must be a whole number, 1 or more, not '64'"),
        ({"timeout": "5"}, "timeout must be seconds, above 0 and at most 3600, not '5'"),
        ({"confirm_timeout": 0}, "^confirm_timeout must be seconds, above 0"),
        ({"confirm_timeout": True}, "^confirm_timeout must be seconds"),
        ({"confirm_timeout": float("nan")}, "^confirm_timeout must be seconds"),
        ({"confirm_timeout": None}, "^confirm_timeout must be seconds"),
        ({"confirm_timeout": 3601}, "^confirm_timeout must be seconds"),
    ],
)
def test_a_setting_that_is_none_is_named(setting: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Verifier(STORE, credentials=Credentials("key", "secret"), test_mode=True, **setting)


@pytest.mark.parametrize("value", ["maybe", "2", "on"])
def test_a_test_mode_that_is_neither_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("IMP_TEST_MODE", value)
    with pytest.raises(
        ConfigurationError, match="IMP_TEST_MODE must be 1, true, 0, false or empty"
    ):
        Verifier(STORE, credentials=Credentials("key", "secret"))


def test_a_tier_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\(else IMP_TIER\) holds a character"):
        Credentials("key", "secret", "가맹점")
