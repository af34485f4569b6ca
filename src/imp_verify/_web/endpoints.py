"""complete, redirect, webhook and confirm: read a notice, run a flow, look up the answer; and the
browser module. A flow itself, without I/O."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from .._core.accounts import Accounts
from .._core.flow import Flow, Meter, metered
from .._core.giving_back import deliver
from .._core.verification import approve, find_imp_uid
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
    answer_key,
    approved,
    landing,
    no_method,
    reason_words,
    refused,
    verdict_answer,
)
from .decisions import RequestLog
from .http import MAX_BODY, Request, Response, read_notice, read_return
from .script import MODULE, module
from .webhook_sources import Senders

__all__ = ["ENDPOINTS", "KEYS", "METHODS", "RETURN_KEYS", "serve", "too_late"]

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
    came_back = request.method == "GET"
    meter = Meter()
    log = RequestLog(settings, accounts, "redirect" if came_back else endpoint, began, meter)
    flow = (
        _serve_return(settings, accounts, request, wording, log)
        if came_back
        else _serve_post(settings, accounts, senders, endpoint, request, wording, log, began)
    )
    return (yield from metered(flow, meter, accounts.clock))


def _serve_post(
    settings: Settings,
    accounts: Accounts,
    senders: Senders,
    endpoint: str,
    request: Request,
    wording: Wording,
    log: RequestLog,
    began: float,
) -> Flow[Response]:
    """The gateway or the shop's page tells of a payment: verify or approve it."""
    try:
        if endpoint == "webhook" and (stranger := senders.refusal(request)) is not None:
            log.stranger(stranger)
            return verdict_answer(endpoint, FORBIDDEN, wording)
        if request.problem == "too large" or len(request.body) > MAX_BODY:
            log.too_large()
            return verdict_answer(endpoint, TOO_LARGE, wording)
        log.notice = read_notice(request, KEYS[endpoint], confirm=endpoint == "confirm")
        if endpoint == "confirm":
            log.ends = began + settings.confirm_timeout
            return (yield from _serve_confirm(settings, accounts, wording, log, began))
        outcome = yield from deliver(settings, accounts, log.notice, endpoint)
    except Exception as error:
        log.trouble(error, request)
        return verdict_answer(endpoint, _row(error), wording)
    log.outcome(outcome)
    return verdict_answer(endpoint, answer_key(outcome), wording)


def _row(error: Exception) -> str:
    """Return an exception's row of the table."""
    return INVALID if isinstance(error, InvalidRequest) else TROUBLE


def _serve_return(
    settings: Settings, accounts: Accounts, request: Request, wording: Wording, log: RequestLog
) -> Flow[Response]:
    """A browser comes back: verify the payment it names, or the one found for its order."""
    notice: Notice | None = None
    outcome: Outcome | None = None
    try:
        log.notice = notice = read_return(request, RETURN_KEYS)
        outcome = yield from _verify_return(settings, accounts, notice)
        key = answer_key(outcome)
        if outcome.imp_uid is None:
            log.came_back(outcome)
        else:
            log.outcome(outcome)
    except Exception as error:
        log.trouble(error, request)
        key = _row(error)
    return landing(key, Told.of(outcome, notice), settings.landing, wording)


def _verify_return(settings: Settings, accounts: Accounts, notice: Notice) -> Flow[Outcome]:
    nothing = Outcome(Verdict.FAILED, endpoint="redirect")
    if notice.imp_uid is None and notice.failed:
        return nothing
    if notice.merchant_uid is None and accounts.only is None:
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
    settings: Settings, accounts: Accounts, wording: Wording, log: RequestLog, began: float
) -> Flow[Response]:
    refusal = yield from approve(settings, accounts, log.notice, began)
    log.approval(None if refusal is None else refusal.key)
    if refusal is None:
        return approved(wording)
    return refused(reason_words(refusal.key, refusal.text, wording), wording)


def too_late(settings: Settings, accounts: Accounts, request: Request, began: float) -> Response:
    """Answer a confirm whose own answer did not come in time; the gateway takes it as no."""
    log = RequestLog(settings, accounts, "confirm", began, None)
    with suppress(InvalidRequest):
        log.notice = read_notice(request, KEYS["confirm"], confirm=True)
    log.too_late()
    wording = Wording.of(settings.language, request.values("accept-language"))
    return verdict_answer("confirm", TROUBLE, wording)
