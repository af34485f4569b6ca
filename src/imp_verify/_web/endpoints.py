"""complete, redirect, webhook and confirm: read a notice, run a flow, look up the answer; and the
browser module. A flow itself, without I/O."""

from __future__ import annotations

import logging
from dataclasses import replace

from .._core.accounts import Accounts
from .._core.flow import Flow
from .._core.giving_back import deliver
from .._core.verification import approve, find_imp_uid
from ..errors import GatewayError, GatewayRefused, InvalidRequest
from ..models import Notice, Outcome, Reason, Verdict
from ..settings import Settings
from .answers import (
    FORBIDDEN,
    INVALID,
    TOO_LARGE,
    TROUBLE,
    Told,
    Wording,
    answer_key,
    approved,
    landing,
    no_method,
    reason_words,
    refused,
    verdict_answer,
)
from .http import MAX_BODY, Request, Response, is_notice_of_v2, read_notice, read_return
from .script import MODULE, module
from .webhook_sources import Senders

__all__ = ["ENDPOINTS", "KEYS", "METHODS", "RETURN_KEYS", "serve", "too_late"]

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


def serve(
    settings: Settings,
    accounts: Accounts,
    senders: Senders,
    endpoint: str,
    request: Request,
    began: float,
) -> Flow[Response]:
    """Answer one request: the one place that turns an exception into an answer, and logs it, once.

    Args:
        began: When the request came in, in seconds of `accounts.clock`.

    Raises:
        KeyError: There is no such endpoint.
    """
    methods = METHODS[endpoint]
    wording = Wording.of(settings.language, request.values("accept-language"))
    if request.method not in methods:
        return no_method(endpoint, request.method, ", ".join((*methods, "OPTIONS")), wording)
    if endpoint == MODULE:
        return module(request)
    if request.method == "GET":
        return (yield from _serve_return(settings, accounts, request, wording))
    notice: Notice | None = None
    try:
        if endpoint == "webhook" and (stranger := senders.refusal(request)) is not None:
            log_refusal(stranger)
            return verdict_answer(endpoint, FORBIDDEN, wording)
        if request.problem == "too large" or len(request.body) > MAX_BODY:
            return verdict_answer(endpoint, TOO_LARGE, wording)
        notice = read_notice(request, KEYS[endpoint], confirm=endpoint == "confirm")
        if endpoint == "confirm":
            return (yield from _serve_confirm(settings, accounts, notice, wording, began))
        outcome = yield from deliver(settings, accounts, notice, endpoint)
    except Exception as error:
        log_trouble(endpoint, error, request, notice)
        return verdict_answer(endpoint, _row(error), wording)
    log_outcome(outcome, notice.merchant_uid, test_mode=settings.test_mode)
    return verdict_answer(endpoint, answer_key(outcome), wording)


def _row(error: Exception) -> str:
    """Return an exception's row of the table."""
    return INVALID if isinstance(error, InvalidRequest) else TROUBLE


def _serve_return(
    settings: Settings, accounts: Accounts, request: Request, wording: Wording
) -> Flow[Response]:
    """A browser comes back: verify the payment it names, or the one found for its order."""
    notice: Notice | None = None
    outcome: Outcome | None = None
    try:
        notice = read_return(request, RETURN_KEYS)
        outcome = yield from _verify_return(settings, accounts, notice)
        key = answer_key(outcome)
        if outcome.imp_uid is not None:
            log_outcome(outcome, notice.merchant_uid, test_mode=settings.test_mode)
    except Exception as error:
        log_trouble("redirect", error, request, notice)
        key = _row(error)
    return landing(key, Told.of(outcome, notice), settings.landing, wording)


def _verify_return(settings: Settings, accounts: Accounts, notice: Notice) -> Flow[Outcome]:
    nothing = Outcome(Verdict.FAILED, endpoint="redirect")
    if notice.imp_uid is None and notice.failed:
        return nothing
    if notice.merchant_uid is None and accounts.only is None:
        _log.warning(
            "redirect: %s came back without merchant_uid, which says which of the accounts to ask",
            notice.imp_uid or "a buyer",
        )
        return Outcome(Verdict.PENDING, endpoint="redirect")  # not "failed": it may well be paid
    if notice.imp_uid is not None:
        return (yield from deliver(settings, accounts, notice, "redirect"))
    if notice.merchant_uid is None:
        return nothing
    deadline = accounts.deadline(settings.timeout)
    found = yield from find_imp_uid(accounts, notice.merchant_uid, deadline)
    if found is None:
        return nothing
    notice = replace(notice, imp_uid=found)
    return (yield from deliver(settings, accounts, notice, "redirect", deadline))


def _serve_confirm(
    settings: Settings, accounts: Accounts, notice: Notice, wording: Wording, began: float
) -> Flow[Response]:
    refusal = yield from approve(settings, accounts, notice, began)
    log_approval(notice, None if refusal is None else refusal.key)
    if refusal is None:
        return approved(wording)
    return refused(reason_words(refusal.key, refusal.text, wording), wording)


def too_late(settings: Settings, request: Request) -> Response:
    """Answer a confirm whose own answer did not come in time; the gateway takes it as no."""
    _log.warning("confirm: no answer in time")
    wording = Wording.of(settings.language, request.values("accept-language"))
    return verdict_answer("confirm", TROUBLE, wording)


# What a delivery leaves in the log, in words that an operator can act on: ids, and words of the
# gateway, clipped and escaped; no buyer's data, no secret.

_QUIET = (Verdict.PAID, Verdict.PARTLY_CANCELLED, Verdict.VIRTUAL_ACCOUNT)
_LOUD = (Verdict.FORGERY, Verdict.DUPLICATE, Verdict.LATE)
_V2 = (
    "%s: a notice of PortOne V2, which nobody reads here: set its version to V1 in the console "
    "(결제알림(Webhook) 관리, 웹훅 버전: 결제모듈 V1)"
)


def escaped(text: str, longest: int = 300) -> str:
    """Return text of somebody else's for a line of the log: clipped, and without a character that
    moves the cursor, starts a line or turns the direction of what follows."""
    return repr(text[:longest])[1:-1]


def log_outcome(outcome: Outcome, claimed: str | None, *, test_mode: bool) -> None:
    """Say what a caller is not told.

    Args:
        claimed: The order that the request named, which need not be the gateway's.
    """
    level = _level(outcome)
    if not _log.isEnabledFor(level):
        return
    reason = f" ({outcome.reason})" if outcome.reason else ""
    asked = "" if outcome.asked is None else f" with account {outcome.asked!r:.100}"
    _log.log(
        level,
        "%s: %s%s is %s%s%s%s",
        outcome.endpoint,
        outcome.imp_uid,
        _orders(outcome.merchant_uid, claimed),
        outcome.verdict,
        reason,
        asked,
        _hint(outcome, claimed, test_mode),
    )


def _level(outcome: Outcome) -> int:
    if outcome.verdict is Verdict.UNKNOWN_ORDER and outcome.money:
        return logging.ERROR  # somebody has paid, and nobody will ship
    if outcome.verdict in _LOUD:
        return logging.WARNING
    return logging.DEBUG if outcome.verdict in _QUIET else logging.INFO


def _orders(fetched: str | None, claimed: str | None) -> str:
    """Name the order, and the one that was claimed where it is another."""
    if fetched is None or claimed == fetched:
        return f" for order {claimed!r:.100}"
    named = "" if claimed is None else f", claimed for {claimed!r:.100},"
    return f" for order {fetched!r:.100}{named}"


def _hint(outcome: Outcome, claimed: str | None, test_mode: bool) -> str:
    if outcome.verdict is Verdict.UNKNOWN_PAYMENT and not test_mode:
        return "; a payment of a test channel is not found in live mode"
    if outcome.verdict is Verdict.UNKNOWN_ORDER and outcome.money:
        return "; it is paid, and the shop knows no such order"
    fetched = outcome.merchant_uid
    other = outcome.reason is Reason.ORDER and fetched and claimed
    if other and (str(fetched).startswith(str(claimed)) or str(claimed).startswith(str(fetched))):
        return "; it looks cut: one number begins the other, and some PGs keep 40 characters"
    return ""


def log_approval(notice: Notice, refusal: str | None) -> None:
    """Say what confirm answered, with the key of a refusal."""
    if refusal is None:
        _log.info("confirm: %s for order %.100r is approved", notice.imp_uid, notice.merchant_uid)
        return
    hint = ""
    if refusal == "unknown_payment":
        hint = "; if the gateway does not know payments yet when it asks, set confirm_lookup=False"
    ids = (notice.imp_uid, notice.merchant_uid)
    _log.info("confirm: %s for order %.100r is refused: %s%s", *ids, refusal, hint)


def log_refusal(why: str) -> None:
    """Say that a webhook came from somebody who may send none, and why."""
    _log.warning("webhook refused: %s", escaped(why))


def log_trouble(endpoint: str, error: Exception, request: Request, notice: Notice | None) -> None:
    """Log an exception once, with the ids that were claimed; only what is not the gateway's needs a
    traceback."""
    if isinstance(error, InvalidRequest):
        if endpoint in ("webhook", "confirm") and is_notice_of_v2(request):
            _log.warning(_V2, endpoint)
        else:
            _log.info("%s: malformed request: %s", endpoint, error)
        return
    claim = notice or Notice(None)
    ids = (endpoint, claim.imp_uid, claim.merchant_uid)
    if isinstance(error, GatewayError):
        refused = isinstance(error, GatewayRefused) and error.http_status == 401
        level = logging.ERROR if refused else logging.WARNING  # waiting mends no credentials
        _log.log(level, "%s: %s for order %.100r: %s", *ids, _words(error))
    else:
        _log.error("%s: %s for order %.100r: the store or a hook failed", *ids, exc_info=error)


def _words(error: GatewayError) -> str:
    """Return an error's own words, then those of the gateway, which are somebody else's."""
    words = f"{type(error).__name__}: {escaped(str(error))}"
    cause = type(error.__cause__).__name__
    if error.__cause__ is not None and cause not in words:
        words += f" ({cause})"
    said = [] if error.http_status is None else [f"HTTP {error.http_status}"]
    said += [] if error.code is None else [f"code {error.code}"[:40]]
    said += [] if error.message is None else [f"'{escaped(error.message)}'"]
    return f"{words} [gateway: {', '.join(said)}]" if said else words
