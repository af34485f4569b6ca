"""How a fake gateway reaches the shop under test: an address, an application, or a function."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import wait
from typing import Any, TypeAlias, cast
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from ..sandbox.deliveries import Outgoing, Reply, Send

__all__ = ["Receiver", "sender"]

Receiver: TypeAlias = "str | Callable[..., Any]"
"""An address; a WSGI or an ASGI application; or a function of one `Outgoing` that returns a status,
a status and a text, a `Reply`, or None for 200."""

_log = logging.getLogger("imp_verify")
_BROKEN = "The application raised {}; its traceback is in the log."


def sender(receiver: Callable[..., Any]) -> Send:
    """Return what carries a request to an application or a function.

    A WSGI application and a function are called in the thread that sends. So is an ASGI one where
    that thread has no event loop. Where it has, the application runs in a thread of its own, with a
    loop of its own; and a thread beside the loop in which this was called hands it to that loop.

    Raises:
        ValueError: It takes neither one, two nor three arguments.
    """
    number = _arguments(receiver)
    if number == 1:
        return lambda sent: _reply(receiver(sent))
    call = _Asgi(receiver) if number == 3 else lambda sent: _through_wsgi(receiver, sent)

    def send(sent: Outgoing) -> Reply:
        start = time.perf_counter()
        try:
            status, text = call(sent)
        except _NoAnswer as error:
            return Reply(None, "", str(error), round(1000 * (time.perf_counter() - start)))
        except Exception as error:  # as any server does that serves an application
            _log.exception("the shop under test raised at %s", sent.url)
            status, text = 500, _BROKEN.format(type(error).__name__)
        return Reply(status, text, None, round(1000 * (time.perf_counter() - start)))

    return send


class _NoAnswer(Exception):
    """The application did not answer in time."""


def _arguments(receiver: Callable[..., Any]) -> int:
    """Count what it must be given: 2 is WSGI, 3 is ASGI."""
    some = "receiver is an address, a WSGI or ASGI application, or a function of one argument"
    if not callable(receiver):
        raise ValueError(f"{some}; not {type(receiver).__name__}")
    try:
        given = inspect.signature(receiver).parameters.values()
    except (TypeError, ValueError):
        raise ValueError(f"{some}; of this one it is not known what it takes") from None
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    number = sum(each.kind in plain and each.default is each.empty for each in given)
    if number not in (1, 2, 3):
        raise ValueError(f"{some}; not one of {number}")
    if number == 1 and inspect.iscoroutinefunction(receiver):
        raise ValueError(f"{some}; not a coroutine function")
    return number


def _reply(answer: object) -> Reply:
    if isinstance(answer, Reply):
        return answer
    pair = isinstance(answer, tuple) and len(answer) == 2
    status, text = cast("tuple[object, object]", answer) if pair else (answer, "")
    status = 200 if status is None else status
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise ValueError(
            "a receiver's function returns a status, a status and a text, a Reply or None; not "
            f"{status if isinstance(status, int) else type(status).__name__}"
        )
    return Reply(status, str(text))


# WSGI


def _through_wsgi(app: Callable[..., Any], sent: Outgoing) -> tuple[int, str]:
    told: list[int] = []

    def start_response(status: str, headers: object, error: object = None) -> Callable[..., Any]:
        told[:] = [int(status.partition(" ")[0])]
        return written.append

    written: list[bytes] = []
    parts: Iterable[bytes] = app(_environ(sent), start_response)
    try:
        body = b"".join(parts)  # which may be what calls start_response
    finally:
        getattr(parts, "close", lambda: None)()
    return told[0], (b"".join(written) + body).decode(errors="replace")


def _environ(sent: Outgoing) -> dict[str, Any]:
    parts, body = urlsplit(sent.url), sent.body.encode()
    headers = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in sent.headers}
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "testserver",
        "SERVER_PORT": str(_port(parts)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        **headers,
        "CONTENT_TYPE": sent.content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


# ASGI


class _Asgi:
    """An ASGI application, called from threads. Its lifespan is not run."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self._home = _running_loop()

    def __call__(self, sent: Outgoing) -> tuple[int, str]:
        here = _running_loop()
        if here is None and self._home is not None and self._home.is_running():
            return self._at_home(self._home, sent)
        if here is None:
            return asyncio.run(self._called(sent))
        return self._beside(sent)

    def _at_home(self, home: asyncio.AbstractEventLoop, sent: Outgoing) -> tuple[int, str]:
        """Call it in its own loop, and wait no longer than for a server: that may wait for us."""
        future, seconds = (
            asyncio.run_coroutine_threadsafe(self._called(sent), home),
            sent.times.read,
        )
        _ = wait([future], seconds)
        if not future.done():
            _ = future.cancel()
            raise _NoAnswer(f"no answer within {seconds:g} s")
        return future.result()

    def _beside(self, sent: Outgoing) -> tuple[int, str]:
        """Call it in a thread: this one's loop waits for the answer, and can run nothing."""
        got: list[tuple[int, str] | BaseException] = []

        def run() -> None:
            try:
                got.append(asyncio.run(self._called(sent)))
            except BaseException as error:
                got.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(sent.times.read)
        if not got:  # it may wait for something of the loop that waits here
            raise _NoAnswer(f"no answer within {sent.times.read:g} s")
        if isinstance(got[0], BaseException):
            raise got[0]
        return got[0]

    async def _called(self, sent: Outgoing) -> tuple[int, str]:
        body, status, got = [sent.body.encode()], 0, bytearray()
        answered = asyncio.Event()

        async def receive() -> Mapping[str, Any]:
            if body:
                return {"type": "http.request", "body": body.pop(), "more_body": False}
            # Quart and Django listen for it meanwhile, and give up a request that was left.
            _ = await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, got
            status = message.get("status", status)
            got += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        await self._app(_scope(sent), receive, send)
        return status, got.decode(errors="replace")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _scope(sent: Outgoing) -> dict[str, Any]:
    parts = urlsplit(sent.url)
    headers = {
        "host": parts.netloc,
        "content-type": sent.content_type,
        "content-length": str(len(sent.body.encode())),
        **{name.lower(): value for name, value in sent.headers},
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": parts.scheme,
        "path": unquote_to_bytes(parts.path).decode(errors="replace"),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("127.0.0.1", 40000),
        "server": (parts.hostname or "testserver", _port(parts)),
    }
