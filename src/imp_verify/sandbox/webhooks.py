"""When webhooks are sent, in which order, whether again, and by whose word; all results kept."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from imp_verify.sandbox import journal
from imp_verify.sandbox.clock import Clock
from imp_verify.sandbox.deliveries import (
    About,
    Delivery,
    Outgoing,
    Shop,
    Times,
    usual_headers,
    written,
)
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.faults import WEBHOOK, Fault, Faults, Target
from imp_verify.sandbox.journal import KEPT
from imp_verify.sandbox.patching import patch_fields
from imp_verify.sandbox.settings import Settings

MOST_RESENDS = 5
BETWEEN_SECONDS = 60
SAMPLE = Event("imp_1234567890", "order_id_8237352", "paid")
"""The only body that the documents print. Source: V1 webhook page."""


@dataclass(frozen=True, slots=True)
class _Notice:
    """An event that waits for its time.

    Attributes:
        fault: That it met.
        turn: What has been cleared since is not sent.
    """

    event: Event
    fault: Fault | None
    turn: int


class Webhooks:
    """Sends events in the order that the settings ask for, and keeps every result.

    What is to be sent later is scheduled on the clock: a resend, and what a fault makes late.
    """

    def __init__(self, settings: Settings, shop: Shop, clock: Clock, faults: Faults) -> None:
        self._settings = settings
        self._shop = shop
        self._clock = clock
        self._faults = faults
        self._lock = threading.Lock()
        self._pending: list[_Notice] = []
        self._withheld: list[_Notice] = []
        self._running: list[Future[object]] = []
        self._deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._untold: set[str] = set()
        self._turn = 0
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
            return [notice.event for notice in self._pending]

    @property
    def withheld(self) -> list[Event]:
        """What a fault keeps until it is released."""
        with self._lock:
            return [notice.event for notice in self._withheld]

    @property
    def kept_back(self) -> list[Event]:
        """All that somebody is to send: what a fault keeps, and what waits for the browser."""
        with self._lock:
            return [notice.event for notice in (*self._withheld, *self._pending)]

    def announce(self, event: Event) -> None:
        """Send an event now, keep it back, or send it beside what follows."""
        if event.status == "paid" and not self._addresses(event):
            self._untold.add(event.imp_uid)
        fault = self._fault_of(event.imp_uid, event.merchant_uid)
        notice = _Notice(event, fault, self._turn)
        if notice.fault and notice.fault.withhold:
            with self._lock:
                self._withheld.append(notice)
        elif notice.fault and notice.fault.late:
            self._later(notice.fault.late, lambda: self._start(notice), notice.turn)
        else:
            self._start(notice)

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
            notices, self._pending = self._pending, []
            running, self._running = self._running, []
        for notice in notices:
            self._tell(notice)
        for future in running:
            with suppress(CancelledError):  # by `clear`
                future.result()
        return self.deliveries

    def release(self, imp_uid: str | None = None, *, newest_first: bool = False) -> int:
        """Send what is withheld or kept back, of one payment or of all; return how many events."""
        with self._lock:
            held = [*self._withheld, *self._pending]
            chosen = [each for each in held if imp_uid in (None, each.event.imp_uid)]
            self._withheld = [each for each in self._withheld if each not in chosen]
            self._pending = [each for each in self._pending if each not in chosen]
        for notice in reversed(chosen) if newest_first else chosen:
            self._tell(notice)
        return len(chosen)

    @property
    def untold(self) -> list[str]:
        """The payments of which `told_of` says no."""
        return sorted(self._untold)

    def restore(self, untold: Iterable[str], pending: Iterable[Event]) -> None:
        """Take up what a record kept: `untold`, and what is kept back."""
        with self._lock:
            self._untold.update(untold)
            self._pending.extend(_Notice(event, None, self._turn) for event in pending)

    def tell(self, event: Event) -> list[Delivery]:
        """Send an event now, whatever the order of the settings, and return what came of it."""
        return self._tell(_Notice(event, None, self._turn))

    def resend(self, number: int) -> Delivery | None:
        """Send a delivery again, to the address that it had, whatever is set by now; None where
        there is none of this number.

        Source: FAQ; release note of 2024-12-19.
        """
        known = {each.number: each for each in self.deliveries}
        return self._again(known[number]) if number in known else None

    def resend_all(self, imp_uid: str | None = None) -> list[Delivery]:
        """Send again what was sent of one payment or of all: each event once to each address."""
        first = [each for each in self.deliveries if imp_uid in (None, each.imp_uid)]
        once = {(each.url, each.body): each for each in first}
        return [self._again(each) for each in once.values()]

    def test_call(self, *, test: bool = False) -> Delivery:
        """Send what the console's button sends, to the address that is set.

        Args:
            test: To that of test payments.

        Raises:
            ValueError: None is set.
        """
        event = replace(SAMPLE, sandbox=test)
        fields = event.fields() if self._settings.test_call_body == "sample" else {}
        return self.send(fields, test=test)

    def send(
        self,
        fields: Mapping[str, object],
        *,
        to: str | None = None,
        form: bool | None = None,
        test: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Delivery:
        """Send any body once, as a webhook that nothing happened for.

        Args:
            fields: Its fields, believed or not.
            to: An address; the one that is set where left out.
            form: As a form, or as JSON; as set where left out.
            test: To the address of test payments.
            headers: Of anybody: `X-Forwarded-For`, say.

        Raises:
            ValueError: No address is given and none is set.
        """
        url = to or self._address_set(test=test)
        if not url:
            raise ValueError("no address is given, and webhook_url is not set")
        how = self._format(test=test) if form is None else "form" if form else "json"
        sent = self._outgoing(url, how, fields, headers or {})
        names = (fields.get("imp_uid"), fields.get("merchant_uid"))
        imp_uid, order = (each if isinstance(each, str) else None for each in names)
        return self._post(sent, About(imp_uid, order))

    def clear(self) -> None:
        """Forget all that was sent or waits; what is under way ends, and is not sent again."""
        with self._lock:
            self._turn += 1
            running, self._running = self._running, []
            self._pending, self._withheld = [], []
        self._shop.let_go()
        for future in running:
            future.cancel()
        with self._lock:
            self._deliveries.clear()
            self._untold.clear()

    def close(self) -> None:
        """End what is under way and take no more."""
        self._shop.let_go(for_good=True)
        self._pool.shutdown(wait=True, cancel_futures=True)

    # One event

    def _start(self, notice: _Notice) -> None:
        order = self._settings.webhook_order
        if order == "browser-first":
            with self._lock:
                self._pending.append(notice)
        elif order == "both":
            self._beside(lambda: self._tell(notice))
        else:
            self._run(lambda: self._tell(notice))

    def _run(self, act: Callable[[], object]) -> None:
        """Do something now; but a call of the shop's must not wait for what the shop answers."""
        if self._clock.ran_by_itself:
            self._beside(act)
        else:
            act()

    def _beside(self, act: Callable[[], object]) -> None:
        with self._lock:
            self._running = [each for each in self._running if not each.done()]
            self._running.append(self._pool.submit(act))

    def _tell(self, notice: _Notice) -> list[Delivery]:
        event, fault = notice.event, notice.fault
        sends = []
        for _ in range(2 if fault and fault.twice else 1):
            for url in self._addresses(event):
                fields = event.fields()
                if fault:
                    fields = patch_fields(fields, fault.patch, fault.remove)
                headers = fault.headers if fault else {}
                sent = self._outgoing(url, self._format(test=event.sandbox), fields, headers)
                about = About(event.imp_uid, event.merchant_uid, 1, fault)
                if notice.turn == self._turn:  # else it was cleared meanwhile
                    sends.append(self._try(sent, about, notice.turn))
        return sends

    def _try(self, sent: Outgoing, about: About, turn: int) -> Delivery:
        delivery = self._post(sent, about)
        if about.attempt > MOST_RESENDS or not self._is_sent_again(delivery):
            return delivery
        again = replace(sent, times=Times.in_all(self._settings.resend_seconds))

        def resend() -> None:
            fault = self._fault_of(about.imp_uid, about.merchant_uid, about.attempt + 1)
            self._try(again, replace(about, attempt=about.attempt + 1, fault=fault), turn)

        self._later(BETWEEN_SECONDS, lambda: self._run(resend), turn)
        return delivery

    def _is_sent_again(self, delivery: Delivery) -> bool:
        which = self._settings.webhook_resends
        if which == "5xx":
            return delivery.status is None or delivery.status >= 500
        return which == "not-200" and not delivery.ok

    def _again(self, delivery: Delivery) -> Delivery:
        sent = Outgoing(
            delivery.url,
            delivery.content_type,
            delivery.body,
            Times.in_all(self._settings.resend_seconds),
            delivery.headers,
            self._settings.webhook_follows,
        )
        attempt = delivery.attempt + 1
        fault = self._fault_of(delivery.imp_uid, delivery.merchant_uid, attempt)
        return self._post(sent, About(delivery.imp_uid, delivery.merchant_uid, attempt, fault))

    def _post(self, sent: Outgoing, about: About) -> Delivery:
        turn = self._turn
        delivery = self._shop.post(journal.DELIVERY, sent, about)
        with self._lock:
            if turn == self._turn:  # else it was cleared meanwhile
                self._deliveries.append(delivery)
        return delivery

    def _later(self, seconds: int, act: Callable[[], object], turn: int) -> None:
        def run() -> None:
            if turn == self._turn:
                act()

        self._clock.schedule(self._clock() + seconds, run)

    # What is sent, and where

    def _fault_of(self, imp_uid: str | None, order: str | None, attempt: int = 1) -> Fault | None:
        target = Target(WEBHOOK, imp_uid=imp_uid, merchant_uid=order, attempt=attempt)
        return self._faults.take(target)

    def _outgoing(
        self, url: str, how: str, fields: Mapping[str, object], headers: Mapping[str, str]
    ) -> Outgoing:
        kind, body = written(fields, how, self._settings)
        named = {name.title(): value for name, value in headers.items()}
        kind = named.pop("Content-Type", kind)
        pairs = tuple({**dict(usual_headers(self._settings)), **named}.items())
        times = Times.first(self._settings.webhook_seconds)
        return Outgoing(url, kind, body, times, pairs, self._settings.webhook_follows)

    def _addresses(self, event: Event) -> tuple[str, ...]:
        url = self._address_set(test=event.sandbox)
        return event.urls or ((url,) if url else ())

    def _address_set(self, *, test: bool) -> str | None:
        return (test and self._settings.webhook_test_url) or self._settings.webhook_url

    def _format(self, *, test: bool) -> str:
        apart = test and self._settings.webhook_test_url
        return self._settings.webhook_test_format if apart else self._settings.webhook_format
