"""Field case Y05: no test talks to another machine, and none needs what another one left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.outward.sitecustomize import leaves

ROOT = Path(__file__).parents[1]
TEST = """
import socket, subprocess, sys, threading
from contextlib import suppress

def go(to):
    with suppress(OSError):
        socket.create_connection(to, timeout=5).close()

def test_a_connection():
    go(("192.0.2.1", 443))

def test_a_name():
    go(("api.iamport.kr", 443))

def test_a_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.sendto(b"x", ("192.0.2.1", 53))

def test_what_is_caught():
    with suppress(BaseException):
        go(("192.0.2.1", 443))

def test_a_thread():
    def quiet():
        with suppress(BaseException):
            go(("192.0.2.1", 443))
    thread = threading.Thread(target=quiet)
    thread.start()
    thread.join()

def test_a_process():
    code = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=5)"
    subprocess.run([sys.executable, "-c", code], capture_output=True)

def test_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        go(server.getsockname())
        go(("localhost", server.getsockname()[1]))
    with suppress(FileNotFoundError), socket.socket(socket.AF_UNIX) as ours:
        ours.connect("/nowhere")
"""


def run(folder: Path, *arguments: str, **variables: str) -> str:
    """Run these tests as ours are run; give what pytest prints."""
    _ = (folder / "test_outward.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    files = ["--confcutdir", str(ROOT), "-p", "tests.conftest", *arguments]
    # pytest prints more where its variables ask for it, and where it finds itself in a CI.
    ours = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST")}
    done = subprocess.run(
        [*command, *files, str(folder)],
        cwd=ROOT,
        env={**ours, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_y05_who_tries_to_leave_this_machine_fails_whoever_caught_it(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert "6 failed, 1 passed" in said, said
    assert said.count("tried to leave this machine:") == 6


def test_y05_tests_run_in_an_order_that_its_seed_repeats(tmp_path: Path) -> None:
    said = [run(tmp_path, "-q", "--co", IMP_VERIFY_SEED=seed) for seed in ("1", "1", "2")]
    orders = [[line for line in each.splitlines() if "::" in line] for each in said]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    assert len(orders[0]) == 7


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "2001:db8::1", "api.iamport.kr", "fe80::1%lo"]
)
def test_y05_another_machine_is_known_by_its_address(host: object) -> None:
    assert leaves(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "localhost", "", None]
)
def test_y05_this_machine_is_known_too(host: object) -> None:
    assert not leaves(host)


def test_y05_a_name_that_nobody_can_have_is_answered_here() -> None:
    for name in ("no-such-host.invalid", "a..b", "a b"):
        with pytest.raises((socket.gaierror, UnicodeError)):
            _ = socket.getaddrinfo(name.encode() if ".." in name else name, 443)


def test_y05_a_connection_elsewhere_is_stopped_before_it_is_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted = tmp_path / "noted.txt"
    monkeypatch.setenv("IMP_VERIFY_OUTWARD", str(noted))
    elsewhere = ("192.0.2.1", 443)
    with (
        closing(socket.socket()) as ours,
        pytest.raises(BaseException, match=r"192\.0\.2\.1") as caught,
    ):
        ours.connect(elsewhere)
    assert type(caught.value).__name__ == "Outward"  # a test process has it from its start
    assert noted.read_text() == "socket.connect '192.0.2.1'\n"
