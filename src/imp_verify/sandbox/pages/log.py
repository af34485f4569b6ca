"""The list of payments and the journal, as text: what happened, newest first, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.journal import KINDS, Entry
from imp_verify.sandbox.pages.entry import entry_item
from imp_verify.sandbox.pages.markup import (
    Html,
    Words,
    alert,
    clock,
    html,
    join,
    money,
    page,
    path_of,
    state_of,
    table,
    way_back,
)
from imp_verify.sandbox.pages.texts import texts
from imp_verify.sandbox.possible import moves_of

PAGE = 10
"""Payments of a page."""
ENTRIES = 50
"""Entries of the journal of a page."""
_DANGEROUS = ("cancel", "expire", "decline")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see.

    Attributes:
        language: Of the page.
        imp_uid: Only of this payment; empty for all.
        merchant_uid: Only of this order; empty for all.
        kind: Only entries of this kind; empty for all.
        page: Of the payments, from 1.
        before: Only entries with lower numbers; 0 for the newest.
    """

    language: str
    imp_uid: str = ""
    merchant_uid: str = ""
    kind: str = ""
    page: int = 1
    before: int = 0

    def query(self, **changes: object) -> str:
        """Return the query that asks for this, but for what is changed."""
        known: dict[str, object] = {
            **{"imp_uid": self.imp_uid, "merchant_uid": self.merchant_uid, "kind": self.kind},
            **{"page": self.page if self.page > 1 else "", "before": self.before or ""},
            **changes,
        }
        given = {name: value for name, value in known.items() if value}
        return urlencode({"lang": self.language, **given})


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to show.

    Attributes:
        total: How many payments there are.
        attempts: Those of this page, newest first.
        entries: Of the journal, newest first.
        more: Whether there are older entries.
        last: The number of the journal's newest entry of all.
        pending: How many webhooks are kept back.
        shop: The shop's address, empty where none is known.
        message: What went wrong just now.
    """

    total: int = 0
    attempts: Sequence[Attempt] = ()
    entries: Sequence[Entry] = field(default=())
    more: bool = False
    last: int = 0
    pending: int = 0
    shop: str = ""
    message: str = ""


def overview(seen: Seen, asked: Asked) -> Html:
    """All payments and the journal, as far as asked for; with a way back as on `payment`."""
    words = texts(asked.language)
    return page(
        words,
        words["list_title"],
        html(
            """<main class="wide" id="log" data-last="{last}" data-first="{first}">
<header><h1>{list_title}</h1><span class="ways">{back}<a href="/sandbox/v1/">API</a>{switch}</span>
</header>
<p class="note">{no_money} <span id="live" role="status" data-live="{live}" data-lost="{lost}">
</span></p>
{filters}
<div id="seen">{message}{payments}
<h2>{journal}</h2>{kept_back}
{entries}</div>
</main>""",
            last=seen.last,
            first="1" if asked.page == 1 and not asked.before else "",
            back=way_back(seen.shop, words),
            switch=_switch(asked, words),
            message=alert(seen.message, words),
            filters=_filters(asked, words),
            payments=_payments(seen, asked, words),
            kept_back=_pending(seen.pending, asked, words),
            entries=_journal(seen, asked, words),
            **words,
        ),
        script="log.js",
    )


def _switch(asked: Asked, words: Words) -> Html:
    link = '<a class="switch" lang="{other_lang}" href="/?{query}">{other}</a>'
    return html(link, query=asked.query(lang=words["other_lang"]), **words)


def _filters(asked: Asked, words: Words) -> Html:
    kinds = join(
        html(
            '<option value="{kind}"{chosen}>{name}</option>',
            kind=kind,
            chosen=Html(" selected") if kind == asked.kind else "",
            name=words[f"kind_{kind}"] if kind else words["every_kind"],
        )
        for kind in ("", *KINDS)
    )
    clear = html('<a href="/?lang={lang}">{show_all}</a>', **words)
    given = asked.imp_uid or asked.merchant_uid or asked.kind
    return html(
        """<form class="filters" id="filters"><input type="hidden" name="lang" value="{lang}">
<label>{imp_uid}<input name="imp_uid" value="{payment}" autocomplete="off"></label>
<label>{order_number}<input name="merchant_uid" value="{order}" autocomplete="off"></label>
<label>{kind}<select name="kind">{kinds}</select></label>
<button class="plain">{filter}</button>{clear}</form>""",
        payment=asked.imp_uid,
        order=asked.merchant_uid,
        kinds=kinds,
        clear=clear if given else "",
        **words,
    )


_PAYMENT = ("imp_uid", "amount", "status", "time", "order_number", "actions")
"""The columns of the list."""


def _payments(seen: Seen, asked: Asked, words: Words) -> Html:
    if not seen.attempts:
        text = words[
            "none_found"
            if seen.total or asked.query() != f"lang={asked.language}"
            else "list_empty"
        ]
        return html('<p class="empty">{text}</p>', text=text)
    rows = [_payment(attempt, asked, words) for attempt in seen.attempts]
    listed = table(words["list_title"], [words[name] for name in _PAYMENT], rows)
    return join([listed, _pages(seen, asked, words)])


def _payment(attempt: Attempt, asked: Asked, words: Words) -> Html:
    state = state_of(attempt)
    return html(
        """<tr><td data-name="{imp_uid_}"><a href="{path}?lang={lang}">{imp_uid}</a></td>
<td data-name="{amount_}">{amount}</td>
<td data-name="{status_}"><span class="state {state}">{says}</span></td>
<td data-name="{time_}">{time}</td>
<td data-name="{order_number_}"><a href="/?{filter}">{order}</a></td>
<td data-name="{actions_}">{moves}</td></tr>""",
        **{f"{name}_": words[name] for name in _PAYMENT},
        path=path_of(attempt),
        lang=words["lang"],
        imp_uid=attempt.imp_uid,
        amount=money(attempt.amount, attempt.currency, words),
        state=state,
        says=words.get(state, state),
        time=clock(attempt.started_at),
        filter=asked.query(merchant_uid=attempt.merchant_uid, imp_uid="", page="", before=""),
        order=attempt.merchant_uid,
        moves=_moves(attempt, asked, words),
    )


def _moves(attempt: Attempt, asked: Asked, words: Words) -> Html:
    """Name what can be done with one click; more can be done on the payment's own page."""
    known = [move for move in moves_of(attempt) if f"do_{move}" in words]
    if attempt.unlimited:
        known.remove("deposit")  # how much comes in is to be said
    if not known:
        return Html()
    return html(
        '<form method="post" class="small">{buttons}</form>',
        buttons=join(
            html(
                '<button class="{style}" id="{imp_uid}-{move}" aria-label="{label}: {imp_uid}" '
                'formaction="/log/payments/{imp_uid}/{move}?{query}">{label}</button>',
                style="danger" if move in _DANGEROUS else "plain",
                imp_uid=attempt.imp_uid,
                move=move,
                label=words[f"do_{move}"],
                query=asked.query(),
            )
            for move in known
        ),
    )


def _pages(seen: Seen, asked: Asked, words: Words) -> Html:
    """Lead to newer and older payments, where there are more than a page of them."""
    pages = -(-seen.total // PAGE)
    if pages <= 1:
        return Html()
    link = '<a href="/?{query}">{text}</a>'
    newer = html(link, query=asked.query(page=asked.page - 1), text=words["newer"])
    older = html(link, query=asked.query(page=asked.page + 1), text=words["older"])
    return html(
        '<nav class="ways" aria-label="{list_title}">{before}<span>{page} / {pages}</span>{after}'
        "</nav>",
        before=newer if asked.page > 1 else "",
        after=older if asked.page < pages else "",
        page=asked.page,
        pages=pages,
        **words,
    )


def _pending(pending: int, asked: Asked, words: Words) -> Html:
    if not pending:
        return Html()
    return html(
        """<form method="post" action="/log/release?{query}" class="actions row">
<p>{webhooks_kept}: {count}</p>
<button class="plain" id="release">{send}</button></form>""",
        count=pending,
        query=asked.query(),
        **words,
    )


def _journal(seen: Seen, asked: Asked, words: Words) -> Html:
    entries: Iterable[Entry] = seen.entries
    if not seen.entries:
        return html('<p class="empty">{journal_empty}</p>', **words)
    items = join(entry_item(each, asked.query(), words) for each in entries)
    oldest = asked.query(before=seen.entries[-1].number)
    newest = html('<a href="/?{query}">{newest}</a>', query=asked.query(before=""), **words)
    older = html('<a href="/?{query}">{older}</a>', query=oldest, **words)
    return html(
        '<ol class="journal" reversed>{items}</ol>'
        '<nav class="ways" aria-label="{journal}">{newest_}{older_}</nav>',
        items=items,
        newest_=newest if asked.before else "",
        older_=older if seen.more else "",
        **words,
    )
