"""The pytest plugin of imp_verify: a fake gateway for a shop's tests, and no way to the real one.

It stands outside of the package, and imports that where a fixture is used: a run without one pays
for nothing. `-p no:pytest_imp_verify` leaves it out, for tests that mean the real gateway.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from imp_verify import AsyncVerifier, Verifier
    from imp_verify.sandbox import SandboxServer
    from imp_verify.testing import FakeGateway, OrdersInMemory

_REAL = ("iamport.kr", "portone.io")
_MARKS = (
    "imp_settings(**settings): how the fake gateway of this test behaves",
    "imp_fault(call, **what): what goes wrong at it; see FakeGateway.fail",
)
_REFUSED = (
    "this test reached for {}, which is the real gateway: use the fixture fake_gateway "
    "(transport=fake_gateway.transport), or fake_gateway_url as IMP_API_URL"
)
_PROXIES = ("no_proxy", "NO_PROXY")
_SHOWN = 200
"""Lines of a journal in the report of a test."""
_used = pytest.StashKey["FakeGateway"]()


@pytest.fixture
def fake_gateway(request: pytest.FixtureRequest) -> Iterator[FakeGateway]:
    """A fresh `imp_verify.testing.FakeGateway`, as the marks of the test say."""
    from imp_verify.testing import FakeGateway

    settings: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("imp_settings"))):  # the nearest one last
        if mark.args:
            raise ValueError("imp_settings takes names and values: imp_settings(language='en')")
        settings.update(mark.kwargs)
    gateway = FakeGateway(**settings)
    for mark in request.node.iter_markers("imp_fault"):
        if len(mark.args) > 1 or not (mark.args or "call" in mark.kwargs):
            raise ValueError("imp_fault takes a call, and names: imp_fault('payment', status=503)")
        _ = gateway.fail(*mark.args, **mark.kwargs)
    request.node.stash[_used] = gateway
    yield gateway
    gateway.sandbox.close_down()


@pytest.fixture(scope="session")
def _imp_server() -> Iterator[SandboxServer]:
    """One server a session; it shows the gateway of the test that is run."""
    from imp_verify.sandbox import SandboxServer

    with SandboxServer() as server:
        yield server


@pytest.fixture
def fake_gateway_url(fake_gateway: FakeGateway, _imp_server: SandboxServer) -> Iterator[str]:
    """The address of `fake_gateway`, for IMP_API_URL: API, script, window and log; it needs the
    extra `sandbox`."""
    with fake_gateway.shown_by(_imp_server):
        yield _imp_server.url


@pytest.fixture
def imp_store() -> OrdersInMemory:
    """The store of both verifiers: override it with the shop's own. This one is in memory, and
    `imp_store.orders["A-1"] = 39000` makes an order."""
    from imp_verify.testing import OrdersInMemory

    return OrdersInMemory()


@pytest.fixture
def imp_verifier(fake_gateway: FakeGateway, imp_store: Any) -> Verifier:
    """A `Verifier` of `imp_store` that asks `fake_gateway`."""
    from imp_verify import Verifier

    return Verifier(imp_store, transport=fake_gateway.transport, **_live(fake_gateway))


@pytest.fixture
def async_imp_verifier(fake_gateway: FakeGateway, imp_store: Any) -> AsyncVerifier:
    """An `AsyncVerifier` of `imp_store` that asks `fake_gateway`."""
    from imp_verify import AsyncVerifier

    return AsyncVerifier(imp_store, transport=fake_gateway.async_transport, **_live(fake_gateway))


def _live(gateway: FakeGateway) -> dict[str, Any]:
    """Return what the environment of a developer must not decide."""
    url = "https://api.iamport.kr"
    return {"credentials": gateway.credentials, "base_url": url, "test_mode": False}


# The journal of a failed test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that reached for the real gateway, in whatever thread; show what the fake one
    did."""
    report = yield
    guard = item.config.stash[_guard]
    if guard.reached and report.outcome == "passed":
        report.outcome, report.longrepr = "failed", _REFUSED.format(guard.reached[0])
    if report.outcome == "failed":
        guard.reached.clear()
        if _used in item.stash:
            report.sections.append(("fake gateway", _journal(item.stash[_used])))
    return report


def _journal(gateway: FakeGateway) -> str:
    from imp_verify.testing import journal_lines

    lines = journal_lines(gateway.journal)
    cut = ["..."] if len(lines) > _SHOWN else []
    return "\n".join([*cut, *lines[-_SHOWN:]]) or "nothing happened"


# No way to the real one


class _Guard:
    """Keeps tests from the real gateway: its names are not looked up, and nothing connects to
    them. Where a proxy would look up in their place, they are not asked through one.

    Attributes:
        reached: What the test that is run reached for.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.reached: list[str] = []
        self._undo: list[Callable[[], None]] = []

    def install(self) -> None:
        for place, name, at in (
            (socket, "getaddrinfo", 0),
            (socket, "gethostbyname", 0),
            (socket, "gethostbyname_ex", 0),
            (socket.socket, "connect", 1),
            (socket.socket, "connect_ex", 1),
        ):
            self._patch(place, name, at)
        for name in _PROXIES:
            self._undo.append(_restore(name, os.environ.get(name)))
        known = next((os.environ[name] for name in _PROXIES if os.environ.get(name)), "")
        if known.strip() != "*":
            names = ",".join(filter(None, [known, *_REAL, *(f".{real}" for real in _REAL)]))
            os.environ.update(dict.fromkeys(_PROXIES, names))

    def remove(self) -> None:
        for undo in reversed(self._undo):
            undo()

    def _patch(self, place: Any, name: str, at: int) -> None:
        own, there = getattr(place, name), name in vars(place)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            if self.is_on and (target := args[at] if len(args) > at else kwargs.get("host")):
                self._check(target[0] if isinstance(target, tuple) else target)
            return own(*args, **kwargs)

        setattr(place, name, guarded)
        self._undo.append(lambda: setattr(place, name, own) if there else delattr(place, name))

    def _check(self, host: object) -> None:
        text = host.decode("latin-1") if isinstance(host, bytes | bytearray) else str(host)
        name = text.rstrip(".").lower()
        if not any(name == real or name.endswith(f".{real}") for real in _REAL):
            return
        self.reached.append(name)
        pytest.fail(_REFUSED.format(name))  # no Exception: a shop that catches those goes on


def _restore(name: str, value: str | None) -> Callable[[], None]:
    def restore() -> None:
        if value is None:
            _ = os.environ.pop(name, None)
        else:
            os.environ[name] = value

    return restore


_guard = pytest.StashKey[_Guard]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks, and stand guard."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    config.stash[_guard] = _Guard()
    config.stash[_guard].install()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave everything as it was."""
    if _guard in config.stash:
        config.stash[_guard].remove()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Be on guard from a test's first fixture to its last."""
    guard = item.config.stash[_guard]
    before, guard.is_on, guard.reached = guard.is_on, True, []
    try:
        return (yield)
    finally:
        guard.is_on = before
