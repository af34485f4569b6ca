"""What goes wrong, as rules and values: which call a fault meets, and what it does to it.

A fault has three places, and each is a function here that does nothing but say what happens:
before the call (`instead`: it is not carried out), after it (`afterwards`: the answer is another
one) and on the way out (the answer's `way`), which those carry out who carry the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from imp_verify.sandbox import fault_checks
from imp_verify.sandbox.fault_checks import ANY, SCRIPT, WEBHOOK, WINDOW
from imp_verify.sandbox.patching import patch_text
from imp_verify.sandbox.waits import Waits
from imp_verify.sandbox.wire import LONGEST_BODY, ApiAnswer, Way

__all__ = ["ANY", "SCRIPT", "WEBHOOK", "WINDOW", "Fault", "Faults", "Target"]

_PAGE = "<!DOCTYPE html><html><body><h1>Service Temporarily Unavailable</h1></body></html>"
_HUGE = b'{"code":0,"message":null,"response":"' + b"x" * LONGEST_BODY + b'"}'


@dataclass(frozen=True, slots=True)
class Target:
    """What is about to happen, as far as a fault may ask.

    Attributes:
        call: Its name in the table of calls, or WINDOW, SCRIPT or WEBHOOK; empty for what is no
            call.
        method: In capitals.
        path: As it was sent.
        account: The key of the account whose token it carries, or which asks for one.
        imp_uid: The payment that it names.
        merchant_uid: The order that it names, or whose payment that is.
        attempt: Of a webhook, from 1.
    """

    call: str
    method: str = ""
    path: str = ""
    account: str | None = None
    imp_uid: str | None = None
    merchant_uid: str | None = None
    attempt: int = 1


@dataclass(slots=True)
class Fault:
    """What happens to the next calls.

    Which calls: `call`, and those of `imp_uid`, `merchant_uid` and `account` that are given; after
    `skip` of them, `times` of them, each with the probability `rate`.

    What happens, instead of the call: `status` with `body`, `headers` and `revoke`; `empty`, `html`
    or `huge`; `drop` or `reset`. To a call that is carried out: `lost`, `truncate`, `patch` and
    `remove`, `stale`. And to either answer: `delay`, `drip`. A cancel whose answer is lost, or
    comes too late, has happened. Where nothing is named, `status` is 500.

    To a webhook: `withhold`, `twice`, `late`, `lost`, `patch`, `remove` and `headers`.

    Attributes:
        call: The call's name: token, payment, payments, find, find_all, status, prepare, cancel and
            so on; or its method and path, `GET /payments/*`; or `*`, any call of the API. Or
            script, the SDK's. Or window, when a page opens one: the callback gets F500, or F400 for
            a status below 500, and `body` as the message. Or webhook.
        status: The HTTP status.
        body: The body as it is; it need not be JSON.
        times: How many calls; None until it is removed.
        lost: The connection ends before the answer; or the shop's answer to a webhook is not heard.
        truncate: After so many bytes of the answer's body the connection ends.
        skip: So many calls are spared first.
        seed: Of the chance that `rate` is.
        headers: Of an answer `status`, or of the webhook.
        revoke: The token that the call carries is of no use any more.
        delay: Seconds before the first byte.
        drip: Bytes in a second.
        drip_in: Whether the headers come so slowly already, or the body alone.
        drop: The connection ends before the answer.
        reset: The same, by RST.
        empty: An answer without a body.
        html: A page, as proxies answer it.
        huge: An answer of more than 1 MiB.
        patch: Fields to set, by path: `{"response.amount": None}`, `response.*.status` for a list.
        remove: Fields to take away.
        stale: The answer is that of so many seconds ago.
        withhold: The webhook is kept until it is released.
        twice: It is sent twice.
        late: It is sent so many seconds later, on the sandbox's clock.
        number: Its own, where it was added.
    """

    call: str
    status: int | None = None
    body: str = ""
    content_type: str = "application/json"
    times: int | None = 1
    lost: bool = False
    truncate: int | None = None
    _: KW_ONLY
    imp_uid: str | None = None
    merchant_uid: str | None = None
    account: str | None = None
    skip: int = 0
    rate: float | Decimal = 1
    seed: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    revoke: bool = False
    delay: float | Decimal = 0
    drip: float | Decimal | None = None
    drip_in: str = "body"
    drop: bool = False
    reset: bool = False
    empty: bool = False
    html: bool = False
    huge: bool = False
    patch: Mapping[str, object] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    stale: int | None = None
    withhold: bool = False
    twice: bool = False
    late: int = 0
    number: int = field(default=0, init=False)
    _chance: Random = field(init=False, repr=False, compare=False)
    _waits: Waits = field(default_factory=Waits, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what could not happen.

        Raises:
            ValueError: A field is of another type or out of its range, or two do not fit; it names
                the field.
        """
        fault_checks.check(self)
        self.remove = tuple(self.remove)
        self._chance = Random(self.seed)
        if not fault_checks.named(self):
            self.status = 500

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Fault:
        """Make one of fields by name, as JSON has them.

        Raises:
            ValueError: There is no such field, `call` is missing, or it could not happen.
        """
        names = [each.name for each in fields(cls) if each.init]
        for name in wanted:
            if name not in names:
                raise ValueError(f"no such field: {name}; there are {', '.join(names)}")
        if "call" not in wanted:
            raise ValueError("call is missing")
        return cls(**wanted)

    @property
    def carried_out(self) -> bool:
        """Whether the call itself happens."""
        return self.status is None and not any(
            (self.drop, self.reset, self.empty, self.html, self.huge)
        )

    def is_for(self, target: Target) -> bool:
        """Tell whether it is a rule for this."""
        if target.attempt > 1 and (self.withhold or self.twice or self.late):
            return False
        for name in ("imp_uid", "merchant_uid", "account"):
            if getattr(self, name) not in (None, getattr(target, name)):
                return False
        method, space, path = self.call.partition(" ")
        if space:
            return method == target.method and fnmatchcase(target.path, path)
        if self.call == ANY:
            return target.call not in (WINDOW, SCRIPT, WEBHOOK)
        return self.call == target.call

    def meets(self, target: Target) -> bool:
        """Tell whether it happens to this, and count it as met."""
        if self.times == 0 or not self.is_for(target):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.rate < 1 and self._chance.random() >= self.rate:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    @property
    def is_over(self) -> bool:
        """Whether it meets nothing more, and nobody waits because of it."""
        return self.times == 0 and not self.delay and self.drip is None

    def instead(self) -> ApiAnswer | None:
        """Return what is answered while the call is not carried out; None where it is."""
        if self.carried_out:
            return None
        kind, body = self.content_type, self.body.encode()
        if self.html:
            kind, body = "text/html", _PAGE.encode()
        elif self.huge:
            body = _HUGE
        elif self.empty:
            body = b""
        headers = {name.title(): value for name, value in self.headers.items()}
        pairs = tuple({"Content-Type": kind, **headers}.items())
        return ApiAnswer(self.status or 200, body, pairs, self._way())

    def afterwards(self, answer: ApiAnswer) -> ApiAnswer:
        """Return what becomes of the answer to a call that was carried out."""
        body = answer.body
        if self.patch or self.remove:
            body = patch_text(body, self.patch, self.remove)
        return replace(answer, body=body, way=self._way())

    def end_waits(self) -> None:
        """Let go on what waits because of it."""
        self._waits.end()

    def let_go(self) -> None:
        """Let go on what waits because of it; what it meets from now on waits again."""
        waits, self._waits = self._waits, Waits()
        waits.end()

    def _way(self) -> Way:
        return Way(
            lost=self.lost or self.drop,
            truncate=self.truncate,
            reset=self.reset,
            delay=float(self.delay),
            drip=None if self.drip is None else float(self.drip),
            drip_headers=self.drip_in == "headers",
            waits=self._waits,
        )

    def did(self) -> dict[str, object]:
        """Return for the journal what it did."""
        names = fault_checks.named(self)
        return {"call": self.call, **{name: _plain(getattr(self, name)) for name in names}}

    def wire(self) -> dict[str, object]:
        """Return it for control: its number, and what is not as usual."""
        told: dict[str, object] = {"number": self.number}
        for each in fields(self):
            value = getattr(self, each.name)
            usual = {} if each.name in ("headers", "patch") else each.default
            if each.init and value != usual:
                told[each.name] = _plain(value)
        return told


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


class Faults:
    """The faults that are still to happen. Any thread may add, take and remove them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._last = 0

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        """Walk them in the order in which they were added, as they are now."""
        with self._lock:
            return iter(list(self._faults))

    def add(self, fault: Fault) -> Fault:
        """Let a fault happen, after those of the same call that were added before."""
        with self._lock:
            self._last += 1
            fault.number = self._last
            self._faults.append(fault)
        return fault

    def all(self) -> list[Fault]:
        """Return those that are still to happen, in their order."""
        with self._lock:
            return [fault for fault in self._faults if fault.times != 0]

    def take(self, target: Target | str) -> Fault | None:
        """Return the fault that this meets, and count it as met; of a call its name is enough."""
        target = Target(target) if isinstance(target, str) else target
        with self._lock:
            for fault in self._faults:
                if fault.meets(target):
                    if fault.is_over:
                        self._faults.remove(fault)
                    return fault
        return None

    def remove(self, number: int) -> bool:
        """Take a fault back and let go on what waits because of it; False where it is gone."""
        return bool(self._end([each for each in self if each.number == number]))

    def clear(self) -> None:
        """Take all faults back, and let go on what waits because of them."""
        self._end(list(self))

    def _end(self, faults: list[Fault]) -> list[Fault]:
        numbers = {each.number for each in faults}
        with self._lock:
            self._faults = [each for each in self._faults if each.number not in numbers]
        for each in faults:
            each.end_waits()
        return faults
