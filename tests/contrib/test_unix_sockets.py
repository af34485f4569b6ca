"""Servers behind a proxy that reaches them through a Unix socket: the peer has no address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.gateway import I1, ORDER, ScriptedGateway
from tests.support.processes import ROOT, environment
from tests.support.servers import GUNICORN, Server, started, until

ON_GUNICORN = GUNICORN.replace("127.0.0.1:0", "unix:{path}") + " tests.support.mounted:wsgi_app()"
COMMANDS = {
    "flask": ON_GUNICORN,
    "flask-waitress": (  # it says "localhost" of such a peer, and throws the header away by itself
        "waitress-serve --unix-socket={path} --no-clear-untrusted-proxy-headers"
        " --call tests.support.mounted:wsgi_app"
    ),
    "django": ON_GUNICORN,
    "starlette": "uvicorn --uds {path} --factory tests.support.mounted:asgi_app",
}
CLAIM = {"imp_uid": I1, "merchant_uid": ORDER}


@contextmanager
def run(name: str, proxies: str, gateway: ScriptedGateway, folder: Path) -> Iterator[Server]:
    variables = {
        **environment(gateway, folder / "shop.db"),
        "SHOP_FRAMEWORK": name.partition("-")[0],
        "SHOP_PROXIES": proxies,
        "SHOP_BODY_TIME": "10",
    }
    gateway.has()
    path = str(folder / "shop.sock")
    with started(COMMANDS[name], variables, ROOT, path=path) as server:
        yield server


def notice(server: Server, headers: Mapping[str, str]) -> tuple[int, str]:
    answer = server.ask("POST", "/pay/webhook", CLAIM, headers)
    return answer.status, answer.word


@pytest.mark.parametrize("name", COMMANDS)
def test_n04_a_proxy_behind_a_unix_socket_is_believed_where_the_shop_says_so(
    name: str, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    with run(name, "unix 10.0.0.0/8", gateway, tmp_path) as server:
        sent = {"X-Forwarded-For": "198.51.100.7"}
        assert until(lambda: notice(server, sent) == (200, "success"))  # the first one imports
        for line in ("192.0.2.1, 198.51.100.7:51432", "198.51.100.7, 10.0.0.9"):
            assert notice(server, {"X-Forwarded-For": line}) == (200, "success")
        gateway.asked.clear()
        for line in ("192.0.2.1", "198.51.100.7, 192.0.2.1", "198.51.100.7, unix"):
            assert notice(server, {"X-Forwarded-For": line}) == (403, "forbidden")
        assert notice(server, {}) == (403, "forbidden")
        assert gateway.asked == []


@pytest.mark.parametrize("name", COMMANDS)
def test_n04_without_that_it_is_refused_and_the_log_says_what_to_set(
    name: str, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    with run(name, "127.0.0.0/8", gateway, tmp_path) as server:
        assert notice(server, {"X-Forwarded-For": "198.51.100.7"}) == (403, "forbidden")
    assert b'add "unix" to trusted_proxies' in b"".join(server.said)
    assert gateway.asked == []
