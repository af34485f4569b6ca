"""A gateway on loopback that answers byte by byte as a test says, or never; a proxy before it."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

BODY = b'{"code":0,"message":null,"response":null}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Line:
    """One connection, as the gateway holds it."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self.sock = sock
        self.stop = stop
        self.asked: list[bytes] = []
        self._rest = b""

    def request(self) -> bytes:
        """Read one whole request; b"" where the client has closed."""
        while b"\r\n\r\n" not in self._rest:
            if not self._receive():
                return b""
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        self.asked.append(head + b"\r\n\r\n" + body)
        return self.asked[-1]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, every: float = 0.03) -> None:
        """Send a byte every so often, until all is sent or the gateway stops."""
        for n in range(len(data)):
            if self.stop.wait(every):
                return
            self.send(data[n : n + 1])

    def hang(self) -> None:
        self.stop.wait(30)

    def reset(self) -> None:
        """End the connection by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(self.sock, ssl.SSLSocket):
            socket.socket(fileno=self.sock.detach()).close()
        else:
            self.sock.close()

    def _receive(self) -> bool:
        data = self.sock.recv(65536)
        self._rest += data
        return bool(data)


Behaviour = Callable[[Line], object]


def answering(*answers: bytes) -> Behaviour:
    """Answer request after request on a connection, then close it."""

    def behave(line: Line) -> None:
        for answer in answers:
            if not line.request():
                return
            line.send(answer)

    return behave


def well(line: Line) -> None:
    while line.request():
        line.send(OK)


class Gateway:
    """Serves each connection by `behave`; with `tls` after the handshake, unless `bare`."""

    def __init__(self, behave: Behaviour = well, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.tls = tls
        self.bare = False
        self.lines: list[Line] = []
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = ("https://" if tls else "http://") + self.address
        self.far = self.url.replace("127.0.0.1", "gateway.test")
        """The address of a machine elsewhere: only a proxy knows where."""

    @property
    def asked(self) -> list[bytes]:
        return [request for line in self.lines for request in line.asked]

    def __enter__(self) -> Gateway:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def hang_up(self) -> None:
        for line in self.lines:
            with suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        line = Line(sock, self._stop)
        self.lines.append(line)
        with suppress(OSError):
            if self.tls and not self.bare:
                line.sock = self.tls.wrap_socket(sock, server_side=True)
            self.behave(line)
        with suppress(OSError):
            line.sock.shutdown(socket.SHUT_RDWR)  # who sees it closed here, sees it there as well
        line.sock.close()


def tunnelling(target: Gateway, answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> Behaviour:
    """Be a proxy that makes tunnels to one gateway, if its answer is 200."""

    def behave(line: Line) -> None:
        line.request()
        line.send(answer)
        if b" 200 " in answer:
            host, _, port = target.address.partition(":")
            with socket.create_connection((host, int(port))) as onward:
                back = threading.Thread(target=_pour, args=(onward, line.sock))
                back.start()
                _pour(line.sock, onward)
                back.join()

    return behave


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
