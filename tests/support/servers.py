"""Real servers in processes of their own, and a client that writes what it likes to them."""

from __future__ import annotations

import json
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .gateway import ScriptedGateway
from .markers import found_in
from .processes import ROOT, environment

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

    name: str
    port: int
    pid: int = 0
    said: list[bytes] = field(default_factory=list)
    """The lines of its standard error up to now."""

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)

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


COMMANDS = {
    "gunicorn": [
        *("gunicorn", "-k", "gthread", "--threads", "8", "--workers", "1"),
        *("--bind", "127.0.0.1:0", "--worker-tmp-dir", "/tmp", "--graceful-timeout", "1"),
        *("--log-level", "info", "tests.support.served:flask_app()"),
    ],
    "uvicorn": [
        *("uvicorn", "--port", "0", "--timeout-graceful-shutdown", "1", "--no-access-log"),
        *("--factory", "tests.support.served:starlette_app"),
    ],
}
_LISTENING = re.compile(rb"(?:at:|on) http://127\.0\.0\.1:(\d+)")


@contextmanager
def serve(name: str, gateway: ScriptedGateway, database: Path) -> Iterator[Server]:
    """Run a server until the end of the block."""
    with started(name, COMMANDS[name], environment(gateway, database), ROOT) as server:
        assert server.ask("OPTIONS", "/pay/webhook").status == 204
        yield server


@contextmanager
def started(
    name: str, command: Sequence[str], variables: Mapping[str, str], folder: Path
) -> Iterator[Server]:
    """Run `python -m command` until the end of the block; it chooses its port and says which."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=dict(variables),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    said: list[bytes] = []
    listening = threading.Thread(target=_drain, args=(process, said))
    try:
        port = _port(process, said)
        listening.start()
        yield Server(name, port, process.pid, said)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if listening.ident is not None:
            listening.join()
        assert process.stderr is not None
        process.stderr.close()
        assert found_in(b"".join(said).decode()) == []


def _port(process: subprocess.Popen[bytes], said: list[bytes]) -> int:
    """Read what the server says until it names its port."""
    assert process.stderr is not None
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        ready, _, _ = select.select([process.stderr], [], [], 0.5)
        line = process.stderr.readline() if ready else b""
        said.append(line)
        if found := _LISTENING.search(line):
            return int(found[1])
        if ready and not line:
            break
    raise AssertionError(f"no server: {b''.join(said).decode()}")


def _drain(process: Any, said: list[bytes]) -> None:
    for line in process.stderr:
        said.append(line)
