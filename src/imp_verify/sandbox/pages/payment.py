"""The page of one payment as text: what it is, and what a bank or a clerk can do to it."""

from __future__ import annotations

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.pages.markup import (
    Html,
    Words,
    alert,
    button,
    clock,
    facts,
    heading,
    html,
    money,
    page,
    path_of,
    state_of,
    sum_of,
    way_back,
    who,
)
from imp_verify.sandbox.pages.texts import texts


def payment(attempt: Attempt, language: str, message: str = "", shop: str = "") -> Html:
    """The page of one payment: what it is, and what a bank or a clerk can do to it; with a way back
    to the shop at this address, where there is one."""
    words, state = texts(language), state_of(attempt)
    return page(
        words,
        attempt.imp_uid,
        html(
            """<main class="card" data-state="{state}">
{heading}
{sum}
<p class="state {state}">{says}</p>
{rows}{message}
{deposit_form}{cancel_form}
<p class="note ways"><a href="/?lang={lang}">{list}</a>{back}</p>
</main>""",
            state=state,
            back=way_back(shop, words),
            heading=heading(words, path_of(attempt)),
            sum=sum_of(attempt, words),
            says=words.get(state, state),
            rows=facts([*who(attempt, words), *_history(attempt, words)], words),
            message=alert(message, words),
            deposit_form=_deposit_form(attempt, words),
            cancel_form=_cancel_form(attempt, words),
            **words,
        ),
    )


def _history(attempt: Attempt, words: Words) -> list[tuple[str, str]]:
    rows = []
    if attempt.vbank:
        rows.append((words["account"], f"{attempt.vbank.bank} {attempt.vbank.number}"))
        rows.append((words["due"], clock(attempt.vbank.due)))
    if attempt.fail_reason:
        rows.append((words["reason"], attempt.fail_reason))
    if attempt.cancellations:
        rows.append(
            (words["cancelled_so_far"], money(attempt.cancel_amount, attempt.currency, words))
        )
        rows.append((words["remaining"], money(attempt.remaining, attempt.currency, words)))
    return rows


def _deposit_form(attempt: Attempt, words: Words) -> Html:
    if not attempt.waits_for_deposit:
        return Html()
    return html(
        '<form method="post" class="actions"><p class="hint">{hint}</p>{button}</form>',
        hint=words["deposit_hint"],
        button=button(attempt, "deposit", words["deposit"], "primary"),
    )


def _cancel_form(attempt: Attempt, words: Words) -> Html:
    if not attempt.remaining:
        return Html()
    return html(
        """<form method="post" class="actions">
<label>{cancel_amount}
<input name="amount" inputmode="decimal" autocomplete="off" placeholder="{all} {remaining}">
</label><p class="hint">{cancel_hint}</p>
{button}</form>""",
        button=button(attempt, "cancel", words["cancel"], "danger"),
        **{**words, "remaining": f"{attempt.remaining:,f}"},
    )
