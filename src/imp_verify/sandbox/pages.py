"""The sandbox's pages as text: no state is changed here."""

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


class Html(str):
    """Markup. Any other text is escaped on its way into a page, whoever it came from."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """Fill a template: its own text is markup, and so are values that are Html."""
    made = {name: v if isinstance(v, Html) else escape(str(v)) for name, v in values.items()}
    return Html(template.format(**made))


def join(parts: Iterable[Html]) -> Html:
    """Put pieces of markup one after the other."""
    return Html("".join(parts))


def spoken(text: str, words: Words) -> Html:
    """Say of Korean words on another language's page that they are Korean: the gateway's and the
    shop's own stay as they are, and are to be read aloud as such."""
    korean = any("\uac00" <= each <= "\ud7a3" for each in text)
    if not korean or words["lang"] == "ko":
        return html("{text}", text=text)
    return html('<span lang="ko">{text}</span>', text=text)


def money(amount: Decimal, currency: str, words: Words) -> str:
    """Write an amount for people."""
    if currency == "KRW" and words["lang"] == "ko":
        return f"{amount:,f}원"
    return f"{amount:,f} {currency}"


def clock(seconds: int) -> str:
    """Write a time for people, Korean time."""
    return f"{datetime.fromtimestamp(seconds, KOREA):%Y-%m-%d %H:%M:%S}"


def state_of(attempt: Attempt) -> str:
    """Name what an attempt is, as a key of the words where there is one."""
    if attempt.status == "cancelled":
        return "partly" if attempt.remaining else "cancelled"
    return "waiting" if attempt.waits_for_deposit else attempt.status


def window(attempt: Attempt, language: str, message: str = "") -> Html:
    """The payment window that a buyer sees."""
    words = texts(language)
    main = "issue" if attempt.pay_method == "vbank" else "approve"
    return _page(
        words,
        words["brand"],
        html(
            """<main class="card" data-state="open">
{heading}
{sum}
{rows}{message}
<form method="post" class="actions" data-working="{working}">{buttons}</form>
<p class="note">{no_money}</p>
</main>""",
            heading=_heading(words, _here(attempt)),
            sum=_sum(attempt, words),
            rows=_rows(_who(attempt, words), words),
            message=_message(message, words),
            working=words["working"],
            buttons=join(
                _button(attempt, action, words[action], style)
                for action, style in ((main, "primary"), ("decline", "plain"), ("close", "quiet"))
            ),
            no_money=words["no_money"],
        ),
    )


def payment(attempt: Attempt, language: str, message: str = "", shop: str = "") -> Html:
    """The page of one payment: what it is, and what a bank or a clerk can do to it; with a way back
    to the shop at this address, where there is one."""
    words, state = texts(language), state_of(attempt)
    return _page(
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
            back=_way_back(shop, words),
            heading=_heading(words, _here(attempt)),
            sum=_sum(attempt, words),
            says=words.get(state, state),
            rows=_rows([*_who(attempt, words), *_history(attempt, words)], words),
            message=_message(message, words),
            deposit_form=_deposit_form(attempt, words),
            cancel_form=_cancel_form(attempt, words),
            **words,
        ),
    )


def leaving(language: str) -> Html:
    """What a phone shows over the shop's page before it leaves that page."""
    words = texts(language)
    main = html(
        '<main class="card" data-state="leaving"><p class="state">{leaving}</p></main>', **words
    )
    return _page(words, words["brand"], main)


def finished(result: dict[str, object] | None, origin: str, language: str) -> Html:
    """The page that hands the result, if there is one, to the shop's page around it."""
    words = texts(language)
    # Inert data: "<" must not be able to end the element.
    data = Html(dumps({"result": result, "origin": origin}).replace("<", "\\u003c"))
    return _page(
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


def overview(
    attempts: Iterable[Attempt],
    deliveries: Iterable[Delivery],
    pending: Iterable[Event],
    language: str,
    shop: str = "",
) -> Html:
    """All payments, newest first, and the webhooks; with a way back as on `payment`."""
    words = texts(language)
    return _page(
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
            back=_way_back(shop, words),
            switch=_switch(words, "/"),
            payments=_payments_table(list(attempts), words),
            kept_back=_pending(list(pending), words),
            sent=_deliveries_table(list(deliveries), words),
            **words,
        ),
    )


def _page(words: Words, title: str, body: Html) -> Html:
    return html(
        """<!doctype html>
<html lang="{lang}">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/sandbox.css">
<script src="/static/window.js" defer></script></head>
<body>{body}</body></html>""",
        lang=words["lang"],
        title=title,
        body=body,
    )


def _here(attempt: Attempt) -> str:
    return f"/window/{attempt.imp_uid}"


def _way_back(shop: str, words: Words) -> Html:
    if not shop:
        return Html()
    link = '<a class="switch" id="to-shop" href="{shop}/?lang={lang}">{to_shop}</a>'
    return html(link, shop=shop, **words)


def _switch(words: Words, path: str) -> Html:
    link = '<a class="switch" lang="{other_lang}" href="{path}?lang={other_lang}">{other}</a>'
    return html(link, path=path, **words)


def _heading(words: Words, path: str) -> Html:
    return html(
        '<header><span class="brand">{brand}</span>{switch}</header>',
        brand=words["brand"],
        switch=_switch(words, path),
    )


def _sum(attempt: Attempt, words: Words) -> Html:
    test = html(' <span class="test">{test}</span>', **words) if attempt.sandbox else ""
    return html(
        '<h1>{name}{test}</h1><p class="sum">{sum}</p>',
        name=spoken(attempt.name or attempt.merchant_uid, words),
        test=test,
        sum=money(attempt.amount, attempt.currency, words),
    )


def _message(message: str, words: Words) -> Html:
    if not message:
        return Html()
    said = spoken(message, words)
    return html('<p class="message" role="alert">{message}</p>', message=said)


def _rows(rows: Iterable[tuple[str, str]], words: Words) -> Html:
    row = "<dt>{name}</dt><dd>{value}</dd>"
    items = join(html(row, name=name, value=spoken(value, words)) for name, value in rows)
    return html("<dl>{items}</dl>", items=items)


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


def _button(attempt: Attempt, action: str, label: str, style: str) -> Html:
    return html(
        '<button class="{style}" formaction="{target}" name="do">{label}</button>',
        style=style,
        target=f"{_here(attempt)}/{action}",
        label=label,
    )


def _deposit_form(attempt: Attempt, words: Words) -> Html:
    if not attempt.waits_for_deposit:
        return Html()
    return html(
        '<form method="post" class="actions"><p class="hint">{hint}</p>{button}</form>',
        hint=words["deposit_hint"],
        button=_button(attempt, "deposit", words["deposit"], "primary"),
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
        button=_button(attempt, "cancel", words["cancel"], "danger"),
        **{**words, "remaining": f"{attempt.remaining:,f}"},
    )


_PAYMENT = ("imp_uid", "amount", "status", "time", "order_number")
"""The columns of the list."""


def _payments_table(attempts: list[Attempt], words: Words) -> Html:
    if not attempts:
        return html('<p class="empty">{list_empty}</p>', **words)
    rows = [_payment_row(attempt, words) for attempt in reversed(attempts)]
    return _table(words["list_title"], [words[name] for name in _PAYMENT], rows)


def _payment_row(attempt: Attempt, words: Words) -> Html:
    state = state_of(attempt)
    return html(
        """<tr><td data-name="{imp_uid_}"><a href="{path}?lang={lang}">{imp_uid}</a></td>
<td data-name="{amount_}">{amount}</td>
<td data-name="{status_}"><span class="state {state}">{says}</span></td>
<td data-name="{time_}">{time}</td><td data-name="{order_number_}">{order}</td></tr>""",
        **{f"{name}_": words[name] for name in _PAYMENT},
        path=_here(attempt),
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
    return _table(words["webhooks"], heads, rows)


def _table(name: str, heads: list[str], rows: list[Html]) -> Html:
    return html(
        '<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        "<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>",
        name=name,
        heads=join(html('<th scope="col">{name}</th>', name=head) for head in heads),
        rows=join(rows),
    )
