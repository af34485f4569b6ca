"""complete, redirect, webhook and confirm: read a notice, run a flow, look up the answer; and the
browser module. A flow itself, without I/O."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ._answers import (
    FORBIDDEN,
    INVALID,
    TOO_LARGE,
    TROUBLE,
    Voice,
    approved,
    landing,
    no_method,
    reason_words,
    refused,
    verdict_answer,
)
from ._flow import Flow
from ._module import MODULE, module
from ._senders import Senders
from ._verification import Rules, approve, find_imp_uid, verify
from .errors import GatewayError, InvalidRequest
from .messages import MAX_BODY, Request, Response, read_notice, read_return
from .models import Notice, Outcome, Verdict
from .settings import Landing

__all__ = ["ENDPOINTS", "KEYS", "METHODS", "RETURN_KEYS", "Desk", "serve", "too_late"]

_log = logging.getLogger("imp_verify")

ENDPOINTS = ("complete", "redirect", "webhook", "confirm", MODULE)
"""The routes under a shop's prefix, each with and without a trailing slash."""

METHODS = {
    "complete": ("GET", "POST"),
    "redirect": ("GET",),
    "webhook": ("POST",),
    "confirm": ("POST",),
    MODULE: ("GET", "HEAD"),
}
KEYS = {
    "complete": ("imp_uid", "merchant_uid"),
    "webhook": ("imp_uid", "merchant_uid", "status", "cancellation_id"),
    "confirm": ("imp_uid", "merchant_uid", "amount"),
}
RETURN_KEYS = ("imp_uid", "merchant_uid", "imp_success", "success", "error_code", "error_msg")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints need to know besides the rules."""

    rules: Rules
    landing: Landing
    language: str
    senders: Senders


def serve(desk: Desk, endpoint: str, request: Request, began: float) -> Flow[Response]:
    """Answer one request: the one place that turns an exception into an answer, and logs it, once.

    Args:
        began: When the request came in, in seconds of the rules' clock.

    Raises:
        KeyError: There is no such endpoint.
    """
    methods = METHODS[endpoint]
    voice = Voice.of(desk.language, request.values("accept-language"))
    if request.method not in methods:
        return no_method(endpoint, request.method, ", ".join((*methods, "OPTIONS")), voice)
    if endpoint == MODULE:
        return module(request)
    if request.method == "GET":
        return (yield from _serve_return(desk, request, voice))
    notice: Notice | None = None
    try:
        if endpoint == "webhook" and (stranger := desk.senders.refusal(request)) is not None:
            _log.warning("webhook refused: %s", stranger)
            return verdict_answer(endpoint, FORBIDDEN, voice)
        if len(request.body) > MAX_BODY:
            return verdict_answer(endpoint, TOO_LARGE, voice)
        notice = read_notice(request, KEYS[endpoint], confirm=endpoint == "confirm")
        if endpoint == "confirm":
            return (yield from _serve_confirm(desk, notice, voice, began))
        outcome = yield from verify(desk.rules, notice, endpoint)
    except Exception as error:
        return verdict_answer(endpoint, _log_trouble(endpoint, error, notice), voice)
    _log_outcome(outcome, desk.rules)
    return verdict_answer(endpoint, outcome.verdict, voice)


def _serve_return(desk: Desk, request: Request, voice: Voice) -> Flow[Response]:
    """A browser comes back: verify the payment it names, or the one found for its order."""
    notice: Notice | None = None
    outcome: Outcome | None = None
    try:
        notice = read_return(request, RETURN_KEYS)
        outcome = yield from _verify_return(desk.rules, notice)
        key: str = outcome.verdict
        if outcome.imp_uid is not None:
            _log_outcome(outcome, desk.rules)
    except Exception as error:
        key = _log_trouble("redirect", error, notice)
    return landing(key, outcome, desk.landing, voice)


def _verify_return(rules: Rules, notice: Notice) -> Flow[Outcome]:
    nothing = Outcome(Verdict.FAILED, endpoint="redirect")
    if notice.imp_uid is not None:
        return (yield from verify(rules, notice, "redirect"))
    if notice.failed or notice.merchant_uid is None:
        return nothing
    deadline = rules.deadline()
    found = yield from find_imp_uid(rules, notice.merchant_uid, deadline)
    if found is None:
        return nothing
    return (yield from verify(rules, replace(notice, imp_uid=found), "redirect", deadline))


def _serve_confirm(desk: Desk, notice: Notice, voice: Voice, began: float) -> Flow[Response]:
    refusal = yield from approve(desk.rules, notice, began)
    if refusal is None:
        return approved(voice)
    hint = ""
    if refusal.key == "unknown_payment":
        hint = "; if the gateway does not know payments yet when it asks, set confirm_lookup=False"
    _log.info(
        "confirm of %s for %r refused: %s%s", notice.imp_uid, notice.merchant_uid, refusal.key, hint
    )
    return refused(reason_words(refusal.key, refusal.text, voice), voice)


def too_late(desk: Desk, request: Request) -> Response:
    """Answer a confirm whose own answer did not come in time; the gateway takes it as no."""
    _log.warning("confirm: no answer in time")
    voice = Voice.of(desk.language, request.values("accept-language"))
    return verdict_answer("confirm", TROUBLE, voice)


def _log_trouble(endpoint: str, error: Exception, notice: Notice | None) -> str:
    """Log an exception once, with the ids that were claimed, and give its row of the table; only
    what is not the gateway's needs a traceback."""
    if isinstance(error, InvalidRequest):
        _log.info("%s: malformed request: %s", endpoint, error)
        return INVALID
    claim = notice or Notice(None)
    ids = (endpoint, claim.imp_uid, claim.merchant_uid)
    if isinstance(error, GatewayError):
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
        kind = type(error).__name__
        _log.warning("%s: %s for order %r: %s: %s%s", *ids, kind, error, cause)
    else:
        _log.error("%s: %s for order %r: the store or a hook failed", *ids, exc_info=error)
    return TROUBLE


_QUIET = (Verdict.PAID, Verdict.PARTLY_CANCELLED, Verdict.VIRTUAL_ACCOUNT)
_LOUD = (Verdict.FORGERY, Verdict.DUPLICATE, Verdict.LATE)


def _log_outcome(outcome: Outcome, rules: Rules) -> None:
    """Say what a caller is not told. Ids only: no buyer's data, no secret."""
    verdict = outcome.verdict
    level = logging.WARNING if verdict in _LOUD else logging.INFO
    if verdict in _QUIET:
        level = logging.DEBUG
    if not _log.isEnabledFor(level):
        return
    reason = f" ({outcome.reason})" if outcome.reason else ""
    if outcome.asked is not None:
        reason = f"{reason} with account {outcome.asked!r}"
    hint = ""
    if verdict is Verdict.UNKNOWN_PAYMENT and not rules.test_mode:
        hint = "; a payment of a test channel is not found in live mode"
    _log.log(
        level,
        "%s: %s for order %r is %s%s%s",
        outcome.endpoint,
        outcome.imp_uid,
        outcome.merchant_uid,
        verdict,
        reason,
        hint,
    )
