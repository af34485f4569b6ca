"""The payment window as text: what a buyer sees before the result. No state is changed here."""

from __future__ import annotations

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.exact import dumps
from imp_verify.sandbox.pages.markup import (
    Html,
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


def window(attempt: Attempt, language: str, message: str = "") -> Html:
    """The payment window that a buyer sees."""
    words = texts(language)
    main = "issue" if attempt.pay_method == "vbank" else "approve"
    return page(
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
            heading=heading(words, path_of(attempt)),
            sum=sum_of(attempt, words),
            rows=facts(who(attempt, words), words),
            message=alert(message, words),
            working=words["working"],
            buttons=join(
                button(attempt, action, words[action], style)
                for action, style in ((main, "primary"), ("decline", "plain"), ("close", "quiet"))
            ),
            no_money=words["no_money"],
        ),
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
