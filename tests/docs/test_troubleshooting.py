"""docs/troubleshooting.md: what the package may say stands there, and what stands there is said."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from imp_verify import Credentials, Outcome, Reason, Verdict
from imp_verify._core.accounts import Accounts
from imp_verify._core.wire import read_payment
from imp_verify._web.decisions import RequestLog
from imp_verify.cli._trigger import trigger
from imp_verify.cli._words import EN, KO
from imp_verify.models import Notice
from imp_verify.settings import Settings
from tests.support.messages import PLACE, Sources, quotes
from tests.support.messages import SOURCES as ROOT

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = Sources()
GATEWAY = ("GatewayUnavailable", "GatewayReset", "GatewayRefused", "GatewayProtocolError")
# Of these the sources say only that one text stands before another; what they are is looked at by
# itself, or stands with the other.
MADE_OF_OTHERS = (
    "\0: \0",
    "\0: \0\0 is \0\0\0\0",
    "\0: \0 for order \0: \0",
    "order \0: \0",
    "\0, not \0\0",
    "the fake gateway",
)

PAID = read_payment(
    {"imp_uid": "imp_1", "merchant_uid": "ORD-1", "status": "paid", "amount": 1, "cancel_amount": 0}
)


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def section(heading: str) -> str:
    return TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    rows = re.findall(r"^\| (.+?) \| ", text, re.MULTILINE)
    return [span for row in rows for span in spans(row)]


def said() -> dict[str, str]:
    """Return all that the package may say to who runs it, with the place where it does."""
    errors = SOURCES.raised("ConfigurationError", "StoreError", *GATEWAY)
    return {**errors, **SOURCES.failed(), **SOURCES.logged(), **SOURCES.warned()}


def whole(text: str) -> bool:
    return not text.startswith(MADE_OF_OTHERS[-1]) and text not in MADE_OF_OTHERS


def test_every_warning_every_error_and_every_refused_setting_stands_in_the_page() -> None:
    told = said()
    assert len(told) > 150
    quoted = spans(TEXT)
    lacking = {
        where: text.replace(PLACE, "...")
        for text, where in told.items()
        if whole(text) and not any(quotes(each, text) for each in quoted)
    }
    assert lacking == {}


def test_every_system_check_of_django_stands_in_the_page() -> None:
    checks = SOURCES.checked()
    assert len(checks) == 8
    quoted = spans(TEXT)
    assert [text for text in checks if not any(quotes(each, text) for each in quoted)] == []
    source = (ROOT / "contrib/django/checks.py").read_text(encoding="utf-8")
    made = set(re.findall(r'id="(imp_verify\.[EW]\d+)"', source))
    both = re.findall(r'id=f"imp_verify\.\{[^}]+\}(\d+)"', source)
    made |= {f"imp_verify.{level}{number}" for number in both for level in "EW"}
    assert made <= set(quoted)
    assert {each for each in quoted if re.fullmatch(r"imp_verify\.[EW]\d+", each)} <= made


@pytest.mark.parametrize("heading", ["The log says", "It does not start"])
def test_what_the_page_quotes_is_said(heading: str) -> None:
    told = [*said(), *SOURCES.checked()]
    stale = [
        each
        for each in first_cells(section(heading))
        if not any(quotes(each, text) for text in told)
        and not re.match(r"\.\.\. is \w+|imp_verify\.\w+$|ImportError: ", each)
    ]
    assert stale == []


def say(outcome: Outcome) -> None:
    """Have the line of an outcome written, of a request that named its order."""
    settings = Settings(credentials=Credentials("key", "secret"))
    log = RequestLog(settings, Accounts.from_settings(settings, float), "webhook", 0.0, None)
    log.notice = Notice("imp_1", "ORD-1")
    log.outcome(outcome)


def test_every_reason_stands_in_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = first_cells(section("The log says"))
    caplog.set_level(logging.INFO, "imp_verify")
    for reason in Reason:
        pending = reason in (Reason.UNLIMITED_ACCOUNT, Reason.WENT_BACK)
        late = reason is Reason.REFUSED
        verdict = Verdict.PENDING if pending else Verdict.LATE if late else Verdict.FORGERY
        outcome = Outcome(verdict, reason, imp_uid="imp_1", merchant_uid="ORD-1")
        caplog.clear()
        say(outcome)
        [line] = caplog.messages
        said_of_it = line.partition(" is ")[2].partition(";")[0]
        assert f"... is {said_of_it}" in lines, line


def test_the_loud_verdicts_have_a_row_each(caplog: pytest.LogCaptureFixture) -> None:
    lines = first_cells(section("The log says"))
    caplog.set_level(logging.WARNING, "imp_verify")
    for verdict in Verdict:
        outcome = Outcome(verdict, imp_uid="imp_1", merchant_uid="ORD-1", payment=PAID)
        say(outcome)
    assert len(caplog.messages) == 4
    for line in caplog.messages:
        wanted = f"... is {line.partition(' is ')[2]}"
        assert any(quotes(each, wanted) or each.startswith(wanted) for each in lines), wanted


def test_the_lines_of_doctor_are_its_own_in_both_languages() -> None:
    catalogue = DOCS / "locale" / "ko" / "LC_MESSAGES" / "troubleshooting.po"
    with catalogue.open("rb") as file:
        korean = {str(each.id): str(each.string) for each in read_po(file, locale="ko") if each.id}
    cells = re.findall(r'^\| ([\w-]+(?: \w+)?: ".+?") \| ', section("`doctor` says"), re.MULTILINE)
    assert len(cells) >= 8
    for cell in cells:
        name = cell.partition(":")[0]
        keys = [
            [key for key, text in EN.items() if quotes(quote, re.sub(r"\{\w+\}", PLACE, text))]
            for quote in re.findall(r'"(.+?)"', cell)
        ]
        assert all(keys), cell
        assert name in [EN[key] for key in EN if key.startswith("check_")]
        quoted = re.findall(r'"(.+?)"', korean[cell])
        assert len(quoted) == len(keys)
        for quote, key in zip(quoted, keys, strict=True):
            assert any(quotes(quote, re.sub(r"\{\w+\}", PLACE, KO[each])) for each in key), quote


def test_the_commands_of_the_page_are_taken_as_they_stand() -> None:
    [line] = re.findall(r"`imp-verify trigger ([^`]+)`", TEXT)
    context = trigger.make_context("trigger", line.split())
    assert context.params["order"] == "ORD-1001"
