"""The sandbox's pages as text: no state is changed here, and every value is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from html import escape

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.exact import dumps
from imp_verify.sandbox.opening import KOREA
from imp_verify.sandbox.outgoing import Delivery
from imp_verify.sandbox.texts import texts

Words = dict[str, str]


def money(amount: Decimal, currency: str, words: Words) -> str:
    """Write an amount for people."""
    if currency == "KRW" and words["lang"] == "ko":
        return f"{amount:,f}원"
    return f"{amount:,f} {currency}"


def clock(seconds: int) -> str:
    """Write a time for people, Korean time."""
    return f"{datetime.fromtimestamp(seconds, KOREA):%Y-%m-%d %H:%M:%S}"


def state_of(attempt: Attempt) -> str:
    """Name what an attempt is, as a key of the words."""
    if attempt.status == "cancelled":
        return "partly" if attempt.remaining else "cancelled"
    return "waiting" if attempt.waits_for_deposit else attempt.status


def window(attempt: Attempt, language: str, message: str = "") -> str:
    """The payment window that a buyer sees."""
    words = texts(language)
    main = "issue" if attempt.pay_method == "vbank" else "approve"
    buttons = "".join(
        _button(attempt, action, words[action], style)
        for action, style in ((main, "primary"), ("decline", "plain"), ("close", "quiet"))
    )
    rows = _rows(_who(attempt, words))
    return _page(
        words,
        words["brand"],
        f"""<main class="card" data-state="open">
{_heading(words, _here(attempt))}
{_sum(attempt, words)}
{rows}{_message(message)}
<form method="post" class="actions" data-working="{escape(words["working"])}">{buttons}</form>
<p class="note">{escape(words["no_money"])}</p>
</main>""",
    )


def payment(attempt: Attempt, language: str, message: str = "") -> str:
    """The page of one payment: what it is, and what a bank or a clerk can do to it."""
    words, state = texts(language), state_of(attempt)
    return _page(
        words,
        attempt.imp_uid,
        f"""<main class="card" data-state="{state}">
{_heading(words, _here(attempt))}
{_sum(attempt, words)}
<p class="state {state}">{escape(words[state])}</p>
{_rows([*_who(attempt, words), *_history(attempt, words)])}{_message(message)}
{_deposit_form(attempt, words)}{_cancel_form(attempt, words)}
<p class="note"><a href="/?lang={words["lang"]}">{escape(words["list"])}</a></p>
</main>""",
    )


def finished(result: dict[str, object], origin: str, language: str) -> str:
    """The page that hands the result to the shop's page around it."""
    words = texts(language)
    # Inert data: "<" must not be able to end the element.
    data = dumps({"result": result, "origin": origin}).replace("<", "\\u003c")
    return _page(
        words,
        words["brand"],
        f"""<main class="card" data-state="finished">
<p class="state">{escape(words["returning"])}</p>
<p class="note" data-alone hidden>{escape(words["go_back"])}</p></main>
<script type="application/json" id="result">{data}</script>""",
    )


def overview(
    attempts: Iterable[Attempt],
    deliveries: Iterable[Delivery],
    pending: Iterable[Event],
    language: str,
) -> str:
    """All payments, newest first, and the webhooks."""
    words = texts(language)
    return _page(
        words,
        words["list_title"],
        f"""<main class="wide">
<header><h1>{escape(words["list_title"])}</h1>{_switch(words, "/")}</header>
<p class="note">{escape(words["no_money"])}</p>
{_payments_table(list(attempts), words)}
<h2>{escape(words["webhooks"])}</h2>{_pending(list(pending), words)}
{_deliveries_table(list(deliveries), words)}
</main>""",
    )


def _page(words: Words, title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="{words["lang"]}">
<head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/sandbox.css">
<script src="/static/window.js" defer></script></head>
<body>{body}</body></html>"""


def _here(attempt: Attempt) -> str:
    return f"/window/{attempt.imp_uid}"


def _switch(words: Words, path: str) -> str:
    language = words["other_lang"]
    return f'<a class="switch" lang="{language}" href="{path}?lang={language}">{words["other"]}</a>'


def _heading(words: Words, path: str) -> str:
    brand = f'<span class="brand">{escape(words["brand"])}</span>'
    return f"<header>{brand}{_switch(words, path)}</header>"


def _sum(attempt: Attempt, words: Words) -> str:
    name = escape(attempt.name or attempt.merchant_uid)
    test = f' <span class="test">{escape(words["test"])}</span>' if attempt.sandbox else ""
    return (
        f'<h1>{name}{test}</h1><p class="sum">{money(attempt.amount, attempt.currency, words)}</p>'
    )


def _message(message: str) -> str:
    return f'<p class="message" role="alert">{escape(message)}</p>' if message else ""


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows)
    return f"<dl>{items}</dl>"


def _who(attempt: Attempt, words: Words) -> list[tuple[str, str]]:
    return [
        (words["order_number"], attempt.merchant_uid),
        (words["method"], words.get(attempt.pay_method, attempt.pay_method)),
        (words["provider"], attempt.pg_provider),
        (words["imp_uid"], attempt.imp_uid),
    ]


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


def _button(attempt: Attempt, action: str, label: str, style: str) -> str:
    target = f"{_here(attempt)}/{action}"
    return f'<button class="{style}" formaction="{target}" name="do">{escape(label)}</button>'


def _deposit_form(attempt: Attempt, words: Words) -> str:
    if not attempt.waits_for_deposit:
        return ""
    button = _button(attempt, "deposit", words["deposit"], "primary")
    hint = f'<p class="hint">{escape(words["deposit_hint"])}</p>'
    return f'<form method="post" class="actions">{hint}{button}</form>'


def _cancel_form(attempt: Attempt, words: Words) -> str:
    if not attempt.remaining:
        return ""
    hint = f"{escape(words['all'])} {attempt.remaining:,f}"
    return f"""<form method="post" class="actions">
<label>{escape(words["cancel_amount"])}
<input name="amount" inputmode="decimal" autocomplete="off" placeholder="{hint}">
</label><p class="hint">{escape(words["cancel_hint"])}</p>
{_button(attempt, "cancel", words["cancel"], "danger")}</form>"""


def _payments_table(attempts: list[Attempt], words: Words) -> str:
    if not attempts:
        return f'<p class="empty">{escape(words["list_empty"])}</p>'
    keys = ("imp_uid", "amount", "status", "time", "order_number")
    rows = [
        f"""<tr><td><a href="{_here(a)}?lang={words["lang"]}">{escape(a.imp_uid)}</a></td>
<td>{money(a.amount, a.currency, words)}</td>
<td><span class="state {state_of(a)}">{escape(words[state_of(a)])}</span></td>
<td>{clock(a.started_at)}</td><td>{escape(a.merchant_uid)}</td></tr>"""
        for a in reversed(attempts)
    ]
    return _table([words[key] for key in keys], rows)


def _pending(pending: list[Event], words: Words) -> str:
    if not pending:
        return ""
    return f"""<form method="post" action="/deliver" class="actions row">
<p>{escape(words["pending"])}: {len(pending)}</p>
<button class="plain">{escape(words["send"])}</button></form>"""


def _deliveries_table(deliveries: list[Delivery], words: Words) -> str:
    if not deliveries:
        return f'<p class="empty">{escape(words["webhooks_empty"])}</p>'
    rows = [
        f"""<tr><td class="{"good" if d.ok else "bad"}">{d.status or ""}
{escape(d.error or d.answer)}</td><td><code>{escape(d.body)}</code></td>
<td>{escape(d.url)}</td></tr>"""
        for d in reversed(deliveries)
    ]
    return _table([words["answer"], words["body"], words["address"]], rows)


def _table(heads: list[str], rows: list[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
