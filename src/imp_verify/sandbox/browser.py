"""What the buyer's browser is told at the end: callback objects and return queries. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from imp_verify.sandbox.attempt import Attempt

CLASSIC = "classic"
IDS_ONLY = "ids-only"


@dataclass(frozen=True, slots=True)
class Visit:
    """How a buyer came to the window, and so how the result goes back.

    Attributes:
        style: `classic` for the jQuery SDK's full answer, `ids-only` for v1/iamport.js.
        origin: The shop page's origin, as its browser said: the only one that the result is handed
            to, and that may frame the window. None where no page asked.
        redirect_url: Where the browser goes back to; None where the page waits for a callback.
        language: Of the window.
    """

    style: str
    origin: str | None
    redirect_url: str | None
    language: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it ended without success, in the PG's own words."""

    code: str
    message: str


def problem_of(attempt: Attempt) -> Problem | None:
    """Tell what went wrong; None where it was paid or an account was issued."""
    if attempt.status == "failed":
        return Problem(attempt.error_code or "SANDBOX_FAILED", attempt.fail_reason or "")
    if attempt.in_window:
        return Problem("SANDBOX_CLOSED", "사용자가 결제를 취소하셨습니다")
    return None


def callback(attempt: Attempt, style: str) -> dict[str, object]:
    """Make the object that `IMP.request_pay`'s callback gets.

    Source: JavaScript SDK, payment result.
    """
    problem = problem_of(attempt)
    answer = _ids(attempt)
    if style == CLASSIC:
        answer = {"success": problem is None, **answer, **_details(attempt)}
    if problem is not None:
        answer.update(error_code=problem.code, error_msg=problem.message)
    return answer


def refused(merchant_uid: object, problem: Problem, style: str) -> dict[str, object]:
    """Make the callback object where no window opened: there is no payment, so no imp_uid."""
    answer: dict[str, object] = {"success": False} if style == CLASSIC else {}
    return {
        **answer,
        "imp_uid": None,
        "merchant_uid": merchant_uid,
        "error_code": problem.code,
        "error_msg": problem.message,
    }


def return_address(attempt: Attempt, visit: Visit) -> str:
    """Make the address that the browser is sent back to; a query that it has stays.

    Source: V1 redirect; `imp_success` is the older SDK's alone.
    """
    assert visit.redirect_url is not None
    problem = problem_of(attempt)
    pairs = [("imp_uid", attempt.imp_uid), ("merchant_uid", attempt.merchant_uid)]
    if visit.style == CLASSIC:
        pairs.append(("imp_success", "false" if problem else "true"))
    if problem is not None:
        pairs += [("error_code", problem.code), ("error_msg", problem.message)]
    address, mark, fragment = visit.redirect_url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(pairs)}{mark}{fragment}"


def _ids(attempt: Attempt) -> dict[str, object]:
    return {"imp_uid": attempt.imp_uid, "merchant_uid": attempt.merchant_uid}


def _details(attempt: Attempt) -> dict[str, object]:
    wire = attempt.wire()
    names = (
        "pay_method",
        "status",
        "name",
        "pg_provider",
        "emb_pg_provider",
        "pg_tid",
        "buyer_name",
        "buyer_email",
        "buyer_tel",
        "buyer_addr",
        "buyer_postcode",
        "custom_data",
        "currency",
        "paid_at",
        "receipt_url",
        "apply_num",
        "card_name",
        "card_quota",
        "card_number",
    )
    account = ("vbank_num", "vbank_name", "vbank_holder", "vbank_date")
    wanted = names + account if attempt.vbank else names
    return {"paid_amount": attempt.amount, **{name: wire[name] for name in wanted}}
