"""One suite over every adapter, in-process and over sockets: whatever the framework and the server,
the same request gets the core's answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from imp_verify import Request, Verifier
from imp_verify.stores.memory import MemoryStore
from tests.contrib.conftest import SERVED, Client
from tests.support.gateway import I1, ORDER, PRICE, VBANK, ScriptedGateway
from tests.support.remote import Remote
from tests.support.shop import ASYNC, LANDING, AsgiDriver, Shop, credentials

NOT_COMPARED = {"content-length", "date", "server", "transfer-encoding"}


@pytest.fixture
def core(gateway: ScriptedGateway) -> Iterator[Verifier]:
    """The core itself, with a store of its own, for the answer to expect."""
    verifier = Verifier(
        MemoryStore(expected=lambda order, _: PRICE if order == ORDER else None),
        credentials=credentials(),
        base_url=gateway.address,
        test_mode=True,
        landing=LANDING,
    )
    yield verifier
    verifier.close()


@dataclass(frozen=True)
class Asked:
    """A request under the prefix."""

    method: str
    target: str
    body: Any = b""
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=())

    def expects(self, core: Verifier) -> tuple[int, dict[str, str], bytes]:
        """Return the core's own answer."""
        path, _, query = self.target.partition("?")
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = list(self.headers)
        if self.content_type and body:
            headers.append(("Content-Type", self.content_type))
        request = Request(self.method, query, headers, body, "203.0.113.9")
        answer = core.serve(path.strip("/"), request)
        return answer.status, {k.lower(): v for k, v in answer.headers}, answer.body

    def gets(self, client: Client) -> tuple[int, dict[str, str], bytes]:
        """Return what the framework answers."""
        answer = client.ask(
            self.method, self.target, self.body, self.content_type, headers=self.headers
        )
        headers = {k: v for k, v in answer.headers.items() if k not in NOT_COMPARED}
        return answer.status, headers, answer.body


def claim(**changes: object) -> dict[str, object]:
    return {"imp_uid": I1, "merchant_uid": ORDER, "amount": PRICE, **changes}


VERDICTS: dict[str, dict[str, object]] = {
    "paid": {},
    "issued": {"status": "ready", "paid_at": 0, **VBANK},
    "pending": {"status": "ready", "paid_at": 0},
    "unheard of": {"status": "authorized"},
    "failed": {"status": "failed", "fail_reason": "한도 초과 <b>"},
    "cancelled": {"status": "cancelled", "cancel_amount": PRICE},
    "cancelled in part": {"status": "cancelled", "cancel_amount": 9000},
    "forged": {"amount": 1000},
    "another order": {"merchant_uid": "ORD-9"},
}
RETURN = f"?imp_uid={I1}&merchant_uid={ORDER}&imp_success=true"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_each_verdict_is_answered_as_by_the_core(
    client: Client, core: Verifier, gateway: ScriptedGateway, verdict: str
) -> None:
    gateway.has(**VERDICTS[verdict])
    for asked in (
        Asked("POST", "/confirm", claim()),
        Asked("POST", "/complete", claim()),
        Asked("POST", "/webhook", claim(status="paid")),
        Asked("GET", f"/redirect{RETURN}"),
        Asked("GET", f"/complete{RETURN}"),
        Asked("POST", "/complete/", claim(merchant_uid="ORD-2")),
    ):
        assert asked.gets(client) == asked.expects(core), asked


def test_what_nobody_knows_is_answered_as_by_the_core(
    client: Client, core: Verifier, gateway: ScriptedGateway
) -> None:
    for asked in (
        Asked("POST", "/complete", claim()),
        Asked("POST", "/webhook", claim()),
        Asked("POST", "/confirm", claim()),
        Asked("GET", f"/redirect{RETURN}"),
        Asked("GET", "/redirect?error_code=F&error_msg=%3Cb%3E"),
    ):
        assert asked.gets(client) == asked.expects(core), asked
    gateway.has(merchant_uid="ORD-404")
    for path in ("/complete", "/webhook"):
        asked = Asked("POST", path, claim(merchant_uid="ORD-404"))
        assert asked.gets(client) == asked.expects(core), asked


BODIES: dict[str, tuple[bytes, str | None]] = {
    "none": (b"", None),
    "empty object": (b"{}", "application/json"),
    "array": (b"[]", "application/json"),
    "word": (b"null", "application/json"),
    "cut": (b'{"imp_uid":"imp_1', "application/json"),
    "nested": (b"[" * 20000, "application/json"),
    "no UTF-8": (b"\xff\xfe{}", "application/json"),
    "form": (f"imp_uid={I1}&merchant_uid={ORDER}".encode(), "application/x-www-form-urlencoded"),
    "form called JSON": (f"imp_uid={I1}&merchant_uid={ORDER}".encode(), "application/json"),
    "JSON called form": (f'{{"imp_uid":"{I1}"}}'.encode(), "application/x-www-form-urlencoded"),
    "JSON called nothing": (f'{{"imp_uid":"{I1}"}}'.encode(), None),
    "key twice": (f"imp_uid={I1}&imp_uid=imp_2".encode(), "application/x-www-form-urlencoded"),
    "path": (b'{"imp_uid":"../users/getToken"}', "application/json"),
    "multipart": (
        f'--x\r\nContent-Disposition: form-data; name="imp_uid"\r\n\r\n{I1}\r\n--x--\r\n'.encode(),
        "multipart/form-data; boundary=x",
    ),
    "multipart without a boundary": (b"--x\r\n\r\n--x--", "multipart/form-data"),
    "as long as may be": (f"imp_uid={I1}&x=".encode() + b"a" * (65536 - 25), "text/plain"),
    "too long": (b"a" * 65537, "text/plain"),
}


@pytest.mark.parametrize("path", ["/complete", "/webhook/", "/confirm"])
def test_each_body_is_read_as_by_the_core(
    client: Client, core: Verifier, gateway: ScriptedGateway, path: str
) -> None:
    gateway.has()
    for which, (body, content_type) in BODIES.items():
        asked = Asked("POST", path, body, content_type)
        assert asked.gets(client) == asked.expects(core), which


@pytest.mark.parametrize("path", ["/complete", "/redirect", "/webhook", "/confirm/"])
def test_each_method_reaches_the_core(client: Client, core: Verifier, path: str) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST"):
        asked = Asked(method, path)
        assert asked.gets(client) == asked.expects(core), method


QUERIES = (
    "?imp_uid=null&merchant_uid=undefined",
    f"?imp_uid={I1}&imp_uid=imp_2",
    "?merchant_uid=%EC%A3%BC%EB%AC%B8+1",
    "?merchant_uid=\xec\xa3\xbc\xeb\xac\xb8",
    "?merchant_uid=%FF",
    f"?merchant_uid={ORDER}",
    "?imp_uid=a/b",
    "?{%22imp_uid%22:%22imp_1%22}",
)


def test_each_query_is_read_as_by_the_core(
    client: Client, core: Verifier, gateway: ScriptedGateway
) -> None:
    gateway.has()
    for query in QUERIES:
        before = len(gateway.asked)
        asked = Asked("GET", f"/redirect{query}")
        answer = asked.gets(client)
        if isinstance(client, Remote) and not query.isascii() and answer[0] == 400:
            # Many a server itself refuses a line that is not ASCII.
            assert len(gateway.asked) == before
        else:
            assert answer == asked.expects(core), query


def test_trouble_of_the_gateway_and_of_a_hook_is_503_everywhere(
    client: Client, gateway: ScriptedGateway
) -> None:
    gateway.has()
    client.fail_hooks(True)
    for path in ("/complete", "/webhook"):
        assert client.post(path, claim()).told == (503, "unavailable")
    client.fail_hooks(False)
    assert client.post("/webhook", claim()).told == (200, "success")
    assert client.shipped == [I1]


def test_the_sender_is_who_the_proxies_say_in_every_header_line(
    client: Client, gateway: ScriptedGateway
) -> None:
    gateway.has()
    for sender, status in (("198.51.100.7", 200), ("192.0.2.1", 403)):
        forged = (("X-Forwarded-For", f"198.51.100.1, {sender}"),)
        assert client.ask("POST", "/webhook", claim(), headers=forged).status == status


@pytest.mark.parametrize("place", [*SERVED, *ASYNC], indirect=True, scope="session")
def test_a_header_name_with_an_underscore_is_not_read(
    client: Client, gateway: ScriptedGateway
) -> None:
    gateway.has()
    for spelled in ("X_Forwarded_For", "X-Forwarded_For", "X_FORWARDED-FOR"):
        forged = [(spelled, "192.0.2.1")]
        assert client.ask("POST", "/webhook", claim(), headers=forged).status == 200
        forged = [("X-Forwarded-For", "192.0.2.1"), (spelled, "198.51.100.1")]
        for headers in (forged, forged[::-1]):
            assert client.ask("POST", "/webhook", claim(), headers=headers).status == 403


def test_an_unknown_path_under_the_prefix_is_not_ours(client: Client) -> None:
    answer = client.ask("GET", "/unknown")
    assert answer.status == 404
    assert b'"status"' not in answer.body


def test_F04_a_mount_point_above_the_prefix_is_honoured(  # noqa: N802
    client: Client, core: Verifier, gateway: ScriptedGateway
) -> None:
    gateway.has()
    client.mount_at("/shop")
    for asked in (
        Asked("POST", "/complete", claim()),
        Asked("GET", f"/redirect{RETURN}"),  # the shop's target is used as written
    ):
        assert asked.gets(client) == asked.expects(core)
    if isinstance(client, Shop) and client.framework in ("asgi", "fastapi", "django_async"):
        # As servers did before the specification was clear; the others have left that behind.
        assert isinstance(client.driver, AsgiDriver)
        client.driver.path_has_root = False
        assert asked.gets(client) == asked.expects(core)
