"""`FakeGateway`: the offline gateway inside a test, reached in process or over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, get_origin, get_type_hints

from ..sandbox import Account, Api, Attempt, Clock, Delivery, Entry, Fault, Journal, Sandbox
from ..sandbox import journal as kinds
from ..sandbox.exact import LONGEST, as_amount
from ..sandbox.seeding import Seed
from ..settings import Credentials
from ._in_process import InProcess, InProcessAsync
from ._receivers import Receiver, sender

if TYPE_CHECKING:
    from ..sandbox import SandboxServer

__all__ = ["WEBHOOK", "Failing", "FakeGateway"]

WEBHOOK = "http://testserver/payments/webhook"
"""Where a shop that is no address gets its webhooks, where `webhook_url` says nothing else."""
_FOREVER = 2**31


@dataclass
class Failing:
    """A fault that was set; as a `with` block it lasts as long as that does.

    Attributes:
        fault: What goes wrong; `fault.times` is how often it still will.
    """

    fault: Fault
    is_counted: bool

    def end(self) -> None:
        """Let it happen no more, and let go on what waits because of it."""
        self.fault.times = 0
        self.fault.end_waits()

    def __enter__(self) -> Failing:
        if not self.is_counted:
            self.fault.times = _FOREVER
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()


class FakeGateway:
    """The gateway of `imp-verify sandbox` in this process: no account, no network, no extra.

    A shop's verifier asks it by `Verifier(store, transport=gateway.transport,
    credentials=gateway.credentials)`, and it tells the shop of payments through `receiver`. All
    methods that do something to a payment return it as it is then.

    Args:
        accounts: The gateway's customers; one with made-up keys where left out.
        channels: For a channelKey, its PG's code and whether it is a test channel.
        seed: What there is at the beginning, as `imp-verify sandbox --seed` reads it from a file:
            payments, prepared amounts, faults, a clock that stands.
        receiver: How webhooks and confirm calls reach the shop: an address; a WSGI or an ASGI
            application, which is called in process; or a function of one `Outgoing`, which returns
            a status. Nowhere where left out. What an application raises is answered 500, as by a
            server; what a function raises comes out of the method that sent.
        settings: Fields of `imp_verify.sandbox.Settings`. An application gets its webhooks at
            `http://testserver/payments/webhook` where `webhook_url` says nothing else.

    Attributes:
        sandbox: All of it: see `imp_verify.sandbox.Sandbox`. A reset makes another one.
        transport: For `Verifier`.
        async_transport: For `AsyncVerifier`.

    Raises:
        ValueError: A name or a value is none that there is; the text names it.
    """

    sandbox: Sandbox

    def __init__(
        self,
        *,
        accounts: Iterable[Account] = (),
        channels: Mapping[str, tuple[str, bool]] | None = None,
        seed: Mapping[str, object] | None = None,
        receiver: Receiver | None = None,
        **settings: object,
    ) -> None:
        self._accounts = tuple(accounts)
        for each in self._accounts:
            if not isinstance(each, Account):
                kind = type(each).__name__
                raise ValueError(f"accounts are of imp_verify.sandbox.Account; not {kind}")
        self._channels = channels
        self._seed = Seed(seed or {})
        self._settings = settings
        self._shown: list[Callable[[Sandbox], None]] = []
        self.transport = InProcess(lambda: (self._api, self.clock))
        self.async_transport = InProcessAsync(lambda: (self._api, self.clock))
        self._receive(receiver)
        self._begin()

    def reset(self) -> None:
        """Begin anew, as it was made; who asks it goes on asking it, and who waits goes on."""
        before = self.sandbox
        self._begin()
        before.let_go()

    def _begin(self) -> None:
        address = self._receiver if isinstance(self._receiver, str) else WEBHOOK
        default = {} if self._receiver is None else {"webhook_url": address}
        self.sandbox = self._seed.start(
            accounts=self._accounts,
            channels=self._channels,
            settings={**default, **self._settings},
            send=self._send,
        )
        self._api = Api(self.sandbox)
        for show in self._shown:
            show(self.sandbox)

    @property
    def receiver(self) -> Receiver | None:
        """How webhooks reach the shop; it can be set as well, and begins nothing anew."""
        return self._receiver

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None:
        self._receive(receiver)
        if "webhook_url" not in {**self._seed.content.get("settings", {}), **self._settings}:
            address = receiver if isinstance(receiver, str) else WEBHOOK
            self.sandbox.settings.change({"webhook_url": None if receiver is None else address})
        self.sandbox.reach(self._send)

    def _receive(self, receiver: Receiver | None) -> None:
        self._send = None if receiver is None or isinstance(receiver, str) else sender(receiver)
        self._receiver = receiver

    @property
    def credentials(self) -> Credentials:
        """The keys of the first account."""
        first = self.sandbox.gateway.accounts()[0]
        return Credentials(first.key, first.secret)

    @property
    def clock(self) -> Clock:
        """Its time: `stop_at(seconds)`, `advance(seconds)`."""
        return self.sandbox.clock

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Answer over HTTP too, on loopback, and yield the address: API, script, window and log.

        Raises:
            ImportError: The extra `sandbox` is not installed.
        """
        from ..sandbox import SandboxServer

        with SandboxServer(sandbox=self.sandbox, port=port) as server, self.shown_by(server):
            yield server.url

    @contextmanager
    def shown_by(self, server: SandboxServer) -> Iterator[None]:
        """Answer by a server that runs already, in place of what answered there."""
        show = server.show
        show(self.sandbox)
        self._shown.append(show)
        try:
            yield
        finally:
            self._shown.remove(show)

    # What a buyer does

    def pay(
        self, order: str, amount: Decimal | int, *, tier: str | None = None, **request_pay: object
    ) -> Attempt:
        """Open a window and pay in it; into an account that is issued for `pay_method="vbank"`."""
        payment = self.open(order, amount, tier=tier, **request_pay)
        if payment.pay_method != "vbank":
            return self.approve(payment)
        issued = self.issue(payment)
        return self.deposit(issued) if issued.waits_for_deposit else issued

    def open(
        self, order: str, amount: Decimal | int, *, tier: str | None = None, **request_pay: object
    ) -> Attempt:
        """Open a payment window.

        Args:
            order: The order's number, `merchant_uid`.
            amount: In the currency's main unit.
            tier: A sub-store.
            request_pay: Further parameters of `IMP.request_pay`: `pay_method`, `pg`, `currency`,
                `notice_url`, `confirm_url`, `custom_data` and so on.

        Raises:
            Refused: No window opens: the order is paid, say, or was registered for another amount.
        """
        if isinstance(amount, float):  # what a page sends may be anything; a test's typo is none
            _ = _exact(amount)
        params = {**request_pay, "merchant_uid": order, "amount": amount}
        return self.sandbox.open(params, tier=tier)

    def approve(self, payment: Attempt | str) -> Attempt:
        """Approve what the window asks; where the shop's confirm says no it fails."""
        return self.sandbox.approve(_uid(payment))

    def approve_later(
        self, payment: Attempt | str, seconds: int, *, meanwhile: str | None = None
    ) -> Attempt:
        """Approve once the clock has moved on so far; until then it is ready, failed or pending, as
        the setting `pending_is` says where `meanwhile` does not."""
        return self.sandbox.approve_later(_uid(payment), seconds, meanwhile=meanwhile)

    def decline(self, payment: Attempt | str) -> Attempt:
        """Decline as a card company does."""
        return self.sandbox.decline(_uid(payment))

    def close(self, payment: Attempt | str) -> Attempt:
        """Close the window."""
        return self.sandbox.close(_uid(payment))

    def issue(self, payment: Attempt | str) -> Attempt:
        """Issue the virtual account that the window was opened for."""
        return self.sandbox.issue_account(_uid(payment))

    # What a bank, a clerk or time does

    def deposit(
        self,
        payment: Attempt | str,
        amount: Decimal | int | None = None,
        depositor: str | None = None,
    ) -> Attempt:
        """Pay into the account; another amount, and a name, only into an unlimited one."""
        return self.sandbox.deposit(_uid(payment), _exact(amount), depositor)

    def expire(self, payment: Attempt | str) -> Attempt:
        """End an account that waits: nobody paid into it in time."""
        return self.sandbox.expire(_uid(payment))

    def cancel(
        self, payment: Attempt | str, amount: Decimal | int | None = None, reason: str | None = None
    ) -> Attempt:
        """Give money back in the console, all that is left or a part, which the shop is told of."""
        return self.sandbox.cancel(_uid(payment), _exact(amount), reason)

    def make(self, order: str, amount: Decimal | int, **fields: object) -> Attempt:
        """Make a payment in any documented state; nothing is sent. See `Gateway.make`."""
        return self.sandbox.gateway.make(merchant_uid=order, amount=amount, **fields)

    def edit(self, payment: Attempt | str, **changes: object) -> Attempt:
        """Set fields of a payment, whatever way leads there or none; nothing is sent.

        Raises:
            ValueError: There is no such field, or it is of another type.
        """
        known = [each.name for each in fields(Attempt) if each.name not in ("imp_uid", "number")]
        types = get_type_hints(Attempt)
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"no such field: {name}; there are {', '.join(known)}")
            if name in ("amount", "tax_free") and value is not None:
                changes[name] = _exact(value, name)
            elif not isinstance(value, tuple if get_origin(types[name]) is tuple else types[name]):
                wanted = getattr(types[name], "__name__", types[name])
                raise ValueError(f"{name} is {wanted}, no {type(value).__name__}")
        return self.sandbox.gateway.edit(_uid(payment), **changes)

    def payment(self, payment: Attempt | str) -> Attempt:
        """Return a payment as it is now."""
        return self.sandbox.gateway.attempt(_uid(payment))

    # What goes wrong, what is sent, what happened

    def fail(self, call: str, **what: Any) -> Failing:
        """Let calls of the API go wrong: `fail("payment", status=503, times=2)`, the next one where
        `times` is left out; or all in a block: `with gateway.fail("payment", status=503): ...`.

        Args:
            call: A call's name; see `imp_verify.sandbox.Fault`.
            what: Further fields of that.

        Raises:
            ValueError: A name or a value is none that there is; the text names it.
        """
        known = [each.name for each in fields(Fault)]
        for name in what:
            if name not in known:
                raise ValueError(f"no such field: {name}; there are {', '.join(known)}")
        fault = Fault(call, **what)
        self.sandbox.faults.add(fault)
        return Failing(fault, "times" in what)

    def deliver(self) -> list[Delivery]:
        """Send what is kept back for the browser to be first or withheld by a fault, wait for what
        is under way, and return all that was sent. See also `sandbox.webhooks.release`."""
        _ = self.sandbox.webhooks.release()
        return self.sandbox.webhooks.deliver()

    def resend(self, delivery: Delivery | None = None) -> Delivery:
        """Send once more what was sent, the newest where none is named, to where it went then.

        Raises:
            ValueError: Nothing was sent yet.
        """
        sent = self.deliveries
        if not sent:
            raise ValueError("nothing was sent yet: is there a receiver, or a notice_url?")
        chosen = delivery or sent[-1]
        again = self.sandbox.webhooks.resend(chosen.number)
        if again is None:
            raise ValueError("that was sent too long ago, or before a reset")
        return again

    @property
    def deliveries(self) -> list[Delivery]:
        """What was sent to the shop, with its answers."""
        return self.sandbox.webhooks.deliveries

    @property
    def calls(self) -> list[Entry]:
        """The calls of the API that came in, oldest first."""
        return [entry for entry in self.journal if entry.kind == kinds.API]

    @property
    def journal(self) -> Journal:
        """All that happened."""
        return self.sandbox.journal


def _uid(payment: Attempt | str) -> str:
    return payment if isinstance(payment, str) else payment.imp_uid


def _exact(amount: object, name: str = "amount") -> Decimal | None:
    """Return an amount as it is kept; ValueError for what is none, and for a float: 4.99 is not
    4.99 there."""
    if amount is None:
        return None
    exact = None if isinstance(amount, str) else as_amount(amount)
    if exact is None:
        example = 'Decimal("4.99")'
        raise ValueError(f"{name} is an int or a Decimal of at most {LONGEST} digits: {example}")
    return exact
