"""What a request to an endpoint leaves in the log: one line, with the same fields whatever was
decided, in words that an operator can act on.

Ids, and words of the gateway, clipped and escaped; no buyer's data, no secret.
"""

from __future__ import annotations

import logging

from .._core.accounts import Accounts
from .._core.flow import Meter
from ..errors import GatewayError, GatewayProtocolError, GatewayRefused, InvalidRequest
from ..models import Notice, Outcome, Reason, Verdict
from ..observers import Decision
from ..order_numbers import LONGEST
from ..settings import Settings
from .answers import FORBIDDEN, INVALID, TROUBLE
from .http import Request, is_notice_of_v2

__all__ = ["RequestLog", "fit_for_a_line"]

_log = logging.getLogger("imp_verify")

_QUIET = (Verdict.PAID, Verdict.PARTLY_CANCELLED, Verdict.VIRTUAL_ACCOUNT)
_LOUD = (Verdict.FORGERY, Verdict.DUPLICATE, Verdict.LATE)
_V2 = (
    "%s: a notice of PortOne V2, which nobody reads here: set its version to V1 in the console "
    "(결제알림(Webhook) 관리, 웹훅 버전: 결제모듈 V1)"
)
_CREDENTIALS = "credentials"
_LONGEST_NUMBER = 100
_NO_ORDER = "redirect: %s came back without merchant_uid, which says which of the accounts to ask"


class RequestLog:
    """The one place that says what was decided about a request, and what it took: once, to the log
    and to whoever observes the verifier.

    Attributes:
        meter: What the request has cost at the gateway so far; None where nobody knows.
        notice: What the request claims, once it is read.
        ends: When its answer comes too late (`accounts.clock`), where there is such a time.
    """

    def __init__(
        self,
        settings: Settings,
        accounts: Accounts,
        endpoint: str,
        began: float,
        meter: Meter | None,
    ) -> None:
        self.meter = meter
        self.notice = Notice(None)
        self.ends: float | None = None
        self._settings = settings
        self._accounts = accounts
        self._endpoint = endpoint
        self._began = began

    def outcome(self, outcome: Outcome) -> None:
        """Say what a caller is not told: the verdict, and why."""
        level = _level(outcome)
        if self._accounts.observer is None and not _log.isEnabledFor(level):
            return
        claimed = self.notice.merchant_uid
        reason = f" ({outcome.reason})" if outcome.reason else ""
        asked = "" if outcome.asked is None else f" with account {outcome.asked!r:.100}"
        self._write(
            level,
            "%s: %s%s is %s%s%s%s",
            outcome.endpoint,
            outcome.imp_uid,
            _orders(outcome.merchant_uid, claimed),
            outcome.verdict,
            reason,
            asked,
            _hint(outcome, claimed, self._settings.test_mode),
            verdict=outcome.verdict,
            reason=outcome.reason,
            outcome=outcome,
        )

    def came_back(self, outcome: Outcome) -> None:
        """Say that a browser came back without naming a payment that could be looked up."""
        if outcome.verdict is Verdict.PENDING:
            named, why = self.notice.imp_uid or "a buyer", "merchant_uid_missing"
            self._write(logging.WARNING, _NO_ORDER, named, verdict=outcome.verdict, reason=why)
        else:
            text = "redirect: a buyer came back without a payment"
            self._write(logging.DEBUG, text, verdict=outcome.verdict)

    def approval(self, refusal: str | None) -> None:
        """Say what confirm answered, with the key of a refusal."""
        ids = (self.notice.imp_uid, self.notice.merchant_uid)
        if refusal is None:
            text = "confirm: %s for order %.100r is approved"
            self._write(logging.INFO, text, *ids, verdict="approved")
            return
        hint = ""
        if refusal == "unknown_payment":
            hint = "; if the gateway does not know payments yet when it asks, "
            hint += "set confirm_lookup=False"
        text = "confirm: %s for order %.100r is refused: %s%s"
        self._write(logging.INFO, text, *ids, refusal, hint, verdict="refused", reason=refusal)

    def stranger(self, why: str) -> None:
        """Say that a webhook came from somebody who may send none, and why."""
        self._write(logging.WARNING, "webhook refused: %s", escaped(why), verdict=FORBIDDEN)

    def too_large(self) -> None:
        """Say that a body was over the limit."""
        text = "%s: malformed request: the body is too large"
        self._write(logging.INFO, text, self._endpoint, verdict=INVALID, reason="too_large")

    def too_late(self) -> None:
        """Say that confirm had no answer in time."""
        text = "confirm: no answer in time"
        self._write(logging.WARNING, text, verdict=TROUBLE, reason="too_late")

    def trouble(self, error: Exception, request: Request) -> None:
        """Say what was raised, with the ids that were claimed; only what is not the gateway's needs
        a traceback."""
        if isinstance(error, InvalidRequest):
            self._malformed(error, request)
            return
        ids = (self._endpoint, self.notice.imp_uid, self.notice.merchant_uid)
        why = _kind(error)
        if isinstance(error, GatewayError):
            level = logging.ERROR if why == _CREDENTIALS else logging.WARNING  # waiting mends none
            text, said = "%s: %s for order %.100r: %s", _words(error)
            self._write(level, text, *ids, said, verdict=TROUBLE, reason=why)
        else:
            text = "%s: %s for order %.100r: the store or a hook failed"
            self._write(logging.ERROR, text, *ids, verdict=TROUBLE, reason=why, error=error)

    def _malformed(self, error: InvalidRequest, request: Request) -> None:
        if self._endpoint in ("webhook", "confirm") and is_notice_of_v2(request):
            self._write(logging.WARNING, _V2, self._endpoint, verdict=INVALID, reason="v2")
        else:
            text, why = "%s: malformed request: %s", "malformed"
            self._write(logging.INFO, text, self._endpoint, str(error), verdict=INVALID, reason=why)

    def _write(
        self,
        level: int,
        text: str,
        *words: object,
        verdict: str,
        reason: str | None = None,
        outcome: Outcome | None = None,
        error: Exception | None = None,
    ) -> None:
        observer, heard = self._accounts.observer, _log.isEnabledFor(level)
        if observer is None and not heard:
            return
        if self.ends is not None and self._accounts.clock() > self.ends:
            # Decided already, by whoever waited for it; but what the shop's code raised is news.
            if error is not None:
                _log.log(level, text, *words, exc_info=error)
            return
        decision = self._decision(verdict, reason, outcome)
        if heard:
            _log.log(level, text, *words, exc_info=error, extra=decision.fields())
        if observer is not None:
            _ = observer.decided(decision)

    def _decision(self, verdict: str, reason: str | None, outcome: Outcome | None) -> Decision:
        took, meter, notice = self._accounts.clock() - self._began, self.meter, self.notice
        settled = None if outcome is None or outcome.settled is None else str(outcome.settled)
        return Decision(
            self._endpoint,
            str(verdict),
            notice.imp_uid if outcome is None else outcome.imp_uid,
            None if outcome is None else fit_for_a_line(outcome.merchant_uid),
            notice.merchant_uid,
            None if reason is None else str(reason),
            settled,
            round(took * 1000, 3),
            None if meter is None else round(meter.seconds * 1000, 3),
            None if meter is None else meter.calls,
        )


def escaped(text: str, longest: int = 300) -> str:
    """Return text of somebody else's for a line of the log: clipped, and without a character that
    moves the cursor, starts a line or turns the direction of what follows."""
    return repr(text[:longest])[1:-1]


def fit_for_a_line(text: str | None) -> str | None:
    """Return the gateway's number of an order as a field: itself, but for one that is no number."""
    fit = text is None or (len(text) <= _LONGEST_NUMBER and text.isprintable())
    return text if fit else escaped(str(text), _LONGEST_NUMBER)


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
        cut = len(outcome.merchant_uid or "") == LONGEST
        perhaps = f"; some PGs cut a longer number to these {LONGEST} characters" if cut else ""
        return f"; it is paid, and the shop knows no such order{perhaps}"
    fetched = outcome.merchant_uid
    other = outcome.reason is Reason.ORDER and fetched and claimed
    if other and (str(fetched).startswith(str(claimed)) or str(claimed).startswith(str(fetched))):
        return (
            f"; it looks cut: one number begins the other, and some PGs keep {LONGEST} characters"
        )
    return ""


def _kind(error: Exception) -> str:
    """Say in one word what kept a request from its verdict: who must mend it."""
    if isinstance(error, GatewayRefused):
        return _CREDENTIALS if error.http_status == 401 else "gateway_refused"
    if isinstance(error, GatewayProtocolError):
        return "gateway_protocol"
    return "gateway_unavailable" if isinstance(error, GatewayError) else "store"


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
