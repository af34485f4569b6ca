"""A running sandbox, a client of its REST calls, and a shop that takes what it sends."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import requests

from imp_verify.sandbox import Account, Attempt, SandboxServer
from tests.support import gateway as scripted

NOON = 1_785_400_000
BY_LOT = ["test_schema_by_lot.py", "test_control_by_lot.py"]
collect_ignore = BY_LOT if sys.version_info < (3, 12) else []
"""What they need is not installed there: see pyproject.toml."""


@dataclass
class Reply:
    status: int
    code: int
    message: str | None
    response: Any
    text: str


@dataclass
class Rest:
    """Calls the sandbox as a shop's server does."""

    url: str
    key: str = "sandbox_key"
    secret: str = "sandbox_secret"
    headers: dict[str, str] = field(default_factory=dict)
    http: requests.Session = field(default_factory=requests.Session)

    def token(self) -> Reply:
        return self.send(
            "POST", "/users/getToken", {"imp_key": self.key, "imp_secret": self.secret}
        )

    def log_in(self) -> None:
        self.headers["Authorization"] = "Bearer " + self.token().response["access_token"]

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def send(self, method: str, path: str, fields: Mapping[str, object] | None = None) -> Reply:
        answer = self.http.request(method, self.url + path, json=fields, headers=self.headers)
        return read(answer)


def read(answer: requests.Response) -> Reply:
    content = json.loads(answer.text, parse_float=Decimal)
    assert content.keys() == {"code", "message", "response"}
    return Reply(answer.status_code, **content, text=answer.text)


def call(server: SandboxServer, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Make a control call; the body is sent as it is where it is a text."""
    text = body if isinstance(body, str) else json.dumps({} if body is None else body)
    headers = {"Content-Type": "application/json"}
    sent = {} if method in ("GET", "DELETE") else {"data": text.encode(), "headers": headers}
    answer = requests.request(method, f"{server.url}/sandbox/v1/{path}", **sent)  # type: ignore[arg-type]
    return answer.status_code, json.loads(answer.text, parse_float=Decimal)


class Shop:
    """A shop's server: keeps what it gets, answers as it is told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.answers: dict[str, tuple[int, str]] = {}
        self.got: list[tuple[str, str, str]] = []

    def answer(self, asked: scripted.Asked, to: scripted.Connection) -> None:
        self.got.append((asked.path, asked.headers["Content-Type"], asked.body.decode()))
        status, text = self.answers.get(asked.path, (200, "{}"))
        scripted.Reply(status, text.encode(), (("Location", "/elsewhere"),)).send(to)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def shop() -> Iterator[Shop]:
    made, stop = scripted.start_as(Shop)
    yield made
    stop()


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    accounts = (Account(), Account("other_key", "other_secret", "imp11111111"))
    channels = {"channel-test": ("tosspayments", True), "channel-live": ("tosspayments", False)}
    with SandboxServer(accounts=accounts, channels=channels) as running:
        running.sandbox.clock.stop_at(NOON)
        yield running


@pytest.fixture
def rest(server: SandboxServer) -> Iterator[Rest]:
    client = Rest(server.url)
    client.log_in()
    yield client
    client.http.close()


def opened(server: SandboxServer, merchant_uid: str = "ORD-1001", **params: object) -> Attempt:
    """Open a payment window for 39,000 won, or for what is given."""
    wanted = {"merchant_uid": merchant_uid, "amount": 39000, **params}
    tier = wanted.pop("tier", None)
    user_code = wanted.pop("user_code", None)
    return server.sandbox.gateway.open(
        wanted,
        tier=str(tier) if tier else None,
        user_code=str(user_code) if user_code else None,
    )


def paid(server: SandboxServer, merchant_uid: str = "ORD-1001", **params: object) -> Attempt:
    return server.sandbox.approve(opened(server, merchant_uid, **params).imp_uid)


def issued(server: SandboxServer, merchant_uid: str = "ORD-1001", **params: object) -> Attempt:
    attempt = opened(server, merchant_uid, pay_method="vbank", **params)
    return server.sandbox.issue_account(attempt.imp_uid)
