"""What is sent to a shop and what came of it, and the question before an approval.

How a request travels is not known here: `Send` is given one as a value and returns what came back.
When a webhook is sent, and whether again, is another module's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import count
from typing import NamedTuple
from urllib.parse import urlencode

from imp_verify.sandbox import journal
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.exact import dumps, loads
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.journal import Journal, cut
from imp_verify.sandbox.settings import Settings

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CONNECT_SECONDS = 10.0
LOST = "the answer was lost, as a fault says"


class Times(NamedTuple):
    """How long a request may take, in seconds.

    Attributes:
        connect: Until there is a connection.
        read: Until each part of the answer is there.
        whole: All of it.
    """

    connect: float
    read: float
    whole: float

    @classmethod
    def in_all(cls, seconds: float | Decimal) -> Times:
        """Return those of a request that is timed as a whole."""
        return cls(float(seconds), float(seconds), float(seconds))

    @classmethod
    def first(cls, read: float | Decimal) -> Times:
        """Return those of a webhook's first send; a shop that drips has no more time either."""
        return cls(CONNECT_SECONDS, float(read), CONNECT_SECONDS + float(read))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A POST to a shop.

    Attributes:
        times: How long it may take.
        headers: Besides the content type.
        follows: Whether redirects are followed.
    """

    url: str
    content_type: str
    body: str
    times: Times
    headers: tuple[tuple[str, str], ...] = ()
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        status: The HTTP status, None where there was no answer.
        answer: The answer's text.
        error: Why there was no answer, None where there was one.
        milliseconds: How long it took.
    """

    status: int | None
    answer: str
    error: str | None = None
    milliseconds: int = 0


Send = Callable[[Outgoing], Reply]
"""Carries one request; a failure is a `Reply` too."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to the shop and what came of it.

    Attributes:
        status: The HTTP status of the answer, None where there was none.
        answer: The answer's text, cut.
        error: Why there was no answer, None where there was one.
        milliseconds: How long it took.
        attempt: Which try it was, from 1.
        imp_uid: Of the payment that it tells of.
        merchant_uid: Of the order.
        headers: That were sent besides the content type.
        number: Its own, from 1: by that it is sent again.
        at: The sandbox's time when it was sent, Unix seconds.
    """

    url: str
    content_type: str
    body: str
    status: int | None
    answer: str
    error: str | None
    milliseconds: int = 0
    attempt: int = 1
    imp_uid: str | None = None
    merchant_uid: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    number: int = 0
    at: int = 0

    @property
    def ok(self) -> bool:
        """Whether the shop took it: 200 and nothing else counts."""
        return self.status == 200

    def wire(self) -> dict[str, object]:
        """Return it for the control endpoint."""
        return {**asdict(self), "headers": [list(pair) for pair in self.headers], "ok": self.ok}


@dataclass(frozen=True, slots=True)
class About:
    """What a request to the shop is about.

    Attributes:
        attempt: Which try it is, from 1.
        fault: That it meets.
    """

    imp_uid: str | None
    merchant_uid: str | None
    attempt: int = 1
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The shop's word before an approval."""

    given: bool
    reason: str | None = None


class Shop:
    """Sends to a shop and writes it down.

    Args:
        send: Carries a request.
        kept: Where all that is sent is written down.
        settings: How it is asked.
        clock: The sandbox's.
    """

    def __init__(
        self, send: Send, kept: Journal, settings: Settings, clock: Callable[[], int]
    ) -> None:
        self.send = send
        self._kept = kept
        self._settings = settings
        self._clock = clock
        self._numbers = count(1)

    def ask(self, url: str, attempt: Attempt) -> Consent:
        """Ask the shop whether to go on; 200 alone is a yes, and that within its time as a whole.

        Source: V1 confirm process page.
        """
        question = {
            "imp_uid": attempt.imp_uid,
            "merchant_uid": attempt.merchant_uid,
            "amount": attempt.amount,
        }
        settings = self._settings
        kind, body = written(question, settings.confirm_format, settings)
        times = Times.in_all(settings.confirm_seconds)
        sent = Outgoing(url, kind, body, times, usual_headers(settings))
        for number in range(1, 3 if settings.confirm_twice else 2):
            about = About(attempt.imp_uid, attempt.merchant_uid, number)
            answer = self.post(journal.CONFIRM, sent, about)
            if not answer.ok:
                return Consent(False, _reason(answer.answer))
        return Consent(True)

    def post(self, kind: str, sent: Outgoing, about: About) -> Delivery:
        """Send one request and write down what came of it, as a kind of entry."""
        number, at, fault = next(self._numbers), self._clock(), about.fault
        reply = self.send(sent)
        if fault and fault.lost:
            reply = Reply(None, "", LOST, reply.milliseconds)
        delivery = Delivery(
            sent.url,
            sent.content_type,
            cut(sent.body),
            reply.status,
            cut(reply.answer),
            reply.error,
            reply.milliseconds,
            about.attempt,
            about.imp_uid,
            about.merchant_uid,
            sent.headers,
            number,
            at,
        )
        own = ("imp_uid", "merchant_uid", "number", "at")  # an entry has its own
        told = {name: value for name, value in delivery.wire().items() if name not in own}
        self._kept.add(
            kind,
            imp_uid=about.imp_uid,
            merchant_uid=about.merchant_uid,
            delivery=number,
            fault=fault.did() if fault else None,
            **told,
        )
        return delivery

    def let_go(self, *, for_good: bool = False) -> None:
        """End what is under way; `for_good`: and send nothing more."""
        end = getattr(self.send, "end", None)
        if end is not None:  # who carries requests to a shop in this process holds none
            end(for_good=for_good)


def usual_headers(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return the headers that the settings ask for."""
    return (("User-Agent", settings.webhook_agent),) if settings.webhook_agent else ()


def written(fields: Mapping[str, object], how: str, settings: Settings) -> tuple[str, str]:
    """Write a body as JSON or as a form, and return its content type with it."""
    charset = ";charset=UTF-8" if settings.webhook_charset else ""
    if how == "form":
        plain = {k: v if isinstance(v, str) else dumps(v) for k, v in fields.items()}
        return FORM + charset, urlencode(plain)
    return JSON + charset, dumps(fields)


def _reason(text: str) -> str | None:
    try:
        content = loads(text)
    except ValueError:
        return None
    reason = content.get("reason") if isinstance(content, dict) else None
    return reason if isinstance(reason, str) else None
