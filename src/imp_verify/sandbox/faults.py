"""What goes wrong, as rules and values: which call a fault meets, and what it does to it.

A fault has three places, and each is a function here that does nothing but say what happens:
before the call (`instead`: it is not carried out), after it (`afterwards`: the answer is another
one) and on the way out (the answer's `way`), which those carry out who carry the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from imp_verify.sandbox.calls import NAMES
from imp_verify.sandbox.wire import ApiAnswer, Way

WINDOW = "window"
"""The call of a page that opens a window."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is about to happen, as far as a fault may ask.

    Attributes:
        call: Its name in the table of calls, or WINDOW; empty for what is no call.
        method: In capitals.
        path: As it was sent.
        account: The key of the account whose token it carries.
        imp_uid: The payment that it names.
        merchant_uid: The order that it names.
    """

    call: str
    method: str = ""
    path: str = ""
    account: str | None = None
    imp_uid: str | None = None
    merchant_uid: str | None = None


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
            ValueError: A field is of another type or out of its range; it names the field.
        """
        if self.call not in (*NAMES, WINDOW):
            raise ValueError(f"call is one of {', '.join((*NAMES, WINDOW))}")
        if type(self.status) is not int or not 200 <= self.status <= 599:
            raise ValueError("status is 200 to 599")
        if not isinstance(self.body, str):
            raise ValueError("body is a text")
        if type(self.times) is not int or self.times < 0:
            raise ValueError("times is a whole number, 0 or more")
        kind = self.content_type
        if not (isinstance(kind, str) and kind.isascii() and kind.isprintable()):
            raise ValueError("content_type is no header's value")
        self._check_loss()

    def _check_loss(self) -> None:
        if not isinstance(self.lost, bool):
            raise ValueError("lost is true or false")
        if self.truncate is not None and (type(self.truncate) is not int or self.truncate < 0):
            raise ValueError("truncate is a whole number of bytes, 0 or more")
        if self.lost and self.truncate is not None:
            raise ValueError("lost and truncate: an answer is lost or cut, not both")
        if self.carried_out and self.call == WINDOW:
            raise ValueError("lost and truncate are for calls of the API, not for window")

    @property
    def carried_out(self) -> bool:
        """Whether the call itself happens."""
        return self.lost or self.truncate is not None

    def meets(self, target: Target) -> bool:
        """Tell whether it is for this."""
        return self.times > 0 and self.call == target.call

    def instead(self) -> ApiAnswer | None:
        """Return what is answered while the call is not carried out; None where it is."""
        if self.carried_out:
            return None
        headers = (("Content-Type", self.content_type),)
        return ApiAnswer(self.status, self.body.encode(), headers)

    def afterwards(self, answer: ApiAnswer) -> ApiAnswer:
        """Return what becomes of the answer to a call that was carried out."""
        return replace(answer, way=Way(self.lost, self.truncate))

    def wire(self) -> dict[str, object]:
        """Return it for the journal: what it did."""
        if self.carried_out:
            return {"call": self.call, "lost": self.lost, "truncate": self.truncate}
        return {"call": self.call, "status": self.status}


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault happen, after those of the same call that were added before."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Let none happen any more."""
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        """Walk those that are still to happen, as they are now, oldest first."""
        with self._lock:
            return iter([fault for fault in self._faults if fault.times > 0])

    def take(self, target: Target | str) -> Fault | None:
        """Return the fault that this meets, and count it as met; of a call its name is enough."""
        target = Target(target) if isinstance(target, str) else target
        with self._lock:
            for fault in self._faults:
                if fault.meets(target):
                    fault.times -= 1
                    return fault
        return None
