"""Real servers in processes of their own, and a client that writes what it likes to them."""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from .markers import found_in

WAIT = 30.0


@dataclass(frozen=True)
class Wire:
    """An answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def word(self) -> str:
        return str(json.loads(self.body)["status"])


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    pid: int = 0
    said: list[bytes] = field(default_factory=list)
    """The lines of its output and standard error up to now."""
    path: str = ""
    """Its Unix socket, in place of a port."""

    def connect(self) -> socket.socket:
        if not self.path:
            return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)
        with ExitStack() as refused:
            sock = refused.enter_context(closing(socket.socket(socket.AF_UNIX)))
            sock.settimeout(WAIT)
            sock.connect(self.path)
            refused.pop_all()
            return sock

    def listens(self) -> bool:
        with suppress(ConnectionRefusedError, FileNotFoundError), closing(self.connect()):
            return True
        return False

    def raw(self, *pieces: bytes, half_close: bool = False) -> Wire:
        """Send these pieces and read one answer; b"" where the server hangs up without one."""
        with closing(self.connect()) as sock:
            for piece in pieces:
                sock.sendall(piece)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return read(sock)

    def ask(
        self,
        method: str,
        target: str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Wire:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Host": "shop.test", "Connection": "close", **(headers or {})}
        if sent:
            fields.setdefault("Content-Length", str(len(sent)))
            fields.setdefault("Content-Type", "application/json")
        return self.raw(head(method, target, fields), sent)


def head(method: str, target: str, fields: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def read(sock: socket.socket) -> Wire:
    """Read one answer: to its length, or to the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return Wire(0, {}, data)
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    wanted = headers.get("content-length")
    while wanted is not None and len(body) < int(wanted):
        piece = sock.recv(65536)
        if not piece:
            break
        body += piece
    return Wire(status, headers, body)


SCRIPTS = Path(sys.executable).parent
GUNICORN = (
    "gunicorn -k gthread --bind 127.0.0.1:0 --worker-tmp-dir /tmp --graceful-timeout 1"
    " --log-level info"
)
UVICORN = "uvicorn --port 0 --timeout-graceful-shutdown 1 --no-access-log --factory"
WSGI_SERVERS = {
    "gunicorn": "gunicorn --bind 127.0.0.1:{port}",
    "gthread": "gunicorn -k gthread --bind 127.0.0.1:{port}",
    "gevent": "gunicorn -k gevent --bind 127.0.0.1:{port}",
    "waitress": "waitress-serve --listen=127.0.0.1:{port}",
    # SIGTERM would start it anew.
    "uwsgi": "uwsgi --die-on-term --http-socket 127.0.0.1:{port} --module",
    "granian-wsgi": "granian --interface wsgi --port {port}",
}
ASGI_SERVERS = {
    "uvicorn": "uvicorn --port {port}",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port}",
    "daphne": "daphne --port {port}",
    "granian-asgi": "granian --interface asgi --port {port}",
    "gunicorn-asgi": "gunicorn -k asgi --bind 127.0.0.1:{port}",
}
"""Servers by their own commands, as their documents begin: nothing is said but the address."""


def cells(servers: Mapping[str, str], *names: str, whole: bool = True) -> list[Any]:
    """Give each name with each server, to run where the server is installed.

    Args:
        whole: Whether it is to be each; else only some: each with the first server, and each server
            with one.
    """
    return [
        pytest.param(server, name, id=f"{server}-{name}", marks=_installed(server, command))
        for row, (server, command) in enumerate(servers.items())
        for column, name in enumerate(names)
        if whole or row == 0 or (row + column) % len(names) == 0
    ]


def _installed(server: str, command: str) -> pytest.MarkDecorator:
    script = command.split()[0]
    there = (SCRIPTS / script).exists() and (server != "gevent" or find_spec("gevent") is not None)
    needed = server if server == "gevent" else script
    return pytest.mark.skipif(not there, reason=f"{needed} is not installed (group `test`)")


_LISTENING = re.compile(rb"(?:at:|on) http://127\.0\.0\.1:(\d+)")


@contextmanager
def started(
    command: str, variables: Mapping[str, str], folder: Path, *, port: int = 0, path: str = ""
) -> Iterator[Server]:
    """Run a server by its own command until the end of the block, from when it answers.

    Args:
        command: As it is typed, for a script that is installed beside Python. {port} in it stands
            for a free one; where there is none, the server chooses and says which.
        port: What {port} stands for, where that is known before.
        path: Its Unix socket, {path} in the command, in place of a port.
    """
    port = port or (free_port() if "{port}" in command else 0)
    script, *rest = (word.format(port=port, path=path) for word in command.split())
    process = subprocess.Popen(
        [str(SCRIPTS / script), *rest],
        env=dict(variables),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said: list[bytes] = []
    lines: Lines = SimpleQueue()
    listening = threading.Thread(target=_drain, args=(process, said, lines))
    listening.start()
    try:
        server = Server(port or (0 if path else _port(said, lines)), process.pid, said, path)
        assert until(lambda: server.listens() or process.poll() is not None), said
        assert process.poll() is None, b"".join(said).decode()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listening.join()
        assert process.stdout is not None
        process.stdout.close()
        assert found_in(b"".join(said).decode()) == []


def until(met: Callable[[], bool]) -> bool:
    """Look again and again whether something has come about, for a while."""
    end, pause = time.monotonic() + WAIT, threading.Event()
    while not met():
        if time.monotonic() > end:
            return False
        pause.wait(0.02)
    return True


Lines = SimpleQueue[bytes]


def _drain(process: subprocess.Popen[bytes], said: list[bytes], lines: Lines) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        lines.put(line)
    lines.put(b"")


def _port(said: list[bytes], lines: Lines) -> int:
    """Read what the server says until it names its port."""
    end = time.monotonic() + WAIT
    with suppress(Empty):
        while line := lines.get(timeout=max(0.0, end - time.monotonic())):
            if found := _LISTENING.search(line):
                return int(found[1])
    raise AssertionError(f"no server: {b''.join(said).decode()}")


def free_port() -> int:
    """Choose a port for a server that cannot say which one it was given: below those that the
    system gives to others meanwhile."""
    for port in random.sample(range(20000, 32000), 100):
        with closing(socket.socket()) as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
