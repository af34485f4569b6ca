"""What error monitoring keeps of a trouble: no key, secret or token in any variable (case N06)."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imp_verify
from imp_verify import AsyncVerifier, ConfigurationError, GatewayError, Verifier
from imp_verify.contrib.otel import instrument
from imp_verify.stores.memory import MemoryStore
from tests.support.gateway import ScriptedGateway
from tests.support.markers import KEY, SECRET, found_in
from tests.support.monitored import BAD_SETTINGS, SCRIPTS, TRANSPORTS, Monitored
from tests.support.processes import ROOT, environment

OURS = str(Path(imp_verify.__file__).parent)
HOOK = "a hook raises"


def leaks(text: str) -> list[str]:
    return found_in(text) + ([KEY] if KEY in text else [])


def links(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from, told or not."""
    rest: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while rest:
        each = rest.pop()
        if each is None or each in seen:
            continue
        seen.append(each)
        rest += (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
        yield each


def shown(error: BaseException) -> str:
    """All that our frames hold, and what the errors themselves say."""
    text = ""
    for each in links(error):
        told = traceback.TracebackException.from_exception(each, capture_locals=True)
        ours = [f for f in told.stack if f.filename.startswith(OURS) or f.filename == "<string>"]
        text += f"{each!r} {each} {[(f.name, f.locals) for f in ours]}\n"
    return text


def test_the_search_would_find_a_leak() -> None:
    def raising(value: str) -> None:
        raise ValueError("harmless")

    with pytest.raises(ValueError, match="harmless") as raised:
        raising(KEY)
    stack = traceback.TracebackException.from_exception(raised.value, capture_locals=True).stack
    assert leaks(str([frame.locals for frame in stack])) == [KEY]


@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
@pytest.mark.parametrize(
    "given",
    [
        {"credentials": {"key": KEY, "secret": SECRET}},
        {"credentials": (KEY, SECRET)},
        {"accounts": {"kr": {"key": KEY, "secret": SECRET}}},
        {"accounts": [(KEY, SECRET)]},
    ],
)
def test_n06_what_should_have_been_credentials_is_shown_by_no_variable_of_ours(
    kind: Any, given: dict[str, Any]
) -> None:
    store = MemoryStore(expected=lambda *_: 1)
    with pytest.raises(ConfigurationError, match="must be") as raised:
        kind(store, test_mode=True, **given)
    assert leaks(shown(raised.value)) == []


@pytest.fixture(params=[*TRANSPORTS, "requests, traced", "httpx, traced"])
def monitored(request: pytest.FixtureRequest, gateway: ScriptedGateway) -> Iterator[Monitored]:
    transport, _, traced = str(request.param).partition(", ")
    shop = Monitored.made(transport, gateway)
    if traced:
        _ = instrument(shop.driver.verifier)
    yield shop
    shop.close()


@pytest.mark.parametrize("script", [*SCRIPTS, HOOK])
def test_n06_no_variable_of_ours_shows_a_secret(monitored: Monitored, script: str) -> None:
    with monitored.under(script), pytest.raises((GatewayError, RuntimeError)) as raised:
        monitored.verify()
    text = shown(raised.value)
    assert OURS in "".join(traceback.format_exception(raised.value))
    assert leaks(text) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_n06_a_clients_own_frames_are_not_kept(monitored: Monitored, script: str) -> None:
    with monitored.under(script), pytest.raises(GatewayError) as raised:
        monitored.verify()
    for each in [*links(raised.value)][1:]:
        assert each.__traceback__ is None


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_n06_no_variable_shows_a_setting_that_is_refused(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMP_KEY", KEY)
    monkeypatch.setenv("IMP_SECRET", f"{KEY}\n")
    with pytest.raises(imp_verify.ConfigurationError) as raised:
        BAD_SETTINGS[what]()
    assert leaks(shown(raised.value)) == []


@pytest.mark.slow
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_n06_sentry_with_its_defaults_is_sent_no_secret(
    transport: str, gateway: ScriptedGateway, tmp_path: Path
) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "tests.support.monitored", transport],
        env=environment(gateway, tmp_path / "unused.db"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    told: dict[str, list[Any]] = json.loads(output)
    for what, events in told.items():
        assert leaks(json.dumps(events, ensure_ascii=False)) == []
        if not what.startswith("webhook") or what.endswith(HOOK):
            frames = [
                frame
                for event in events
                for value in event["exception"]["values"]
                for frame in value.get("stacktrace", {}).get("frames", ())
            ]
            assert any(frame["abs_path"].startswith(OURS) and frame["vars"] for frame in frames)
