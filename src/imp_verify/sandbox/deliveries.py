"""What is sent to a shop, when, and what came of it: webhooks, and the question before an approval.

How a request travels is not known here: `Send` is given one as a value and returns what came back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlencode

from imp_verify.sandbox import journal
from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.exact import dumps, loads
from imp_verify.sandbox.journal import Journal, cut
from imp_verify.sandbox.settings import Settings

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
WEBHOOK_TIMEOUT = (10.0, 30.0)
CONFIRM_TIMEOUT = (10.0, 10.0)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A POST to a shop; the timeout is for connecting and for the answer, in seconds."""

    url: str
    content_type: str
    body: str
    timeout: tuple[float, float]
    headers: tuple[tuple[str, str], ...] = ()


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
        number: Of its entry in the journal.
        merchant_uid: Of the order that it tells of.
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
    number: int = 0
    merchant_uid: str = ""

    @property
    def ok(self) -> bool:
        """Whether the shop took it: 200 and nothing else counts."""
        return self.status == 200

    def wire(self) -> dict[str, object]:
        """Return it for the control endpoint."""
        return {**asdict(self), "ok": self.ok}


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
    """

    def __init__(self, send: Send, kept: Journal) -> None:
        self._send = send
        self._kept = kept

    def ask(self, url: str, attempt: Attempt) -> Consent:
        """Ask the shop whether to go on; 200 alone is a yes.

        Source: V1 confirm process page.
        """
        question = {
            "imp_uid": attempt.imp_uid,
            "merchant_uid": attempt.merchant_uid,
            "amount": attempt.amount,
        }
        sent = Outgoing(url, JSON, dumps(question), CONFIRM_TIMEOUT)
        answer = self.post(journal.CONFIRM, sent, attempt.imp_uid, attempt.merchant_uid)
        return Consent(True) if answer.ok else Consent(False, _reason(answer.answer))

    def post(
        self, kind: str, sent: Outgoing, imp_uid: str, merchant_uid: str, attempt: int = 1
    ) -> Delivery:
        """Send one request and write down what came of it, as a kind of entry."""
        reply = self._send(sent)
        delivery = Delivery(
            sent.url,
            sent.content_type,
            cut(sent.body),
            reply.status,
            cut(reply.answer),
            reply.error,
            reply.milliseconds,
            attempt,
            imp_uid,
            merchant_uid=merchant_uid,
        )
        what = {**delivery.wire(), "headers": [list(pair) for pair in sent.headers]}
        for name in ("imp_uid", "merchant_uid", "number"):
            del what[name]
        entry = self._kept.add(kind, imp_uid=imp_uid, merchant_uid=merchant_uid, **what)
        return replace(delivery, number=entry.number)


def _reason(text: str) -> str | None:
    try:
        content = loads(text)
    except ValueError:
        return None
    reason = content.get("reason") if isinstance(content, dict) else None
    return reason if isinstance(reason, str) else None


class Webhooks:
    """Sends events in the order that the settings ask for, and keeps every result.

    Nothing is sent again by itself: resending is off at the gateway too unless the vendor
    switches it on. What is to be sent later is scheduled on the clock.
    """

    def __init__(self, settings: Settings, shop: Shop, clock: Clock) -> None:
        self._settings = settings
        self._shop = shop
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: list[Event] = []
        self._running: list[Future[list[Delivery]]] = []
        self._deliveries: list[Delivery] = []
        self._untold: set[str] = set()
        self._pool = ThreadPoolExecutor(4, "sandbox-webhook")

    @property
    def deliveries(self) -> list[Delivery]:
        """What was sent so far, in the order of the answers."""
        with self._lock:
            return list(self._deliveries)

    @property
    def pending(self) -> list[Event]:
        """What is kept back for the browser to be first."""
        with self._lock:
            return list(self._pending)

    def announce(self, event: Event) -> None:
        """Send an event now, keep it back, or send it beside what follows."""
        if event.status == "paid" and not self._addresses(event):
            self._untold.add(event.imp_uid)
        order = self._settings.webhook_order
        if order == "webhook-first":
            self._tell(event)
            return
        with self._lock:
            if order == "browser-first":
                self._pending.append(event)
            else:
                self._running.append(self._pool.submit(self._tell, event))

    def told_of(self, imp_uid: str) -> bool:
        """Tell whether a payment used webhooks: not where none had an address when it was paid.

        Only then an API cancel sends one. A payment that `Gateway.make` made counts as one that
        did.

        Source: V1 REST API, POST /payments/cancel, enable_webhook.
        """
        return imp_uid not in self._untold

    def deliver(self) -> list[Delivery]:
        """Send what was kept back, wait for what is under way, and return all results."""
        with self._lock:
            events, self._pending = self._pending, []
            running, self._running = self._running, []
        for event in events:
            self._tell(event)
        for future in running:
            future.result()
        return self.deliveries

    def resend(self, number: int) -> Delivery | None:
        """Send once more what was sent; None where no delivery has this number."""
        known = {each.number: each for each in self.deliveries}
        return self._again(known[number]) if number in known else None

    def resend_all(self, imp_uid: str | None = None) -> list[Delivery]:
        """Send once more all first sends, of one payment where it is named, in their order."""
        first = [each for each in self.deliveries if each.attempt == 1]
        return [self._again(each) for each in first if imp_uid in (None, each.imp_uid)]

    def tell(self, event: Event) -> list[Delivery]:
        """Send an event now, whatever the order of the settings, and return what came of it."""
        return self._tell(event)

    def clear(self) -> None:
        """Forget what was sent and what is kept back."""
        with self._lock:
            for each in self._running:
                each.cancel()
            self._running.clear()
            self._pending.clear()
            self._deliveries.clear()
            self._untold.clear()

    def close(self) -> None:
        """Wait for what is under way and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _again(self, before: Delivery) -> Delivery:
        sent = Outgoing(before.url, before.content_type, before.body, WEBHOOK_TIMEOUT)
        told = before.imp_uid or "", before.merchant_uid
        same = (before.url, before.body)
        tries = sum((each.url, each.body) == same for each in self.deliveries)
        return self._keep(self._shop.post(journal.DELIVERY, sent, *told, attempt=tries + 1))

    def _keep(self, delivery: Delivery) -> Delivery:
        with self._lock:
            self._deliveries.append(delivery)
        return delivery

    def _tell(self, event: Event) -> list[Delivery]:
        form = self._settings.webhook_format == "form"
        kind, body = (FORM, urlencode(event.fields())) if form else (JSON, dumps(event.fields()))
        told = event.imp_uid, event.merchant_uid
        return [
            self._keep(
                self._shop.post(journal.DELIVERY, Outgoing(url, kind, body, WEBHOOK_TIMEOUT), *told)
            )
            for url in self._addresses(event)
        ]

    def _addresses(self, event: Event) -> tuple[str, ...]:
        if event.urls:
            return event.urls
        return (self._settings.webhook_url,) if self._settings.webhook_url else ()
