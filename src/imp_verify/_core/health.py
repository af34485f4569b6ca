"""Whether a shop's payments can be verified now: its store is read, and the gateway asked about a
payment that is not there, with each account. A flow, without I/O."""

from __future__ import annotations

import logging
from dataclasses import replace

from ..errors import ImpVerifyError
from ..models import Health, HealthCheck
from ..stores._facts import StoreFacts
from .accounts import Accounts
from .calls import fetch_payment
from .flow import Consult, Flow, Recall

__all__ = ["NO_PAYMENT", "Examination", "tells_facts"]

_log = logging.getLogger("imp_verify")

NO_PAYMENT = "imp_000000000000"
"""Well-formed, and no payment's."""


def tells_facts(store: object) -> bool:
    """Whether a store, as it was given, is a ready-made one that can tell about its database."""
    # Here, for a verifier of a store by hand needs none of it.
    from ..stores._recording import AsyncReadyStore, ReadyStore

    return isinstance(store, ReadyStore | AsyncReadyStore) and hasattr(store, "facts")


class Examination:
    """The checks of one look, each not answered until it is: what is still open when the time is
    over says so.

    Args:
        accounts: Each of them is a check of its own.
        has_facts: See `tells_facts`.
        timeout: Seconds for all of it.
    """

    def __init__(self, accounts: Accounts, has_facts: bool, timeout: float) -> None:
        late = f"no answer within {timeout:g} s"
        self._accounts = accounts
        self._asked = accounts.chosen(None)
        self._has_facts = has_facts
        self.deadline = accounts.deadline(timeout)
        self._checks = [HealthCheck("store", False, late)]
        self._checks += [HealthCheck("gateway", False, late, each.name) for each in self._asked]

    @property
    def result(self) -> Health:
        """What is known by now."""
        checks = tuple(self._checks)
        return Health(all(each.ok for each in checks), checks)

    def flow(self) -> Flow[None]:
        """Look. Raises nothing that store or gateway could cause."""
        looks = [self._store(), *(self._gateway(number) for number in range(len(self._asked)))]
        for number, look in enumerate(looks):
            try:
                wrong = yield from look
            except Exception as error:
                wrong = _said(error)
                trace = None if isinstance(error, ImpVerifyError) else error
                _log.warning("health: %s: %s", self._checks[number].name, wrong, exc_info=trace)
            self._checks[number] = replace(self._checks[number], ok=wrong is None, text=wrong)

    def _store(self) -> Flow[str | None]:
        if self._has_facts:
            facts: StoreFacts = yield from Consult("facts")
            if facts.missing:
                return f"tables are missing: {', '.join(facts.missing)}"
            if facts.folding:
                return f"different numbers are one to {', '.join(facts.folding)}"
        yield from Recall((NO_PAYMENT,))
        return None

    def _gateway(self, number: int) -> Flow[str | None]:
        yield from fetch_payment(self._asked[number], NO_PAYMENT, self.deadline)
        return None


def _said(error: Exception) -> str:
    """Return our own words; of what others raise the class alone, for the text may be anything."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, ImpVerifyError) else name
