"""The payment window as text: what a buyer sees before the result. No state is changed here."""

from __future__ import annotations

from decimal import Decimal

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.exact import dumps
from imp_verify.sandbox.pages.markup import (
    Html,
    Words,
    alert,
    button,
    facts,
    heading,
    html,
    join,
    page,
    path_of,
    sum_of,
    who,
)
from imp_verify.sandbox.pages.texts import texts

TOP = Html(' target="_top"')
ANSWERS = ("silent", "untrue", "no-id", "lose")
"""Odd ways in which the page is told: paid, but for the last."""


def window(attempt: Attempt, language: str, message: str = "", *, top: bool = False) -> Html:
    """The payment window that a buyer sees.

    Args:
        attempt: The payment.
        language: Of the window.
        message: What went wrong before.
        top: The browser goes back to the shop as a whole, where the window is within a page.
    """
    words, target = texts(language), TOP if top else Html()
    return page(
        words,
        words["brand"],
        html(
            """<main class="card" data-state="open" data-device="{device}">
{heading}
{sum}
{rows}{message}
<form method="post" class="actions" data-working="{working}"{top}>{buttons}</form>
{odd}
{switch}
<p class="note">{no_money}</p>
</main>""",
            device=attempt.channel,
            heading=heading(words, path_of(attempt)),
            sum=sum_of(attempt, words),
            rows=facts(who(attempt, words), words),
            message=alert(message, words),
            working=words["working"],
            top=target,
            buttons=_buttons(attempt, words),
            odd=_odd(attempt, words, target),
            switch=_switch(attempt, words),
            no_money=words["no_money"],
        ),
    )


def _buttons(attempt: Attempt, words: Words) -> Html:
    is_account = attempt.pay_method == "vbank"
    styled = [("issue" if is_account else "approve", "primary")]
    if attempt.pg.balance_method and not is_account:
        styled.append(("balance", "plain"))
    styled += [("decline", "plain"), ("close", "quiet")]
    return join(button(attempt, action, words[action], style) for action, style in styled)


def _odd(attempt: Attempt, words: Words, top: Html) -> Html:
    """What goes otherwise than it should: every one of it happened to a shop."""
    answers = join(button(attempt, action, words[action], "plain") for action in ANSWERS)
    late = Html() if attempt.pay_method == "vbank" else _late(attempt, words, top)
    return html(
        """<details class="odd"><summary>{odd}</summary>
<form method="post" class="actions"{top}>
<label>{tamper_amount}
<input name="amount" inputmode="decimal" autocomplete="off" value="{amount}"></label>
<label>{tamper_currency}
<input name="currency" maxlength="3" autocomplete="off" value="{currency}"></label>
{tamper_button}</form>
{late_form}
<form method="post" class="actions"{top}>{answers}</form>
<form method="post" class="actions">{leave_button}</form>
</details>""",
        **{**words, "amount": f"{_tampered(attempt):,f}", "currency": attempt.currency},
        top=top,
        tamper_button=button(attempt, "tamper", words["tamper"], "plain"),
        late_form=late,
        answers=answers,
        leave_button=button(attempt, "leave", words["leave"], "plain"),
    )


def _late(attempt: Attempt, words: Words, top: Html) -> Html:
    return html(
        """<form method="post" class="actions"{top}>
<label>{late_seconds}
<input name="seconds" inputmode="numeric" autocomplete="off" value="60"></label>
{button}</form>""",
        **words,
        top=top,
        button=button(attempt, "late", words["late"], "plain"),
    )


def _tampered(attempt: Attempt) -> Decimal:
    """Propose another amount: a wallet adds what sending the goods costs, a forger pays little."""
    return attempt.amount + 3000 if attempt.pg.amount_changes else Decimal(100)


def _switch(attempt: Attempt, words: Words) -> Html:
    label = words["as_pc" if attempt.channel == "mobile" else "as_mobile"]
    return html(
        '<form method="post" class="actions">{button}</form>',
        button=button(attempt, "device", label, "quiet"),
    )


def leaving(language: str) -> Html:
    """What a phone shows over the shop's page before it leaves that page."""
    words = texts(language)
    main = html(
        '<main class="card" data-state="leaving"><p class="state">{leaving}</p></main>', **words
    )
    return page(words, words["brand"], main)


def finished(result: dict[str, object] | None, origin: str, language: str) -> Html:
    """The page that hands the result, if there is one, to the shop's page around it."""
    words = texts(language)
    # Inert data: "<" must not be able to end the element.
    data = Html(dumps({"result": result, "origin": origin}).replace("<", "\\u003c"))
    return page(
        words,
        words["brand"],
        html(
            """<main class="card" data-state="finished">
<h1 class="state">{returning}</h1>
<p class="note" data-alone hidden>{go_back}</p></main>
<script type="application/json" id="result">{data}</script>""",
            data=data,
            **words,
        ),
    )
