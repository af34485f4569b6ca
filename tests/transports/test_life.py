"""Clients of our own are made on first use, one set for each process and for each event loop."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
from typing import Any

import pytest

from imp_verify.transports.aiohttp import AiohttpTransport
from imp_verify.transports.httpx import HttpxTransport
from imp_verify.transports.requests import RequestsTransport
from imp_verify.transports.urllib3 import Urllib3Transport
from tests.transports.conftest import PATH, Call
from tests.transports.gateway import BODY, Gateway

SYNC = (RequestsTransport, Urllib3Transport)
ASYNC = (HttpxTransport, AiohttpTransport)


@pytest.mark.parametrize("kind", SYNC)
def test_a_transport_can_be_used_again_after_close(kind: Any, gateway: Gateway) -> None:
    transport = kind()
    transport.close()
    for lines in (1, 2):
        assert transport(Call(gateway.url + PATH).request()).body == BODY
        assert len(gateway.lines) == lines
        transport.close()
        transport.close()


@pytest.mark.parametrize("kind", ASYNC)
def test_an_asynchronous_one_too(kind: Any, gateway: Gateway) -> None:
    async def use() -> None:
        transport = kind()
        await transport.close()
        for lines in (1, 2):
            assert (await transport(Call(gateway.url + PATH).request())).body == BODY
            assert len(gateway.lines) == lines
            await transport.close()
            await transport.close()

    asyncio.run(use())


@pytest.mark.parametrize("kind", ASYNC)
def test_every_loop_has_its_connections_and_closes_them_at_its_end(
    kind: Any, gateway: Gateway
) -> None:
    transport = kind()

    async def twice() -> None:
        for _ in range(2):
            assert (await transport(Call(gateway.url + PATH).request())).body == BODY

    for lines in (1, 2, 3):
        asyncio.run(twice())  # and nobody calls close()
        assert len(gateway.lines) == lines
    gc.collect()
    assert transport_keeps(transport) == {}


@pytest.mark.parametrize("kind", ASYNC)
def test_a_loop_that_was_closed_without_a_word_is_forgotten(kind: Any, gateway: Gateway) -> None:
    transport = kind()

    async def once() -> None:
        assert (await transport(Call(gateway.url + PATH).request())).body == BODY
        await transport.close()
        await keeper(transport).get(gateway.url)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(once())
    left = keeper(transport)._loops[loop]
    loop.close()
    asyncio.run(once())
    assert loop not in transport_keeps(transport)
    asyncio.run(left_behind(transport, left))


async def left_behind(transport: Any, holder: Any) -> None:
    for client in holder.made.values():
        await keeper(transport)._close(client)


def keeper(transport: Any) -> Any:
    return transport._pools if isinstance(transport, HttpxTransport) else transport._clients


def transport_keeps(transport: Any) -> dict[Any, Any]:
    kept: dict[Any, Any] = keeper(transport)._loops
    return kept


@pytest.mark.parametrize("kind", [*SYNC, *ASYNC])
def test_a_forked_process_makes_its_own_connections_and_leaves_the_parents_alone(
    kind: Any, gateway: Gateway
) -> None:
    transport = kind()

    def call() -> None:
        answer = transport(Call(gateway.url + PATH).request())
        assert answer.body == BODY

    async def acall() -> None:
        answer = await transport(Call(gateway.url + PATH).request())
        assert answer.body == BODY

    if kind in SYNC:
        call()
        assert (
            in_child(lambda: [each() for each in (transport.close, call, call, transport.close)])
            == 0
        )
        call()
        transport.close()
    else:
        with asyncio.Runner() as runner:
            runner.run(acall())
            assert in_child(lambda: [asyncio.run(acall()), gc.collect()]) == 0
            runner.run(acall())
    assert len(gateway.lines) == 2
    assert [len(line.asked) for line in gateway.lines] == [2, 2 if kind in SYNC else 1]


def in_child(work: Any) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.__stderr__)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("requests", ["requests"], "imp-verify"),
        ("urllib3", ["urllib3"], "imp-verify[urllib3]"),
        ("httpx", ["httpx2", "httpx"], "imp-verify[async]"),
        ("aiohttp", ["aiohttp"], "imp-verify[aiohttp]"),
    ],
)
def test_without_its_library_a_transport_names_what_to_install(
    name: str, missing: list[str], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in missing:
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"imp_verify.transports.{name}")
    with pytest.raises(ImportError) as caught:
        importlib.import_module(f"imp_verify.transports.{name}")
    assert f'pip install "{extra}"' in str(caught.value)
