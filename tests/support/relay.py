"""What stands between a shop and the gateway, and loses answers."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from types import TracebackType

_LONGEST = 30.0


class Relay:
    """Hands calls on to a server on loopback, one connection for each, while its `with` block runs.

    Attributes:
        url: Where it listens.
        cut: For calls of this path: after how many bytes of the answer the connection ends; the
            call itself has been carried out. None of it arrives where it is 0.
        whole: How many bytes the last answer of that path had.
        calls: How many calls of it were handed on.
    """

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path.encode()
        self.cut: int | None = None
        self.whole = 0
        self.calls = 0
        self._ends = ExitStack()

    def __enter__(self) -> Relay:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=self._listen, args=(listener,), daemon=True)
        thread.start()
        self._ends.callback(thread.join, _LONGEST)
        self._ends.callback(listener.close)
        self._ends.callback(lambda: listener.shutdown(socket.SHUT_RDWR))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.close()

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(_LONGEST)
            request = self._read(client)
            if not request:
                return
            # So that the end of the answer is the end of its connection.
            own = f"\r\nConnection: close\r\nHost: 127.0.0.1:{self._port}\r\n".encode()
            asked = request.replace(b"\r\n", own, 1)
            with socket.create_connection(("127.0.0.1", self._port), _LONGEST) as server:
                server.sendall(asked)
                answer = b"".join(iter(lambda: server.recv(1 << 16), b""))
            cut = None
            if self._path in request.partition(b"\r\n")[0]:
                self.calls += 1
                self.whole, cut = len(answer), self.cut
            client.sendall(answer if cut is None else answer[:cut])

    @staticmethod
    def _read(client: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            part = client.recv(1 << 16)
            if not part:
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        kept = []
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            if name.lower() not in (b"connection", b"host"):
                kept.append(line)
        while len(body) < length:
            body += client.recv(1 << 16)
        return b"\r\n".join(kept) + b"\r\n\r\n" + body
