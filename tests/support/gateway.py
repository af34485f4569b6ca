"""A scripted HTTP server on loopback, and the gateway that it mostly is: what it answers, when and
whether at all is set by the test, what the sandbox never answers included: two accounts that have a
payment of one number, fields of any type, a token that is none."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from .markers import BUYER, KEY, SECRET, TOKEN

ORDER = "ORD-1001"
I1, I2, I3 = "imp_100000000001", "imp_100000000002", "imp_100000000003"
PRICE = 39000
LONGEST = 20.0
"""Seconds after which a gateway that was told to wait gives up, so that no test hangs."""


@dataclass(frozen=True)
class Asked:
    """One request as it came: the path with its query exactly as it was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_token(self) -> bool:
        return self.path.endswith("/users/getToken")


class Connection(BaseHTTPRequestHandler):
    """One connection, from the gateway's side."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        asked = Asked(self.command, self.path, dict(self.headers.items()), body)
        with suppress(OSError):
            self.server.script.answer(asked, self)

    do_POST = do_PUT = do_DELETE = do_CONNECT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def drip(self, data: bytes, every: float) -> None:
        """Send a byte every so often, until all is sent, nobody listens, or the test is over."""
        over = self.server.script.over
        for n in range(len(data)):
            if over.wait(every):
                break
            self.wfile.write(data[n : n + 1])
        self.close_connection = True

    def reset(self) -> None:
        """End the connection by RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


@dataclass(frozen=True)
class Reply:
    """One answer: a status and a body, bytes as they stand or an object as JSON; or a behaviour."""

    status: int = 200
    body: object = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    act: Callable[[Connection], None] | None = None

    def send(self, to: Connection) -> None:
        if self.act is not None:
            self.act(to)
            return
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        names = {name.lower() for name, _ in self.headers}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{k}: {v}" for k, v in self.headers)]
        if "content-length" not in names and self.status != 204:
            lines.append(f"Content-Length: {len(body)}")
        to.write("\r\n".join([*lines, "", ""]).encode() + body)


RESET = Reply(act=lambda line: line.reset())


def act(behaviour: Callable[[Connection], None]) -> Reply:
    return Reply(act=behaviour)


def reset_in_body(line: Connection) -> None:
    line.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"code":0,"resp')
    line.reset()


def silence(line: Connection) -> None:
    """Say nothing until the test is over."""
    line.server.script.over.wait(LONGEST)
    line.close_connection = True


def envelope(response: object, code: int = 0, message: str | None = None) -> dict[str, object]:
    return {"code": code, "message": message, "response": response}


NOT_FOUND = Reply(404, envelope(None, 1, "존재하지 않는 결제정보입니다."))
UNAUTHORIZED = Reply(401, envelope(None, -1, "Unauthorized"))


def payment(**changes: object) -> dict[str, object]:
    """P{...}: a paid card payment of the order, but for the changes; one set to ... is left out."""
    fields: dict[str, object] = {
        "imp_uid": I1,
        "merchant_uid": ORDER,
        "pay_method": "card",
        "pg_provider": "html5_inicis",
        "amount": PRICE,
        "cancel_amount": 0,
        "currency": "KRW",
        "status": "paid",
        "paid_at": 1735700000,
        "fail_reason": None,
        "vbank_num": None,
        "vbank_name": None,
        "vbank_holder": None,
        "vbank_date": 0,
        "custom_data": None,
        "sandbox": False,
        "cancel_history": [],
        **BUYER,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


VBANK: dict[str, object] = {
    "status": "ready",
    "pay_method": "vbank",
    "vbank_num": "1234567890",
    "vbank_date": 1735800000,
    "paid_at": 0,
}


class Script(Protocol):
    """What a server says, to whom and when."""

    over: threading.Event
    """Set when the test is: whoever waits then stops waiting."""

    def answer(self, asked: Asked, to: Connection) -> object: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    script: Script

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what many tests are about."""


@dataclass
class ScriptedGateway:
    """The gateway of one test; `reset` makes it the next test's."""

    address: str = ""
    payments: dict[str, object] = field(default_factory=dict)
    """By imp_uid: the envelope's response, or a whole Reply."""
    others: dict[str, dict[str, object]] = field(default_factory=dict)
    """By their keys: the payments of further accounts, each with a token of its own."""
    lookups: deque[Reply] = field(default_factory=deque)
    """What the next look-ups are answered, whatever they ask for."""
    tokens: deque[Reply] = field(default_factory=deque)
    """What the next getToken calls are answered."""
    always: Reply | None = None
    """What every look-up is answered that nothing else was set for."""
    asked: list[Asked] = field(default_factory=list)
    before: Callable[[Asked], None] | None = None
    """Called in the connection's thread before each answer: a barrier, an event."""
    life: int = 1800
    now: int = 1735700000
    over: threading.Event = field(default_factory=threading.Event)
    issued: int = 0
    revoked: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        self.over.set()
        self.over = threading.Event()
        self.payments, self.others, self.asked = {}, {}, []
        self.lookups, self.tokens = deque(), deque()
        self.always = self.before = None
        self.life, self.now = 1800, 1735700000
        self.issued, self.revoked = 0, True

    def has(self, **changes: object) -> dict[str, object]:
        """Know P{...} from now on."""
        made = payment(**changes)
        self.payments[str(made.get("imp_uid", I1))] = made
        return made

    @property
    def token_calls(self) -> int:
        return sum(asked.is_token for asked in list(self.asked))

    @property
    def looked(self) -> list[str]:
        """The raw paths of all look-ups, in order."""
        return [asked.path for asked in list(self.asked) if not asked.is_token]

    def revoke(self) -> None:
        """Call the token that is out invalid."""
        self.revoked = True

    def answer(self, asked: Asked, to: Connection) -> None:
        with self._lock:
            self.asked.append(asked)
            script = self.tokens if asked.is_token else self.lookups
            reply = script.popleft() if script else None
        if self.before is not None:
            self.before(asked)
        if reply is None:
            reply = self._token(asked) if asked.is_token else self._lookup(asked)
        reply.send(to)

    def _token(self, asked: Asked) -> Reply:
        given = json.loads(asked.body)
        key = given.get("imp_key")
        if key not in (KEY, *self.others) or given != {"imp_key": key, "imp_secret": SECRET}:
            return UNAUTHORIZED
        text = f"{TOKEN}-{key}"
        if key == KEY:
            with self._lock:
                if self.revoked:
                    self.issued += 1
                    self.revoked = False
            text = self.token
        token = {"access_token": text, "now": self.now, "expired_at": self.now + self.life}
        return Reply(200, envelope(token))

    @property
    def token(self) -> str:
        return f"{TOKEN}-{self.issued}"

    def _lookup(self, asked: Asked) -> Reply:
        payments = self._payments(asked.headers.get("Authorization", ""))
        if payments is None:
            return UNAUTHORIZED
        words = [unquote(word) for word in urlsplit(asked.path).path.split("/")]
        if "find" in words:
            known: object = self._find(payments, *words[words.index("find") + 1 :])
        else:
            known = payments.get(words[-1])
        if known is None:
            return self.always or NOT_FOUND
        return known if isinstance(known, Reply) else Reply(200, envelope(known))

    def _payments(self, authorization: str) -> dict[str, object] | None:
        """The payments of the account whose token this is; None where it is nobody's."""
        if authorization == f"Bearer {self.token}" and not self.revoked:
            return self.payments
        return self.others.get(authorization.removeprefix(f"Bearer {TOKEN}-"))

    @staticmethod
    def _find(payments: dict[str, object], merchant_uid: str, status: str) -> object:
        for known in reversed(list(payments.values())):
            if not isinstance(known, dict):
                continue
            if (known.get("merchant_uid"), known.get("status")) == (merchant_uid, status):
                return known
        return None


S = TypeVar("S", bound=Script)


def start() -> tuple[ScriptedGateway, Callable[[], None]]:
    """Start a gateway on a port of its own; call what comes second to stop it."""
    return start_as(ScriptedGateway)


def start_as(kind: Callable[[str], S]) -> tuple[S, Callable[[], None]]:
    """The same for a script of any kind, made with its address."""
    server = _Server(("127.0.0.1", 0), Connection)
    server.script = script = kind(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def stop() -> None:
        script.over.set()
        server.shutdown()
        server.server_close()
        thread.join()

    return script, stop
