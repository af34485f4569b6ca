"""complete, redirect, webhook and confirm: read a notice, run a flow, look up the answer; and the
browser module. A flow itself, without I/O."""

from __future__ import annotations

import logging
from dataclasses import replace

from .._core.accounts import Accounts
from .._core.flow import Flow
from .._core.verification import approve, find_imp_uid, verify
from ..errors import InvalidRequest
from ..models import Notice, Outcome, Verdict
from ..settings import Settings
from .answers import (
    FORBIDDEN,
    INVALID,
    TOO_LARGE,
    TROUBLE,
    Told,
    Wording,
    approved,
    landing,
    no_method,
    reason_words,
    refused,
    verdict_answer,
)
from .http import MAX_BODY, Request, Response, read_notice, read_return
from .log import log_approval, log_outcome, log_refusal, log_trouble
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
        outcome = yield from verify(settings, accounts, notice, endpoint)
    except Exception as error:
        log_trouble(endpoint, error, request, notice)
        return verdict_answer(endpoint, _row(error), wording)
    log_outcome(outcome, notice.merchant_uid, test_mode=settings.test_mode)
    return verdict_answer(endpoint, outcome.verdict, wording)


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
        key: str = outcome.verdict
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
        return (yield from verify(settings, accounts, notice, "redirect"))
    if notice.merchant_uid is None:
        return nothing
    deadline = accounts.deadline(settings.timeout)
    found = yield from find_imp_uid(accounts, notice.merchant_uid, deadline)
    if found is None:
        return nothing
    notice = replace(notice, imp_uid=found)
    return (yield from verify(settings, accounts, notice, "redirect", deadline))


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
