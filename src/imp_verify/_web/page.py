"""The built-in page that a buyer comes back to where the shop has none of its own: no script, no
picture, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

__all__ = ["Row", "policy", "render"]

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{message}</title>
<style>{style}</style>
</head>
<body>
<main class="{kind}">
<svg viewBox="0 0 48 48" aria-hidden="true" focusable="false"><path d="{mark}"/></svg>
<h1>{message}</h1>
{more}</main>
</body>
</html>
"""
_STYLE = """
:root{color-scheme:light dark;--background:#f4f5f7;--surface:#fff;--text:#1b1f24;--muted:#555c66;
--accent:#1d57d0;--on-accent:#fff;--success:#12703f;--failure:#b3261e;--waiting:#85560a;
--radius:14px;--font:system-ui,"Apple SD Gothic Neo","Malgun Gothic","Noto Sans KR",sans-serif}
@media (prefers-color-scheme:dark){:root{--background:#101215;--surface:#1b1f24;--text:#f1f3f5;
--muted:#aeb6c0;--accent:#8db4ff;--on-accent:#0c1626;--success:#6fd6a0;--failure:#ffb4ab;
--waiting:#f3c26b}}
:root{THEME}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem 1rem;
font:1rem/1.6 var(--font);color:var(--text);background:var(--background);
word-break:keep-all;overflow-wrap:anywhere}
main{width:100%;max-width:28rem;padding:2.5rem 1.5rem 2rem;text-align:center;
background:var(--surface);border-radius:var(--radius);border:1px solid transparent}
svg{width:3.5rem;height:3.5rem;fill:none;stroke:currentColor;stroke-width:3;stroke-linecap:round;
stroke-linejoin:round}
.success svg{color:var(--success)}.failure svg{color:var(--failure)}
.pending svg,.waiting svg{color:var(--waiting)}
h1{margin:.75rem 0 0;font-size:1.375rem;line-height:1.4}
p{margin:.75rem 0 0;color:var(--muted)}
dl{margin:1.5rem 0 0;padding:1rem 1.25rem;border-radius:calc(var(--radius) / 1.5);
background:var(--background);text-align:start}
dl div{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:0 1rem;
padding:.25rem 0}
dt{color:var(--muted)}
dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums}
.whole{flex:1 1 14rem}
input{width:100%;padding:.375rem .625rem;font:inherit;text-align:end;color:var(--text);
background:var(--surface);border:1px solid var(--muted);border-radius:calc(var(--radius) / 2)}
nav{margin-top:1.75rem;display:grid;gap:.75rem}
a{display:block;padding:.75rem 1rem;border-radius:calc(var(--radius) / 1.5);font-weight:600;
text-decoration:none;color:var(--accent);border:1px solid currentColor}
a:first-child{color:var(--on-accent);background:var(--accent);border-color:var(--accent)}
a:hover{text-decoration:underline}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
"""
_RING = "M24 4a20 20 0 1 1 0 40a20 20 0 1 1 0-40"
_MARKS = {
    "success": f"{_RING}M15 25l6 6l12-13",
    "failure": f"{_RING}M17 17l14 14M31 17l-14 14",
    "pending": f"{_RING}M24 13v12l8 5",
    # A bank, and the time that is left: nothing is paid yet.
    "waiting": "M4 18L21 6l17 12zM9 24v10M21 24v4M5 40h16M36 26a9 9 0 1 1 0 18a9 9 0 1 1 0-18"
    "M36 30v5l3 2",
}
_HOME = {"ko": "쇼핑몰로 돌아가기", "en": "Back to the shop"}
_AGAIN = {"ko": "다시 확인하기", "en": "Check again"}


class Row(NamedTuple):
    """One line of what a buyer needs to make a deposit.

    Attributes:
        copied: It stands in a field, which a key, a click or a finger selects as a whole: a button
            that copies would need a script.
    """

    name: str
    value: str
    copied: bool = False


def render(
    kind: str,
    message: str,
    said: Sequence[str],
    rows: Sequence[Row],
    language: str,
    theme: Mapping[str, str],
) -> bytes:
    """Make the page.

    Args:
        kind: success, failure, waiting (for a deposit) or pending. A pending one can be asked for
            again; it does not by itself, which would take the page away from under a screen reader.
        message: The heading, and the title.
        said: Paragraphs below it; one without anything to read is left out. Words of the gateway
            have one to themselves: some PGs allow nothing beside theirs. On an English page Korean
            ones are said to be Korean, so that they are read aloud as such.
        rows: The account to pay into, where there is one; those without a value are left out.
        language: ko or en.
        theme: See `Landing`.
    """
    from html import escape  # here, because `import imp_verify` need not pay for it

    waits = kind == "pending"
    # An empty address is the page's own, whatever it was asked with.
    links = [("", _AGAIN[language])] * waits + [("/", _HOME[language])]
    anchors = "".join(f'<a href="{target}">{escape(text)}</a>\n' for target, text in links)
    tell = partial(_lang, language)
    more = "".join(f"<p{tell(text)}>{escape(text)}</p>\n" for text in map(_seen, said) if text)
    lines = "".join(_line(escape(row.name), _seen(row.value), row.copied, tell) for row in rows)
    more += (f"<dl>\n{lines}</dl>\n" if lines else "") + f"<nav>\n{anchors}</nav>\n"
    page = _PAGE.format(
        language=language,
        message=escape(message),
        style=_style(theme),
        kind=kind,
        mark=_MARKS[kind],
        more=more,
    )
    return page.encode("utf-8", "replace")


def _seen(text: str) -> str:
    """Make a space of each character that turns the direction of what follows, or is none to
    see."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _lang(language: str, text: str) -> str:
    korean = any("\uac00" <= each <= "\ud7a3" for each in text)
    return ' lang="ko"' if korean and language != "ko" else ""


def _line(name: str, text: str, copied: bool, tell: Callable[[str], str]) -> str:
    from html import escape

    if not text:
        return ""
    value = escape(text)
    if not copied:
        return f"<div><dt>{name}</dt><dd{tell(text)}>{value}</dd></div>\n"
    field = f'<input readonly value="{value}" aria-label="{name}">'
    return f'<div><dt>{name}</dt><dd class="whole">{field}</dd></div>\n'


def policy(theme: Mapping[str, str]) -> str:
    """Return the content security policy: this very style, and nothing else."""
    from base64 import b64encode  # here, because `import imp_verify` need not pay for them
    from hashlib import sha256

    digest = b64encode(sha256(_style(theme).encode()).digest()).decode()
    own = f"default-src 'none'; style-src 'sha256-{digest}'"
    return f"{own}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _style(theme: Mapping[str, str]) -> str:
    own = "".join(f"--{name}:{value};" for name, value in theme.items())
    return _STYLE.replace("THEME", own)
