"""One entry of the journal as text: a line of what happened, and all of it behind the line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imp_verify.sandbox import journal
from imp_verify.sandbox.exact import dumps
from imp_verify.sandbox.journal import Entry
from imp_verify.sandbox.pages.markup import Html, Words, clock, html, join

_LINE = {
    journal.API: ("method", "path", "status"),
    journal.DELIVERY: ("url", "status", "ok", "delivery"),
    journal.CONFIRM: ("url", "status", "ok", "delivery"),
    journal.CLOCK: ("before", "now"),
    journal.WINDOW: ("step", "status"),
    journal.CONTROL: ("step", "status"),
}
"""What stands in the line, and is not said again behind it."""


def entry_item(entry: Entry, query: str, words: Words) -> Html:
    """Show an entry; a delivery can be sent again, and `query` leads back to this page."""
    what = {name: value for name, value in entry.what.items() if value not in (None, "", [])}
    rest = {name: value for name, value in what.items() if name not in _LINE[entry.kind]}
    line = html(
        '<span class="when">{time}</span><span class="kind">{kind}</span>'
        '<span class="what">{what}</span>{result}',
        time=clock(entry.at),
        kind=words[f"kind_{entry.kind}"],
        what=_what(entry, words),
        result=_result(entry, words),
    )
    return html(
        '<li id="entry-{number}" class="{kind}">{body}<span class="about">{about}{resend}</span>'
        "</li>",
        number=entry.number,
        kind=entry.kind,
        body=_behind(line, rest, entry.number, words),
        about=_about(entry, words),
        resend=_resend(entry, query, words),
    )


def _behind(line: Html, rest: Mapping[str, Any], number: int, words: Words) -> Html:
    if not rest:
        return html('<div class="line">{line}</div>', line=line)
    rows = join(
        html(
            "<dt>{name}</dt><dd><code>{value}</code></dd>",
            name=words.get(f"what_{name}", name),
            value=value if isinstance(value, str) else dumps(value),
        )
        for name, value in rest.items()
    )
    return html(
        '<details data-entry="{number}"><summary class="line">{line}</summary><dl>{rows}</dl>'
        "</details>",
        number=number,
        line=line,
        rows=rows,
    )


def _what(entry: Entry, words: Words) -> Html:
    what = entry.what
    if entry.kind == journal.API:
        return html("<code>{method} {path}</code>", **_texts(what, "method", "path"))
    if entry.kind in (journal.DELIVERY, journal.CONFIRM):
        return html("<code>POST {url}</code>", **_texts(what, "url"))
    if entry.kind == journal.CLOCK:
        before, now = int(str(what["before"])), int(str(what["now"]))
        return html("{before} → {now}", before=clock(before), now=clock(now))
    step = str(what.get("step", ""))
    return html("{step}", step=words.get(f"step_{step}", step))


def _texts(what: Mapping[str, object], *names: str) -> dict[str, str]:
    return {name: str(what.get(name, "")) for name in names}


def _result(entry: Entry, words: Words) -> Html:
    status = entry.what.get("status")
    if entry.kind in (journal.WINDOW, journal.CONTROL):
        says = words.get(str(status), str(status)) if status else ""
        return html('<span class="state {status}">{says}</span>', status=status or "", says=says)
    if entry.kind == journal.CLOCK:
        return Html()
    good = status == 200
    text = words["no_answer"] if status is None else str(status)
    style = "good" if good else "bad"
    return html('<span class="{style}">{text}</span>', style=style, text=text)


def _about(entry: Entry, words: Words) -> Html:
    link = '<a href="/?lang={lang}&amp;{name}={value}">{value}</a>'
    named = {"imp_uid": entry.imp_uid, "merchant_uid": entry.merchant_uid}
    return join(
        html(link, lang=words["lang"], name=name, value=value)
        for name, value in named.items()
        if value
    )


def _resend(entry: Entry, query: str, words: Words) -> Html:
    if entry.kind != journal.DELIVERY:
        return Html()
    return html(
        '<form method="post" class="small" action="/log/deliveries/{number}/resend?{query}">'
        '<button class="plain" id="resend-{number}" aria-label="{resend}: {number}">{resend}'
        "</button></form>",
        number=entry.what["delivery"],
        query=query,
        **words,
    )
