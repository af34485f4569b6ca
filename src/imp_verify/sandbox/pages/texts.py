"""The words of all pages; each subject has a module of its own."""

from __future__ import annotations

from imp_verify.sandbox.pages import log_texts, window_texts

_KO = {**window_texts.KO, **log_texts.KO}
_EN = {**window_texts.EN, **log_texts.EN}


def texts(language: str | None) -> dict[str, str]:
    """Return the words of a language; Korean where there are none of that one."""
    return _EN if language == "en" else _KO
