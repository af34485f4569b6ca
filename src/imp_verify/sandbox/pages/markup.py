"""What all pages are made of: escaping, the frame of a page, rows, buttons, tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from html import escape

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.opening import KOREA

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
    if attempt.status == "paid" and attempt.cancellations and attempt.remaining:
        return "partly"
    if attempt.status == "cancelled":
        return "partly" if attempt.remaining else "cancelled"
    return "waiting" if attempt.waits_for_deposit else attempt.status


def page(words: Words, title: str, body: Html, *, script: str = "") -> Html:
    """Make a whole page of the sandbox; with one script more, where it has one."""
    more = html('\n<script src="/static/{name}" defer></script>', name=script)
    return html(
        """<!doctype html>
<html lang="{lang}">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/sandbox.css">
<script src="/static/window.js" defer></script>{more}</head>
<body>{body}</body></html>""",
        lang=words["lang"],
        title=title,
        more=more if script else "",
        body=body,
    )


def path_of(attempt: Attempt) -> str:
    """Return the address of a payment's own page."""
    return f"/window/{attempt.imp_uid}"


def way_back(shop: str, words: Words) -> Html:
    """Link to the shop, where there is one."""
    if not shop:
        return Html()
    link = '<a class="switch" id="to-shop" href="{shop}/?lang={lang}">{to_shop}</a>'
    return html(link, shop=shop, **words)


def switch(words: Words, path: str) -> Html:
    """Link to the same page in the other language."""
    link = '<a class="switch" lang="{other_lang}" href="{path}?lang={other_lang}">{other}</a>'
    return html(link, path=path, **words)


def heading(words: Words, path: str) -> Html:
    """The head of a card."""
    return html(
        '<header><span class="brand">{brand}</span>{switch}</header>',
        brand=words["brand"],
        switch=switch(words, path),
    )


def sum_of(attempt: Attempt, words: Words) -> Html:
    """What is paid, and how much."""
    test = html(' <span class="test">{test}</span>', **words) if attempt.sandbox else ""
    return html(
        '<h1>{name}{test}</h1><p class="sum">{sum}</p>',
        name=spoken(attempt.name or attempt.merchant_uid, words),
        test=test,
        sum=money(attempt.amount, attempt.currency, words),
    )


def alert(message: str, words: Words) -> Html:
    """What went wrong, where something did."""
    if not message:
        return Html()
    said = spoken(message, words)
    return html('<p class="message" role="alert">{message}</p>', message=said)


def facts(pairs: Iterable[tuple[str, str]], words: Words) -> Html:
    """A list of names and values."""
    row = "<dt>{name}</dt><dd>{value}</dd>"
    items = join(html(row, name=name, value=spoken(value, words)) for name, value in pairs)
    return html("<dl>{items}</dl>", items=items)


def who(attempt: Attempt, words: Words) -> list[tuple[str, str]]:
    """What names a payment."""
    return [
        (words["order_number"], attempt.merchant_uid),
        (words["method"], words.get(attempt.pay_method, attempt.pay_method)),
        (words["provider"], attempt.pg_provider),
        (words["device"], words.get(f"device_{attempt.channel}", attempt.channel)),
        (words["imp_uid"], attempt.imp_uid),
    ]


def button(attempt: Attempt, action: str, label: str, style: str) -> Html:
    """A button that does something to a payment."""
    return html(
        '<button class="{style}" formaction="{target}" name="do">{label}</button>',
        style=style,
        target=f"{path_of(attempt)}/{action}",
        label=label,
    )


def table(name: str, heads: list[str], rows: list[Html]) -> Html:
    """A table with its heads."""
    return html(
        '<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        "<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>",
        name=name,
        heads=join(html('<th scope="col">{name}</th>', name=head) for head in heads),
        rows=join(rows),
    )
