"""What a delivery leaves in the log, in words that an operator can act on. Ids, and words of the
gateway, clipped and escaped: no buyer's data, no secret."""

from __future__ import annotations

import logging

from ..errors import GatewayError, GatewayRefused, InvalidRequest
from ..models import Notice, Outcome, Reason, Verdict
from .http import Request, is_notice_of_v2

__all__ = ["escaped", "log_approval", "log_outcome", "log_refusal", "log_trouble"]

_log = logging.getLogger("imp_verify")

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
