"""Every public method of the published clients, unchanged, against the sandbox over HTTP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from imp_verify.sandbox import Account, SandboxServer
from imp_verify.sandbox.journal import CONTROL
from tests.clients import npm_table, pypi_table
from tests.clients.clients import NAMES, Client, command, environment, running
from tests.clients.expected import ANYTHING, WIRE, Answered, Own, filled, fits
from tests.clients.world import furnish

pytestmark = [pytest.mark.slow, pytest.mark.needs("clients")]

TABLES: tuple[list[Any], ...] = (
    npm_table.IAMPORT,
    npm_table.IAMPORTER,
    npm_table.REST_CLIENT,
    npm_table.SERVER_API,
    pypi_table.IAMPORTER,
    pypi_table.ASYNC_CLIENT,
    pypi_table.REST_CLIENT,
)
TABLE = dict(zip(NAMES, TABLES, strict=True))
NO_CALLS = {
    "npm iamport-rest-client-nodejs": {"getApiInstance"},
    "npm iamport-server-api": {"connector.getToken"},
    "PyPI async-iamport": {"get_response"},
    "PyPI iamport-rest-client": {"get_response"},
}
"""What is public and neither calls nor tells: the HTTP client inside, what takes its answer, and
what TypeScript says is private."""


def group(client: str) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(f"clients {client}")


ROWS = [
    pytest.param(client, at, *call, id=f"{client} {call[0]} {at}", marks=group(client))
    for client, calls in TABLE.items()
    for at, call in enumerate(calls)
]
EACH = pytest.mark.parametrize("client", [pytest.param(each, marks=group(each)) for each in NAMES])


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """One sandbox, with an account for each row. Its clock runs: the clients look at the
    machine's, and what is over there they would not send."""
    pairs = [(client, at) for client, calls in TABLE.items() for at in range(len(calls))]
    accounts = [Account(*keys(client, at), f"imp{n:08d}") for n, (client, at) in enumerate(pairs)]
    with SandboxServer(accounts=accounts) as started:
        yield started


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    """Give what starts a client, once."""
    with ExitStack() as ends:
        yield cache(lambda client: ends.enter_context(running(client)))


def keys(client: str, at: int) -> tuple[str, str]:
    return f"key of {client} {at}", f"secret of {client} {at}"


def made_calls(server: SandboxServer, before: int) -> list[dict[str, Any]]:
    """What the gateway was asked since: of tokens the last one, where nothing else."""
    entries = [each.wire() for each in server.sandbox.journal.after(before)]
    calls = [each for each in entries if each["kind"] == "api"]
    return [each for each in calls if each["call"] != "token"] or calls[-1:]


@pytest.mark.parametrize(("client", "at", "method", "given", "wanted"), ROWS)
def test_a_client_gets_what_it_asks_for_or_is_told_by_name_what_the_sandbox_has_not(
    server: SandboxServer,
    started: Any,
    client: str,
    at: int,
    method: str,
    given: object,
    wanted: Answered | Own,
) -> None:
    key, secret = keys(client, at)
    names = {**furnish(server.sandbox, key), "key": key, "secret": secret}
    before = server.sandbox.journal.add(CONTROL, step="row").number
    ran: Client = started(client)
    line = {"method": method, "args" if client.startswith("npm") else "kwargs": given}
    shown = ran.ask(url=server.url, key=key, secret=secret, **filled(line, names))
    calls = made_calls(server, before)
    if isinstance(wanted, Own):
        assert fits(wanted.shown, shown), shown
        assert [each["call"] for each in calls] in ([], ["token"])
        return
    (call,) = calls
    expected = {name: filled(getattr(wanted, name), names) for name in WIRE}
    answered = {"status": call["status"], **json.loads(call["answer"])}
    assert fits(expected, answered), answered
    if wanted.call is not None:
        assert f"{call['method']} {call['path']}" == filled(wanted.call, names)
    visible = {name: shown[name] for name in WIRE if name in shown}
    assert fits({name: expected[name] for name in visible}, visible), shown
    assert visible if wanted.value is ANYTHING else fits(wanted.value, shown["value"]), shown


@EACH
def test_no_public_method_of_a_client_is_left_out(started: Any, client: str) -> None:
    called = {method for method, _, _ in TABLE[client]}
    assert set(started(client).ask(list=True)) - NO_CALLS.get(client, set()) == called


def test_npm_iamport_shows_by_its_words_alone_what_the_sandbox_has_not(
    server: SandboxServer, started: Any
) -> None:
    key, secret = keys("npm iamport", 0)
    line = {"method": "certification.get", "args": [{"imp_uid": "imp_1"}]}
    shown = started("npm iamport").ask(url=server.url, key=key, secret=secret, **line)
    assert shown.keys() == {"code", "message"}
    assert "GET /certifications/imp_1" in shown["message"]


@EACH
def test_a_client_that_keeps_its_own_address_does_not_leave_this_machine(
    client: str, tmp_path: Any
) -> None:
    noted = tmp_path / "noted.txt"
    method, given, _ = next(call for call in TABLE[client] if "Token" not in call[0])
    line = {"method": method, "key": "k", "secret": "s"}
    line["args" if client.startswith("npm") else "kwargs"] = given
    subprocess.run(
        command(client),
        env=environment(IMP_VERIFY_OUTWARD=str(noted)),
        input=json.dumps(line),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert set(noted.read_text().split("'")[1::2]) == {"api.iamport.kr"}
