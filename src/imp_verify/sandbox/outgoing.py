"""What the sandbox sends to a shop: webhooks and the question before an approval."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

import requests

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.exact import dumps, loads
from imp_verify.sandbox.settings import Settings

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
WEBHOOK_TIMEOUT = (10.0, 30.0)
CONFIRM_TIMEOUT = (10.0, 10.0)
SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to the shop and what came of it.

    Attributes:
        status: The HTTP status of the answer, None where there was none.
        answer: The answer's text, cut.
        error: Why there was no answer, None where there was one.
    """

    url: str
    content_type: str
    body: str
    status: int | None
    answer: str
    error: str | None

    @property
    def ok(self) -> bool:
        """Whether the shop took it: 200 and nothing else counts."""
        return self.status == 200

    def wire(self) -> dict[str, object]:
        """Return it for the control endpoint."""
        return {**asdict(self), "ok": self.ok}


def post(url: str, body: str, content_type: str, timeout: tuple[float, float]) -> Delivery:
    """Send one request; a failure is a result too. Redirects are not followed."""
    headers = {"Content-Type": content_type}
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                url, body.encode(), headers=headers, timeout=timeout, allow_redirects=False
            )
            return Delivery(url, content_type, body, answer.status_code, answer.text[:SHOWN], None)
    except (requests.RequestException, ValueError) as error:  # of urllib3, for some addresses
        return Delivery(url, content_type, body, None, "", f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Consent:
    """The shop's word before an approval."""

    given: bool
    reason: str | None = None


def ask_shop(url: str, attempt: Attempt) -> Consent:
    """Ask the shop whether to go on; 200 alone is a yes.

    Source: V1 confirm process page.
    """
    question = {
        "imp_uid": attempt.imp_uid,
        "merchant_uid": attempt.merchant_uid,
        "amount": attempt.amount,
    }
    answer = post(url, dumps(question), JSON, CONFIRM_TIMEOUT)
    return Consent(True) if answer.ok else Consent(False, _reason(answer.answer))


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
    switches it on.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pending: list[Event] = []
        self._running: list[Future[None]] = []
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
            self._send(event)
            return
        with self._lock:
            if order == "browser-first":
                self._pending.append(event)
            else:
                self._running.append(self._pool.submit(self._send, event))

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
            self._send(event)
        for future in running:
            future.result()
        return self.deliveries

    def close(self) -> None:
        """Wait for what is under way and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _send(self, event: Event) -> None:
        for url in self._addresses(event):
            if self._settings.webhook_format == "form":
                delivery = post(url, urlencode(event.fields()), FORM, WEBHOOK_TIMEOUT)
            else:
                delivery = post(url, dumps(event.fields()), JSON, WEBHOOK_TIMEOUT)
            with self._lock:
                self._deliveries.append(delivery)

    def _addresses(self, event: Event) -> tuple[str, ...]:
        if event.urls:
            return event.urls
        return (self._settings.webhook_url,) if self._settings.webhook_url else ()
