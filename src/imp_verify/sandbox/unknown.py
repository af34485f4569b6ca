"""What nobody knows of the real gateway, as settings: one question, its alternatives, a default.

The numbers are those of the 23 open questions that were left when all that the vendor publishes had
been read. What is not written anywhere is no alternative: a figure that only we could have made up
(calls a second) is off, also where `strict` picks. A question of several parts has a setting each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from imp_verify.sandbox.kinds import Flag, Kind, OneNumber, OneOf, Seconds, Text, Whole

if TYPE_CHECKING:
    from imp_verify.sandbox.attempt import Attempt

_LETTERS = str.maketrans("0123456789", "abcdefghij")
_KOREA = timezone(timedelta(hours=9))
_HOUR = 3600


def setting(
    default: object,
    kind: Kind,
    says: str,
    *,
    question: int | None = None,
    why: str = "",
    hardest: object = None,
) -> Any:
    """Make a field of Settings; `settings.Setting` says what the arguments are."""
    told = {"kind": kind, "says": says, "question": question, "why": why}
    hardest = default if hardest is None else hardest
    return field(default=default, metadata={**told, "hardest": hardest})


@dataclass(slots=True)
class Unknown:
    """The settings that answer a question, and what follows from them."""

    test_payments: str = setting(
        "single",
        OneOf(("single", "single-and-cancel")),
        "Which calls do not find a payment that was made through a test channel: the single "
        "look-up, unless it asks with include_sandbox, or a cancel too.",
        question=1,
        why="The vendor announced a change of the single look-up and of no other call; of cancel "
        "it says nothing.",
        hardest="single-and-cancel",
    )
    part_status: str = setting(
        "cancelled",
        OneOf(("cancelled", "paid")),
        "What the status is once a part was given back.",
        question=2,
        why="The lists of the four statuses and cancel_history fit together with cancelled alone.",
        hardest="paid",
    )
    pending_is: str = setting(
        "by-pg",
        OneOf(("by-pg", "ready", "pending", "failed")),
        "What a payment is while its PG has not yet approved it: failed with the PGs of which that "
        "is known and ready with all others (by-pg), or one of the three with every PG.",
        question=3,
        why="Old PayPal is documented to say failed and pay days later; an abandoned window stays "
        "ready. Only the console is known to say pending.",
        hardest="failed",
    )
    account_expired: str = setting(
        "ready",
        OneOf(("ready", "failed", "cancelled")),
        "What a virtual account becomes when its deadline passes without a deposit.",
        question=4,
        why="No change is documented, and a shop can see the deadline itself.",
    )
    account_killed: str = setting(
        "failed",
        OneOf(("failed", "cancelled", "ready")),
        "What a virtual account becomes that the shop gave up.",
        question=4,
        why="The console counts it as failed since 2024-01.",
        hardest="ready",
    )
    deposit_taken_back: str = setting(
        "cancelled",
        OneOf(("cancelled", "ready")),
        "What a payment becomes whose deposit the bank takes back: cancelled with an entry of the "
        "whole amount, or ready again.",
        question=4,
        why="The vendor's checklist asks shops to handle a cancelled deposit; cancelled is the one "
        "documented way out of paid.",
        hardest="ready",
    )
    account_ends_told: bool = setting(
        False,
        Flag(),
        "A webhook tells of an account that expired or was given up, and of a deposit that was "
        "taken back.",
        question=4,
        why="None of the three stands in the vendor's list of webhooks.",
    )
    failed_fields: str = setting(
        "cleared",
        OneOf(("cleared", "kept")),
        "What becomes of failed_at and fail_reason when a payment that failed is paid after all.",
        question=5,
        why="The schema has fail_reason null unless the payment failed.",
        hardest="kept",
    )
    test_call_body: str = setting(
        "sample",
        OneOf(("sample", "empty")),
        "The body of the console's test call: the sample that the vendor prints, of a payment that "
        "nobody knows, or no field at all.",
        question=6,
        why="It is the only body of a webhook with made-up ids that is printed anywhere.",
        hardest="empty",
    )
    confirm_format: str = setting(
        "json",
        OneOf(("json", "form")),
        "What the question to confirm_url is written as.",
        question=7,
        why="The help centre says JSON; the developers' page shows fields alone.",
        hardest="form",
    )
    confirm_seconds: float | Decimal = setting(  # noqa: RUF009 - it is a field
        10,
        Seconds(60, whole=False),
        "How long the shop has for the whole of its answer to confirm.",
        question=7,
        why="The developers' page says 10 s, the help centre 5 s and that it then counts as a 500.",
        hardest=5,
    )
    confirm_twice: bool = setting(
        False,
        Flag(),
        "The question to confirm_url is sent twice, and both answers must be 200.",
        question=7,
        why="A repeat is not documented.",
        hardest=True,
    )
    webhook_resends: str = setting(
        "off",
        OneOf(("off", "5xx", "not-200")),
        "Whether a webhook is sent again by itself, up to five times, a minute apart, until the "
        "shop answers 200: never, after a 5xx or no answer, or after all but 200.",
        question=8,
        why="The gateway's support switches it on. Two pages name no answer and 5xx, one says that "
        "it stops once a 200 arrives.",
    )
    webhook_agent: str | None = setting(
        None,
        Text(),
        "The User-Agent of webhooks and of confirm; null sends none.",
        question=9,
        why="Nothing is published; no shop can rely on any.",
    )
    webhook_charset: bool = setting(
        False,
        Flag(),
        "The Content-Type of webhooks and of confirm has `;charset=UTF-8` at its end.",
        question=9,
        why="The vendor names the two types without a parameter.",
        hardest=True,
    )
    webhook_follows: bool = setting(
        False,
        Flag(),
        "A redirect in the answer to a webhook is followed.",
        question=9,
        why="Not documented, and a 3xx is no 200.",
    )
    cancel_webhook_to: str = setting(
        "payment",
        OneOf(("payment", "settings")),
        "Where the webhook of a cancel by the API goes: to the notice_url of the payment, where it "
        "has one, or always to the address that is set.",
        question=10,
        why="notice_url replaces the console's address for a payment; the page of the cancel says "
        "only 'the path stored in the settings'.",
        hardest="settings",
    )
    outside_list: bool = setting(
        False,
        Flag(),
        "The caller's address is none of those that the console's list allows.",
        question=11,
        why="The list is empty unless a shop fills it.",
    )
    outside_status: int = setting(
        403,
        OneNumber((403, 401)),
        "The HTTP status for a caller whose address is not on the list.",
        question=11,
        why="The token is good, only the address is not. A 401 has a client fetch new tokens.",
        hardest=401,
    )
    outside_calls: str = setting(
        "all",
        OneOf(("all", "data")),
        "Which calls the list keeps out: all, or all but getToken.",
        question=11,
        why="The help centre speaks of API calls without an exception.",
        hardest="data",
    )
    calls_a_second: int = setting(
        0,
        Whole(0, 100_000),
        "How many calls an account may make in a second of the sandbox's clock; more are answered "
        "429. 0 for no limit.",
        question=12,
        why="No limit is published, and a figure of our own would be none of the gateway's: strict "
        "leaves it off too.",
    )
    code_207: int = setting(
        0,
        OneNumber((0, 1, -1)),
        "The envelope's code where a batch found some of what it was asked for.",
        question=13,
        why="What was found stands in the answer, as it does with 0.",
        hardest=1,
    )
    unprepared: int = setting(
        404,
        OneNumber((404, 200)),
        "The HTTP status of GET prepare where nothing is registered: 404, or 200 with code 1 as "
        "with other refusals.",
        question=14,
        why="Recorded in a published client's tests; the schema has 200 and 401 alone.",
        hardest=200,
    )
    promotion_amount: str = setting(
        "order",
        OneOf(("order", "received")),
        "What amount says of a payment with a promotion: the order's price, or what was received.",
        question=15,
        why="The rules of a cancel count in the order's price.",
        hardest="received",
    )
    issuance_amount: str = setting(
        "asked",
        OneOf(("asked", "zero")),
        "What amount says where a card was registered and nothing was charged.",
        question=16,
        why="A shop's bug report shows the amount of the window; 0 is stated of one PG alone, "
        "which has it always.",
    )
    numbers: str = setting(
        "plain",
        OneOf(("plain", "fraction", "text")),
        "How amounts are written: 1000 and 14.2, 1000.0 and 14.20, or as JSON strings.",
        question=17,
        why="Every recorded answer has plain numbers, and the schema has no strings.",
        hardest="text",
    )
    order_numbers: str = setting(
        "any",
        OneOf(("any", "ascii")),
        "Which merchant_uid a window opens for: any up to 40 characters, or ASCII alone.",
        question=18,
        why="The schema names a length and no characters; one client's test expects an error for "
        "accented letters.",
        hardest="ascii",
    )
    slash: str = setting(
        "kept",
        OneOf(("kept", "splits")),
        "What an encoded slash in the path of a call is: part of the number, or a slash as any.",
        question=18,
        why="Paths are encoded so that it can be kept.",
        hardest="splits",
    )
    imp_uid_letters: bool = setting(
        False,
        Flag(),
        "An imp_uid has letters after its `imp_`, not digits alone.",
        question=19,
        why="The help centre shows 12 digits and promises nothing.",
        hardest=True,
    )
    notice_urls_most: int = setting(
        0,
        Whole(0, 100),
        "How many addresses of notice_url are taken, the first ones; 0 for all.",
        question=20,
        why="The pages of the PGs have it as a list without a length; the general page as one "
        "text.",
        hardest=1,
    )
    notice_url_https: bool = setting(
        False,
        Flag(),
        "An address of notice_url that is not https counts as none.",
        question=20,
        why="No limit is published; strict leaves it off, or nothing on localhost would be told.",
    )
    notice_url_usual_port: bool = setting(
        False,
        Flag(),
        "An address of notice_url with a port other than 80 and 443 counts as none.",
        question=20,
        why="No limit is published; strict leaves it off, or nothing on localhost would be told.",
    )
    test_overnight: str = setting(
        "midnight",
        OneOf(("kept", "midnight", "hour")),
        "When a PG cancels a test payment at its side, while it goes on saying paid here: never, "
        "at the next midnight in Korea, or after an hour. A cancel then fails.",
        question=21,
        why="Most PGs do so, every 30 to 60 minutes or before midnight, says the help centre.",
        hardest="hour",
    )
    cancellation_ids: str = setting(
        "unique",
        OneOf(("unique", "repeated", "absent")),
        "The cancellation_id of a payment's parts: its own for each, the same for all, or none in "
        "the webhook (the schema wants one in cancel_history).",
        question=22,
        why="The one recorded answer has 20 characters that look drawn by lot.",
        hardest="repeated",
    )
    lookup_in_confirm: int = setting(
        200,
        OneNumber((200, 404)),
        "The HTTP status of GET /payments/{imp_uid} while the shop is asked to confirm: 200 with a "
        "payment that is ready, or 404.",
        question=23,
        why="The payment was made when its window opened.",
        hardest=404,
    )

    # What follows from them

    def notice_urls(self, urls: tuple[str, ...]) -> tuple[str, ...]:
        """Return those addresses of a notice_url that are taken."""
        kept = [url for url in urls if self._takes(url)]
        return tuple(kept[: self.notice_urls_most or None])

    def _takes(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return True  # as without limits: the delivery says what is wrong with it
        if self.notice_url_https and parts.scheme != "https":
            return False
        return not self.notice_url_usual_port or port in (None, 80, 443)

    def path(self, path: str) -> str:
        """Return the path of a call as it is split into segments."""
        return path.replace("%2F", "/").replace("%2f", "/") if self.slash == "splits" else path

    def series(self, digits: str) -> str:
        """Return the start of an imp_uid, after `imp_`."""
        return digits.translate(_LETTERS) if self.imp_uid_letters else digits

    def written(self, value: object) -> object:
        """Return an answer with its amounts as they are written."""
        if self.numbers == "plain":
            return value
        if isinstance(value, dict):
            return {name: self.written(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.written(each) for each in value]
        return self._number(value) if isinstance(value, Decimal) else value

    def _number(self, amount: Decimal) -> object:
        if self.numbers == "text":
            return format(amount, "f")
        exponent = amount.as_tuple().exponent
        assert isinstance(exponent, int)
        whole = amount == amount.to_integral_value()
        if whole or exponent <= -2:
            return amount if exponent < 0 else Decimal(f"{amount:f}.0")
        return Decimal(f"{amount:.2f}")

    def gone_at_pg(self, attempt: Attempt, now: int) -> bool:
        """Tell whether the PG has cancelled this test payment at its side."""
        if not attempt.sandbox or self.test_overnight == "kept":
            return False
        if self.test_overnight == "hour":
            return now - attempt.paid_at >= _HOUR
        paid, today = (datetime.fromtimestamp(at, _KOREA).date() for at in (attempt.paid_at, now))
        return today > paid

    def left_out_of_cancel(self, attempt: Attempt) -> bool:
        """Tell whether a cancel does not find this payment."""
        return attempt.sandbox and self.test_payments == "single-and-cancel"
