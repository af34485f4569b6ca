"""Giving back, from the admin, one payment that somebody chose: what came of it, and what a row of
`imp_dues` asks of a person. No admin and no request; the words are the admin's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop

from ... import AsyncVerifier, GatewayRefused, GatewayUnavailable, InvalidRequest, Outcome, Verdict
from ...models import LEFT_TO_A_PERSON
from .conf import get_verifier

__all__ = ["Tried", "advice", "amount_of", "give_back", "said"]

_log = logging.getLogger("imp_verify")
_NOTHING = "-"
_ORDER_REFUNDED = "order_refunded"
_TEXTS = {
    "asked": gettext_noop("Look in the console whether it is gone"),
    "needs_account": gettext_noop("Needs a bank account: imp-verify give-back"),
    "unknown_payment": gettext_noop("Look in the console: not found"),
    _ORDER_REFUNDED: gettext_noop("Keep it or give it back: the order's own is gone"),
}
_NEVER = {
    "asked": gettext_noop("It was asked already: look in the console."),
    "needs_account": gettext_noop("It needs the buyer's bank account: imp-verify give-back."),
}
"""What the action does not try. A second cancel of what was asked may be carried out too, and a
choice among fifty rows is no look; a bank account has no place in the admin."""


@dataclass(frozen=True)
class Tried:
    """What came of one row.

    Attributes:
        level: Of the message.
        asked: Whether the gateway was asked at all.
        goes_on: Whether the next row is to be tried: what is wrong may be wrong with all.
    """

    level: int
    text: str
    asked: bool = True
    goes_on: bool = True


def give_back(due: Any, read: Callable[[], Any]) -> Tried:
    """Give one payment back. To be called in no transaction.

    Args:
        due: Its row as it was chosen.
        read: Reads the row anew.
    """
    if why := _never(due):
        return _left(due, why, asked=False)
    try:
        outcome = _ask(due.imp_uid)
    except InvalidRequest:
        return _left(due, _why_not(due, read()))
    except GatewayRefused:
        after = read()
        if after.tries == due.tries:  # not this payment's cancel, but us
            return _trouble(due)
        return _left(due, gettext("The gateway refuses: %(error)s") % {"error": after.error}, True)
    except GatewayUnavailable as error:
        return _unanswered(due) if error.uncertain else _trouble(due)
    except Exception:  # the shop's own, too
        return _trouble(due)
    return _came_to(outcome, due, read())


def _ask(imp_uid: str) -> Outcome:
    verifier = get_verifier()
    if isinstance(verifier, AsyncVerifier):
        return async_to_sync(_ask_async)(verifier, imp_uid)
    return verifier.give_back(imp_uid)


async def _ask_async(verifier: AsyncVerifier, imp_uid: str) -> Outcome:
    try:
        return await verifier.give_back(imp_uid)
    finally:
        await verifier.close()  # this loop ends here, and with it what belongs to it


def _never(due: Any) -> str | None:
    if due.done is not None:
        return str(gettext("It is due no more."))
    return str(gettext(_NEVER[due.error])) if due.error in _NEVER else None


def _why_not(due: Any, after: Any) -> str:
    """Say why nothing was sent."""
    if why := _never(after):
        return why
    if after.error == _ORDER_REFUNDED and due.error != _ORDER_REFUNDED:
        return str(gettext("The order's own payment is gone: this one may be kept."))
    return str(gettext("Somebody may be giving it back now: look again."))


def _came_to(outcome: Outcome, due: Any, after: Any) -> Tried:
    if outcome.verdict is Verdict.CANCELLED or (after.done is not None and not outcome.paid):
        text = gettext("Given back: %(payment)s") % {"payment": _named(due)}
        return Tried(messages.SUCCESS, text)
    if outcome.paid:
        return _left(due, gettext("It pays its order now."))
    if outcome.verdict is Verdict.UNKNOWN_PAYMENT:
        return _left(due, gettext("The gateway does not know it."))
    if after.error == "asked":
        text = gettext("Asked: %(payment)s. Look in the console whether it is gone.")
        return Tried(messages.WARNING, text % {"payment": _named(due)})
    return _left(due, gettext("It is something else by now: look again."))


def _left(due: Any, why: str, bad: bool = False, *, asked: bool = True) -> Tried:
    text = gettext("Left: %(payment)s. %(why)s") % {"why": why, "payment": _named(due)}
    return Tried(messages.ERROR if bad else messages.WARNING, text, asked)


def _unanswered(due: Any) -> Tried:
    _log.exception("giving %s back from the admin: no answer", due.imp_uid)
    text = gettext("No answer: %(payment)s. It may be done: look in the console.")
    return Tried(messages.ERROR, text % {"payment": _named(due)}, goes_on=False)


def _trouble(due: Any) -> Tried:
    _log.exception("%s could not be given back from the admin", due.imp_uid)
    text = gettext("Trouble at %(imp_uid)s: the log says more.") % {"imp_uid": due.imp_uid}
    return Tried(messages.ERROR, text, goes_on=False)


def _named(due: Any) -> str:
    return f"{due.imp_uid} ({due.merchant_uid}, {amount_of(due.amount, due.currency)})"


def amount_of(amount: Any, currency: str | None) -> str:
    """Write an amount of money so that no line ends within it."""
    return f"{amount:,f}\N{NO-BREAK SPACE}{currency or ''}".strip()


def said(due: Any) -> str:
    """Return why the last try came to nothing, in the gateway's own words or ours."""
    return _NOTHING if due.error in (None, *LEFT_TO_A_PERSON) else str(due.error)


def advice(due: Any, consented: frozenset[str]) -> str:
    """Say what is to be done about a row.

    Args:
        consented: The kinds that the verifier gives back by itself.
    """
    if due.done is not None:
        return _NOTHING
    if due.error in _TEXTS:
        return str(gettext(_TEXTS[due.error]))
    if due.begun is not None and due.error is None and due.next_try and due.next_try > now():
        return str(gettext("Is being given back"))
    if due.next_try is not None and due.kind in consented:
        return str(gettext("Is tried again by itself"))
    if due.kind == "late":
        return str(gettext("Give it back, or reopen the order"))
    return str(gettext("Give it back"))
