"""How a request travels to a shop: over HTTP, within its time as a whole, until it is let go."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from imp_verify.sandbox.deliveries import Outgoing, Reply
from imp_verify.sandbox.journal import LONGEST

if TYPE_CHECKING:
    from http.client import HTTPResponse

MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_POST_AGAIN = (307, 308)
_LEFT_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"


class Http:
    """Carries requests, each on a connection of its own, from any thread.

    What is under way ends at once with `end`: whoever waits for it gets a failure.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopped = False

    def __call__(self, sent: Outgoing) -> Reply:
        """Send one request; a failure is a result too."""
        from http.client import HTTPException  # here: who sends nothing needs no client

        start = time.monotonic()
        try:
            status, text = self._send(sent, start + sent.times.whole)
        except (OSError, HTTPException, ValueError) as error:
            why = "the sandbox was stopped" if self._stopped else f"{type(error).__name__}: {error}"
            return Reply(None, "", why, _since(start))
        return Reply(status, text, None, _since(start))

    def end(self, *, for_good: bool = False) -> None:
        """End what is under way; `for_good`: and send nothing more."""
        with self._lock:
            self._stopped = self._stopped or for_good
            for sock in self._open:
                _hang_up(sock)

    def _send(self, sent: Outgoing, deadline: float) -> tuple[int, str]:
        method, url, body = "POST", sent.url, sent.body.encode()
        left = MOST_REDIRECTS if sent.follows else 0
        while True:
            status, text, elsewhere = self._exchange(method, url, body, sent, deadline)
            if not left or status not in _REDIRECTS or not elsewhere:
                return status, text
            left, url = left - 1, urljoin(url, elsewhere)
            if status not in _POST_AGAIN:
                method, body = "GET", b""

    def _exchange(
        self, method: str, url: str, body: bytes, sent: Outgoing, deadline: float
    ) -> tuple[int, str, str | None]:
        from http.client import HTTPConnection

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the address is not http:// or https:// and a host")
        target = quote(parts.path or "/", _LEFT_AS_IT_IS)
        target += "?" + quote(parts.query, _LEFT_AS_IT_IS) if parts.query else ""
        host = parts.netloc.rpartition("@")[2]
        headers = {"Host": host, **dict(sent.headers)}
        if method == "POST":
            headers = {"Content-Type": sent.content_type, **headers}
        with self._connected(parts, sent, deadline) as sock:
            connection = HTTPConnection(host)
            connection.sock = sock
            connection.request(method, target, body if method == "POST" else None, headers)
            answer = connection.getresponse()
            with answer:
                text = _read(answer)
            return answer.status, text, answer.headers.get("Location")

    @contextmanager
    def _connected(
        self, parts: SplitResult, sent: Outgoing, deadline: float
    ) -> Iterator[socket.socket]:
        """Connect; the connection is hung up when its time is over, whatever was read by then.

        A time-out of its own would begin anew with every byte of a shop that drips.
        """
        sock = self._connect(parts, min(sent.times.connect, deadline - time.monotonic()))
        seconds = max(0.001, min(sent.times.read, deadline - time.monotonic()))
        late = threading.Event()

        def hang_up() -> None:
            late.set()
            _hang_up(sock)

        timer = threading.Timer(seconds, hang_up)
        timer.daemon = True
        timer.start()
        try:
            if parts.scheme == "https":
                sock = self._secured(sock, str(parts.hostname), seconds)
            sock.settimeout(2 * seconds)  # no more than a rest: what hangs up does it before
            yield sock
        except Exception:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
            self._release(sock)
        if late.is_set():  # http.client takes a head that is cut for a whole one
            raise TimeoutError(f"no whole answer within {min(sent.times[1:]):g} s")

    def _connect(self, parts: SplitResult, seconds: float) -> socket.socket:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        until = time.monotonic() + seconds
        failure = OSError("the name has no address")
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        for family, kind, proto, _, address in found:
            sock = socket.socket(family, kind, proto)
            try:
                self._hold(sock)
                sock.settimeout(max(0.001, until - time.monotonic()))
                sock.connect(address)
                return sock
            except OSError as error:
                self._release(sock)
                failure = error
        raise failure

    def _secured(self, sock: socket.socket, host: str, seconds: float) -> socket.socket:
        from ssl import create_default_context

        sock.settimeout(seconds)
        self._forget(sock)
        secured = create_default_context().wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False
        )
        try:
            self._hold(secured)
            secured.do_handshake()
        except OSError:
            self._release(secured)
            raise
        return secured

    def _hold(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)
            if self._stopped:
                raise OSError("the sandbox was stopped")

    def _forget(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.discard(sock)

    def _release(self, sock: socket.socket) -> None:
        self._forget(sock)
        sock.close()


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # a TLS socket's own would also unwrap it


def _read(answer: HTTPResponse) -> str:
    """Read as much of an answer as is kept."""
    body = answer.read(LONGEST + 1)
    if len(body) <= LONGEST and answer.length:
        raise ConnectionError("the answer was cut")
    charset = answer.headers.get_content_charset() or "utf-8"
    try:
        return body.decode(charset, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _since(start: float) -> int:
    return round(1000 * (time.monotonic() - start))
