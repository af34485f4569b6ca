"""The list of payments and of what was sent, as text."""

from __future__ import annotations

from collections.abc import Iterable

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.deliveries import Delivery
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.pages.markup import (
    Html,
    Words,
    clock,
    html,
    money,
    page,
    path_of,
    state_of,
    switch,
    table,
    way_back,
)
from imp_verify.sandbox.pages.texts import texts


def overview(
    attempts: Iterable[Attempt],
    deliveries: Iterable[Delivery],
    pending: Iterable[Event],
    language: str,
    shop: str = "",
) -> Html:
    """All payments, newest first, and the webhooks; with a way back as on `payment`."""
    words = texts(language)
    return page(
        words,
        words["list_title"],
        html(
            """<main class="wide">
<header><h1>{list_title}</h1><span class="ways">{back}{switch}</span></header>
<p class="note">{no_money}</p>
{payments}
<h2>{webhooks}</h2>{kept_back}
{sent}
</main>""",
            back=way_back(shop, words),
            switch=switch(words, "/"),
            payments=_payments_table(list(attempts), words),
            kept_back=_pending(list(pending), words),
            sent=_deliveries_table(list(deliveries), words),
            **words,
        ),
    )


_PAYMENT = ("imp_uid", "amount", "status", "time", "order_number")
"""The columns of the list."""


def _payments_table(attempts: list[Attempt], words: Words) -> Html:
    if not attempts:
        return html('<p class="empty">{list_empty}</p>', **words)
    rows = [_payment_row(attempt, words) for attempt in reversed(attempts)]
    return table(words["list_title"], [words[name] for name in _PAYMENT], rows)


def _payment_row(attempt: Attempt, words: Words) -> Html:
    state = state_of(attempt)
    return html(
        """<tr><td data-name="{imp_uid_}"><a href="{path}?lang={lang}">{imp_uid}</a></td>
<td data-name="{amount_}">{amount}</td>
<td data-name="{status_}"><span class="state {state}">{says}</span></td>
<td data-name="{time_}">{time}</td><td data-name="{order_number_}">{order}</td></tr>""",
        **{f"{name}_": words[name] for name in _PAYMENT},
        path=path_of(attempt),
        lang=words["lang"],
        imp_uid=attempt.imp_uid,
        amount=money(attempt.amount, attempt.currency, words),
        state=state,
        says=words.get(state, state),
        time=clock(attempt.started_at),
        order=attempt.merchant_uid,
    )


def _pending(pending: list[Event], words: Words) -> Html:
    if not pending:
        return Html()
    return html(
        """<form method="post" action="/deliver" class="actions row">
<p>{pending}: {count}</p>
<button class="plain">{send}</button></form>""",
        count=len(pending),
        **words,
    )


def _deliveries_table(deliveries: list[Delivery], words: Words) -> Html:
    if not deliveries:
        return html('<p class="empty">{webhooks_empty}</p>', **words)
    rows = [
        html(
            """<tr><td class="{kind}" data-name="{answer}"><span>{code} {said}</span></td>
<td data-name="{body}"><code>{sent}</code></td>
<td data-name="{address}"><span>{url}</span></td></tr>""",
            kind="good" if d.ok else "bad",
            code=d.status or "",
            said=d.error or d.answer,
            sent=d.body,
            url=d.url,
            **words,
        )
        for d in reversed(deliveries)
    ]
    heads = [words[name] for name in ("answer", "body", "address")]
    return table(words["webhooks"], heads, rows)
