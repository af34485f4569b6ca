"""What a test or a demo can set: behaviour and faults."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal

_CHOICES = {
    "webhook_format": ("json", "form"),
    "webhook_order": ("webhook-first", "browser-first", "both"),
    "redirect": ("auto", "always", "never"),
    "closed_becomes": ("failed", "ready"),
    "language": ("ko", "en"),
}
HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
"""A name or an address, and a port where one is given, as browsers write them."""
ORIGIN = re.compile(r"https?://([a-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
"""Without IPv6 addresses: no policy can name one as the page that a window may be framed by."""
LONGEST_WAIT = 3600
LONGEST_DELAY = 365 * 24 * 3600


@dataclass(slots=True)
class Settings:
    """How the sandbox behaves; every field may be changed while it runs.

    Attributes:
        webhook_url: Where webhooks go that no notice_url sends elsewhere; None means nowhere.
        webhook_format: json or form.
        webhook_order: webhook-first waits for the shop's answer before the browser hears of the
            result; browser-first keeps webhooks back until `Webhooks.deliver` is called; both
            starts a webhook and goes on at once, as the real gateway does.
        redirect: Whether the buyer leaves the page for the window: on mobile devices (auto),
            always or never. Only ever where the page gave an m_redirect_url.
        closed_becomes: What a closed window leaves: failed, or ready as with many PGs.
        language: Of the window, where the page asks for none.
        public_url: The sandbox's own address as browsers see it; None takes the Host header.
        hosts: The names that it answers to besides that of `public_url` and those of loopback, as
            a Host header has them, with the port.
        shops: The origins whose pages may open a payment window; none named are all on loopback
            (by a name or an IPv4 address). The sandbox's pages lead back to the first one.
        frame_seconds: How long the window over a shop's page takes to show; the real one takes
            seconds now and then. 0 to 3600.
        silent_close: A window that the buyer closes goes without a callback, as with some PGs.
        unreachable: The script loads, but the service behind it does not answer the page: no window
            opens, and no callback tells so.
        cancel_seconds: How long a cancel takes where the PG only accepts it at first (see
            `Attempt.cancels_later`), on the sandbox's clock: whole seconds up to a year, and 0
            for none. How long it takes in truth is not documented.
    """

    webhook_url: str | None = None
    webhook_format: str = "json"
    webhook_order: str = "webhook-first"
    redirect: str = "auto"
    closed_becomes: str = "failed"
    language: str = "ko"
    public_url: str | None = None
    hosts: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    frame_seconds: float | Decimal = 0
    silent_close: bool = False
    unreachable: bool = False
    cancel_seconds: int = 3600

    def change(self, fields: Mapping[str, object]) -> None:
        """Set the fields given, all or none.

        Raises:
            ValueError: A name or a value is unknown.
        """
        for name in fields:
            if name not in asdict(self):
                raise ValueError(f"no such setting: {name}")
        read = {name: _read(name, value) for name, value in fields.items()}
        for name, value in read.items():
            setattr(self, name, value)

    def own_hosts(self) -> tuple[str, ...]:
        """Return the Host headers that mean the sandbox, besides loopback's."""
        _, _, public = (self.public_url or "").partition("//")
        return (public, *self.hosts) if public else self.hosts

    def as_dict(self) -> dict[str, object]:
        """Return all fields."""
        return asdict(self)


def _read(name: str, value: object) -> object:
    """Return a setting's value as it is kept, or raise ValueError."""
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"{name} is one of {', '.join(_CHOICES[name])}")
    if name in ("webhook_url", "public_url") and not isinstance(value, str | None):
        raise ValueError(f"{name} is a text or null")
    if name == "public_url" and value is not None:
        _check_origin(name, value)
    if name in ("silent_close", "unreachable") and not isinstance(value, bool):
        raise ValueError(f"{name} is true or false")
    if name == "frame_seconds" and not _is_wait(value):
        raise ValueError(f"{name} is 0 to {LONGEST_WAIT} seconds")
    if name == "cancel_seconds":
        check_delay(name, value)
    return _texts(name, value) if name in ("hosts", "shops") else value


def check_delay(name: str, value: object) -> int:
    """Return it, or raise ValueError where it is no delay on the sandbox's clock."""
    if type(value) is not int or not 0 <= value <= LONGEST_DELAY:
        raise ValueError(f"{name} is 0 to {LONGEST_DELAY} whole seconds")
    return value


def _is_wait(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return 0 <= value <= LONGEST_WAIT


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name} is a list of texts")
    if name == "shops":
        for each in value:
            _check_origin(name, each)
    return tuple(value)


def _check_origin(name: str, value: object) -> None:
    if not ORIGIN.fullmatch(str(value)):
        raise ValueError(f"{name}: http:// or https:// and a host, without a path")


@dataclass(slots=True)
class Fault:
    """An answer that the next calls get instead of the real one, or what becomes of the real one.

    With `lost` or `truncate` the call is carried out, and its answer does not arrive, or not whole:
    a cancel whose answer is lost has happened. `status` and `body` then say nothing.

    Attributes:
        call: The call's name: token, payment, payments, find, find_all, status, prepare, cancel,
            balance or vbank; or window, when a page opens one: the callback gets F500, or F400 for
            a status below 500, and `body` as the message.
        status: The HTTP status.
        body: The body as it is; it need not be JSON.
        times: How many calls.
        lost: The connection ends before the answer.
        truncate: After so many bytes of the answer's body the connection ends.
    """

    call: str
    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    times: int = 1
    lost: bool = False
    truncate: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be sent.

        Raises:
            ValueError: A field is of another type, or no status.
        """
        texts = (self.call, self.body, self.content_type)
        if not all(isinstance(each, str) for each in texts) or not isinstance(self.times, int):
            raise ValueError("call, body and content_type are texts, times is a whole number")
        if not (isinstance(self.status, int) and 200 <= self.status <= 599):
            raise ValueError("status is 200 to 599")
        if not (self.content_type.isascii() and self.content_type.isprintable()):
            raise ValueError("content_type is no header's value")
        self._check_loss()

    def _check_loss(self) -> None:
        if not isinstance(self.lost, bool):
            raise ValueError("lost is true or false")
        if self.truncate is not None and (type(self.truncate) is not int or self.truncate < 0):
            raise ValueError("truncate is a whole number of bytes, 0 or more")
        if self.lost and self.truncate is not None:
            raise ValueError("lost and truncate: an answer is lost or cut, not both")
        if self.carried_out and self.call == "window":
            raise ValueError("lost and truncate are for calls of the API, not for window")

    @property
    def carried_out(self) -> bool:
        """Whether the call itself happens."""
        return self.lost or self.truncate is not None


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault happen, after those of the same call that were added before."""
        with self._lock:
            self._faults.append(fault)

    def take(self, call: str) -> Fault | None:
        """Return the fault that this call meets, and count it as met."""
        with self._lock:
            for fault in self._faults:
                if fault.call == call and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None
