"""What a shop sets once: credentials that show themselves to nobody, and landings that lead nowhere
else."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from imp_verify import ConfigurationError, Credentials, Landing
from imp_verify.settings import check_credential

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
def test_a_credential_that_cannot_be_is_refused_by_the_name_of_its_variable(
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
        assert str(caught.value) == f"{variable} {complaint}"
        assert SECRET not in str(caught.value)


def test_a_credential_may_hold_any_printable_text() -> None:
    check_credential("a b+/=가", "IMP_KEY")


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
