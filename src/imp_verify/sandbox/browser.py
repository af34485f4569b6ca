"""What the buyer's browser is told at the end: callback objects and return queries. Pure.

The builds of the SDK differ in it; `version_of` says which one a script's address asks for:

- `1.1`, `1.2`: `/js/iamport.payment-1.1.x.js` and `-1.2.x.js`. Everything, with `success`.
- `1.3`: `/js/iamport.payment-1.3.x.js`. Everything, with `imp_success`; the ids alone with some
  PGs: see `Pg.callback`.
- `v1`: `/v1/iamport.js`. The ids alone, and on failure the error.

The vendor's pages differ on what the newest script says with older PGs (one: `success` is gone; the
other: they still send `imp_success`). `1.3` keeps to the latter, `v1` to the former.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import (
    ALREADY_PAID,
    CLOSED,
    CLOSED_MESSAGE,
    NOT_SEEN,
    NOT_SEEN_MESSAGE,
)
from imp_verify.sandbox.pgs import IDS_ALONE, Pg

V1 = "v1"
USUAL = "usual"
NO_ID = "no-id"
NULL_ID = "null-id"
UNTRUE = "untrue"
SILENT = "silent"
"""How the page is told: as it should be, without the imp_uid, with null in its place, with a flag
that says false of a payment that is paid, or never."""
PC, MOBILE = "pc", "mobile"
PG_TYPE = "payment"
"""As recorded callbacks of several PGs have it."""
VERSIONS = ("1.1", "1.2", "1.3", V1)
_SCRIPT = re.compile(r"(1\.[123])\.[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Visit:
    """How a buyer came to the window, and so how the result goes back.

    Attributes:
        version: Of the SDK's build, one of VERSIONS.
        origin: The shop page's origin, as its browser said: the only one that the result is handed
            to, and that may frame the window. None where no page asked.
        redirect_url: Where the browser goes back to; None where the page waits for a callback.
        language: Of the window.
        back: The page's m_redirect_url; None where it gave none.
        leaves_on: The devices on which the browser leaves the page for the window.
        has_left: Whether it has: nothing waits for a callback then.
    """

    version: str
    origin: str | None
    redirect_url: str | None
    language: str
    back: str | None = None
    leaves_on: tuple[str, ...] = ()
    has_left: bool = False

    def on(self, device: str) -> Visit:
        """Return it as on another device."""
        if self.has_left:
            return self
        return replace(self, redirect_url=self.back if device in self.leaves_on else None)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it ended without success, in the PG's own words."""

    code: str
    message: str


def version_of(number: str) -> str | None:
    """Name the build that `iamport.payment-{number}.js` is; None where there never was one."""
    found = _SCRIPT.fullmatch(number)
    return found[1] if found else None


def problem_of(attempt: Attempt) -> Problem | None:
    """Tell what went wrong; None where it was paid or an account was issued."""
    if attempt.status == "failed":
        return Problem(attempt.error_code or "SANDBOX_FAILED", attempt.fail_reason or "")
    if attempt.in_window:
        return Problem(CLOSED, attempt.pg.closed_prefix + CLOSED_MESSAGE)
    return None


def leaves(row: Pg, device: str, params: Mapping[str, object], redirect: str) -> bool:
    """Tell whether the browser leaves a shop's page for the window; the SDK's script decides by the
    same rule.

    Args:
        row: The PG's.
        device: PC or MOBILE.
        params: Those of `IMP.request_pay`.
        redirect: The setting.

    Source: V1 redirect; the PGs' own pages.
    """
    if redirect != "auto":
        return redirect == "always"
    if device == MOBILE:
        return not row.callback_on_mobile
    unless = row.redirect_unless
    return row.redirect_on_pc and (not unless or params.get(unless) is False)


def callback(attempt: Attempt, version: str, told: str = USUAL) -> dict[str, object]:
    """Make the object that `IMP.request_pay`'s callback gets.

    Args:
        attempt: The payment.
        version: Of the build.
        told: How: USUAL, NO_ID, NULL_ID or UNTRUE.

    Source: JavaScript SDK, payment result; the PGs' own pages.
    """
    flag, problem = _flag(attempt, version), problem_of(attempt)
    answer = _ids(attempt, told)
    if flag:
        details = _details(attempt) if _tells_all(attempt) else {}
        answer = {flag: _succeeded(attempt, problem, told), **answer, **details}
    elif told == UNTRUE and problem is None:
        problem = Problem(NOT_SEEN, NOT_SEEN_MESSAGE)
    if problem is not None:
        answer.update(error_code=problem.code, error_msg=problem.message)
    return answer


def _succeeded(attempt: Attempt, problem: Problem | None, told: str) -> bool:
    """Say what the flag says. Source: Kiwoompay's page on a flag that is false of what is paid."""
    untrue = told == UNTRUE or (attempt.pg.flag_lies and attempt.status == "paid")
    return problem is None and not untrue


def _tells_all(attempt: Attempt) -> bool:
    on_a_phone = attempt.vbank is not None and attempt.channel == MOBILE
    return attempt.pg.vbank_in_mobile_callback or not on_a_phone


def refused(merchant_uid: object, message: str, version: str, code: str = "") -> dict[str, object]:
    """Make the callback object where no window opened: there is no payment.

    Args:
        merchant_uid: As the page gave it.
        message: Why, for the buyer.
        version: Of the build.
        code: F500 where the service itself failed; left out it is F1002 for an order that is paid
            and F400 for anything else.

    F400 and F500 have no imp_uid at all, with F1002 it is null. There is no `success`.
    """
    code = code or ("F1002" if message == ALREADY_PAID else "F400")
    ids = {"imp_uid": None} if code == "F1002" else {}
    error = {"error_code": code, "error_msg": message}
    return {**_failed(version), **ids, "merchant_uid": merchant_uid, **error}


def popup_closed(attempt: Attempt, version: str) -> dict[str, object]:
    """Make the callback object where the buyer closed the popup, as the script finds by polling.

    The builds before `v1` misspell the code's name.
    """
    problem = problem_of(attempt)
    if problem is None or problem.code != CLOSED:
        return callback(attempt, version)
    name = "error_code" if version == V1 else "error_coe"
    error = {name: "F1001", "error_msg": problem.message}
    return {**_failed(version), **_ids(attempt), **error}


def return_address(attempt: Attempt, visit: Visit, told: str = USUAL) -> str:
    """Make the address that the browser is sent back to; a query that it has stays.

    `told` is as in `callback`; an address cannot say null, so the imp_uid is missing for that too.

    Source: V1 redirect; `imp_success` is the older SDK's alone.
    """
    assert visit.redirect_url is not None
    problem = problem_of(attempt)
    pairs = [(name, str(value)) for name, value in _ids(attempt, told).items() if value]
    if _flag(attempt, visit.version):
        flag = _succeeded(attempt, problem, told)
        pairs.append(("imp_success", "true" if flag else "false"))
    elif told == UNTRUE and problem is None:
        problem = Problem(NOT_SEEN, NOT_SEEN_MESSAGE)
    if problem is not None:
        pairs += [("error_code", problem.code), ("error_msg", problem.message)]
    address, mark, fragment = visit.redirect_url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(pairs)}{mark}{fragment}"


def _failed(version: str) -> dict[str, object]:
    return {} if version == V1 else {"imp_success": False}


def _flag(attempt: Attempt, version: str) -> str | None:
    """Name the field that says whether it was a success; None where there is none."""
    if version == "1.3":
        return None if attempt.pg.callback == IDS_ALONE else "imp_success"
    return None if version == V1 else "success"


def _ids(attempt: Attempt, told: str = USUAL) -> dict[str, object]:
    ids = {} if told == NO_ID else {"imp_uid": None if told == NULL_ID else attempt.imp_uid}
    return {**ids, "merchant_uid": attempt.merchant_uid}


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
        "bank_name",
        "card_quota",
        "card_number",
    )
    account = ("vbank_num", "vbank_name", "vbank_holder", "vbank_date")
    wanted = names + account if attempt.vbank else names
    told = {name: wire[name] for name in wanted}
    return {"paid_amount": attempt.amount, "pg_type": PG_TYPE, **told}
