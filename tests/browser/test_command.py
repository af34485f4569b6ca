"""The command `imp-verify demo`, as it is typed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from imp_verify import cli

COMMAND = [sys.executable, "-W", "error", "-m", "imp_verify.cli"]


@contextmanager
def demo(*args: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until the block ends; gives the process and the address it prints."""
    process = subprocess.Popen(
        [*COMMAND, "demo", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_prints_its_address_and_what_to_try_and_ends_without_a_trace(
    tmp_path: Path, number: signal.Signals
) -> None:
    with demo("--port", "0", "--language", "en", folder=tmp_path) as (process, address):
        with requests.Session() as http:
            assert "Things for the home that last" in http.get(address).text
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        assert process.stdout is not None
        out, err = process.stdout.read(), process.communicate(timeout=30)[1]
    assert (process.returncode, err) == (0, "")
    for said in ("sandbox", "http://127.0.0.1:", "Oak chair 64,900 KRW", "Tamper", "1 dollar"):
        assert said in out
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    for orders in (0, 1):
        with demo("--port", "0", "--db", str(path), folder=tmp_path) as (process, address):
            with requests.Session() as http:
                assert http.get(address).text.count("/orders/") == orders
                http.post(address + "orders", data={"product": "mug"})
            process.terminate()
            process.communicate(timeout=30)
    assert path.exists()


def test_a_port_in_use_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["demo", "--port", str(port)]) == 2
    assert str(port) in capsys.readouterr().err


def test_the_demos_own_port_is_given_up_to_whoever_has_it(tmp_path: Path) -> None:
    with ExitStack() as ends:
        with suppress(OSError):  # then somebody has it already
            ends.enter_context(socket.create_server(("127.0.0.1", cli.DEMO_PORT)))
        _, address = ends.enter_context(demo(folder=tmp_path))
        assert requests.get(address, timeout=10).status_code == 200
        assert f":{cli.DEMO_PORT}/" not in address


def test_the_demos_own_port_is_taken_where_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as briefly:
        port = briefly.getsockname()[1]
    monkeypatch.setattr(cli, "DEMO_PORT", port)
    assert cli._free_port() == port


def test_a_database_that_cannot_be_made_is_a_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nowhere" / "shop.db"
    assert cli.main(["demo", "--port", "0", "--db", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_another_address_is_told_to_be_open_to_others_and_serves_shop_and_sandbox(
    tmp_path: Path,
) -> None:
    """127.0.0.2 stands for the address of this machine in a network."""
    with demo("--port", "0", "--host", "127.0.0.2", folder=tmp_path) as (process, address):
        assert address.startswith("http://127.0.0.2:")
        with requests.Session() as http:
            made = http.post(address + "orders", data={"product": "mug"})
            assert made.url.endswith("/pay")
            (sandbox,) = re.findall(r'"sdk":"(http://127\.0\.0\.2:[0-9]+)/v1/', made.text)
            for host in (sandbox, sandbox.replace("127.0.0.2", "127.0.0.1")):
                assert "127.0.0.2" in http.get(f"{host}/v1/iamport.js").text
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        out, err = process.stdout.read(), process.communicate(timeout=30)[1]
    assert process.returncode == 0
    assert sandbox in out
    assert err.startswith("경고: 127.0.0.2에 접속할 수 있는 사람은 누구나")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_every_address_at_once_is_none_that_a_browser_can_go_to(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["demo", f"--host={host}"])
    assert end.value.code == 2
    assert "192.168.0.10" in capsys.readouterr().err


def test_an_address_of_another_machine_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--host", "192.0.2.1"]) == 2
    assert "192.0.2.1" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port_is_a_wrong_use(port: str) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["demo", f"--port={port}"])
    assert end.value.code == 2


@pytest.mark.parametrize("missing", ["flask", "uvicorn"])
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    for name in [n for n in sys.modules if n.startswith(("imp_verify.demo", "imp_verify.sandbox"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert missing in said
    assert said.count("pip install") == 1, "two commands, one of which is not enough"
    assert 'pip install "imp-verify[demo]"' in said


def test_a_command_that_is_not_there_is_a_wrong_use() -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["nothing"])
    assert end.value.code == 2


def test_the_command_loads_no_framework_before_it_is_needed() -> None:
    names = "flask starlette uvicorn requests asyncio sqlite3"
    code = f"import imp_verify.cli, sys; print(*sys.modules.keys() & set({names!r}.split()))"
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=quiet, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
