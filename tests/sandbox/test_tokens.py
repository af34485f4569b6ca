"""The life of an access token."""

from __future__ import annotations

import pytest
import requests

from imp_verify.sandbox import SandboxServer
from tests.sandbox.conftest import NOON, Rest, paid, read


def test_y01_a_token_lives_thirty_minutes(server: SandboxServer, rest: Rest) -> None:
    path = f"/payments/{paid(server).imp_uid}"
    assert rest.get(path).status == 200
    server.sandbox.clock.stop_at(NOON + 1799)
    assert rest.get(path).status == 200
    server.sandbox.clock.advance(1)
    reply = rest.get(path)
    assert (reply.status, reply.code, reply.message) == (401, -1, "Unauthorized")


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer " + "0" * 40, "nonsense"])
def test_y01_without_a_token_of_this_gateway_nothing_is_told(
    server: SandboxServer, rest: Rest, header: str
) -> None:
    path = f"/payments/{paid(server).imp_uid}"
    rest.headers["Authorization"] = header
    reply = rest.get(path)
    assert (reply.status, reply.code, reply.response) == (401, -1, None)


def test_y01_a_token_of_another_gateways_account_is_refused(
    server: SandboxServer, rest: Rest
) -> None:
    path = f"/payments/{paid(server).imp_uid}"
    with SandboxServer() as elsewhere:
        stranger = Rest(elsewhere.url)
        stranger.log_in()
        stranger.http.close()
    rest.headers = stranger.headers
    assert rest.get(path).status == 401


def test_asking_again_gives_the_same_token_and_end(server: SandboxServer, rest: Rest) -> None:
    first = rest.token().response
    server.sandbox.clock.advance(1739)
    again = rest.token().response
    assert again == {**first, "now": NOON + 1739}
    assert again["expired_at"] == NOON + 1800


def test_y01_in_the_last_minute_a_token_gets_five_minutes_more(
    server: SandboxServer, rest: Rest
) -> None:
    first = rest.token().response
    server.sandbox.clock.advance(1740)
    again = rest.token().response
    assert again["access_token"] == first["access_token"]
    assert again["expired_at"] == NOON + 1800 + 300


def test_after_its_end_there_is_a_new_token(server: SandboxServer, rest: Rest) -> None:
    first = rest.token().response
    server.sandbox.clock.advance(1800)
    again = rest.token().response
    assert again["access_token"] != first["access_token"]
    assert again["expired_at"] == NOON + 1800 + 1800


def test_wrong_keys_are_401(server: SandboxServer) -> None:
    with requests.Session() as http:
        reply = Rest(server.url, secret="wrong", http=http).token()
    assert (reply.status, reply.code, reply.response) == (401, -1, None)
    assert reply.message == "인증에 실패하였습니다. API키와 secret을 확인하세요."


def test_missing_keys_are_400(server: SandboxServer, rest: Rest) -> None:
    reply = rest.send("POST", "/users/getToken", {"imp_key": "sandbox_key"})
    assert (reply.status, reply.code) == (400, -1)


def test_keys_may_come_as_a_form(server: SandboxServer, rest: Rest) -> None:
    keys = {"imp_key": "sandbox_key", "imp_secret": "sandbox_secret"}
    reply = read(rest.http.post(server.url + "/users/getToken", data=keys))
    assert reply.response["access_token"] in rest.headers["Authorization"]


def test_the_bare_token_is_taken_too(server: SandboxServer, rest: Rest) -> None:
    rest.headers["Authorization"] = rest.headers["Authorization"].removeprefix("Bearer ")
    assert rest.get(f"/payments/{paid(server).imp_uid}").status == 200


@pytest.mark.parametrize("body", ["{", "[]", "\xff"])
def test_an_unreadable_body_is_400(server: SandboxServer, rest: Rest, body: str) -> None:
    kind = {"Content-Type": "application/json"}
    url = server.url + "/users/getToken"
    assert read(rest.http.post(url, body.encode("latin-1"), headers=kind)).status == 400


def test_each_account_sees_its_own_payments_alone(server: SandboxServer, rest: Rest) -> None:
    ours = paid(server)
    theirs = paid(server, user_code="imp11111111")
    assert rest.get(f"/payments/{ours.imp_uid}").status == 200
    assert rest.get(f"/payments/{theirs.imp_uid}").status == 404
    assert rest.get("/payments/status/all").response["total"] == 1


def test_a_sub_stores_payment_needs_its_tier(server: SandboxServer, rest: Rest) -> None:
    path = f"/payments/{paid(server, tier='ABC').imp_uid}"
    assert rest.get(path).status == 404
    rest.headers["Tier"] = "ABC"
    assert rest.get(path).status == 200
