"""What `imp-verify doctor` finds at the shop's public address: our endpoint, or which other thing
that a shop has met there."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from functools import partial
from socket import gaierror
from urllib.parse import urlsplit

import requests

from ..settings import Settings, is_loopback
from ._checks import Check
from ._printing import said
from ._senders import check_senders
from ._words import Words

__all__ = ["check_address"]

_TIMEOUT = 10.0
_ENOUGH = 65536
_LOGIN = re.compile(r"log-?in|sign-?in|/auth", re.IGNORECASE)
_PASSWORD = re.compile(r"""type\s*=\s*["']?password""", re.IGNORECASE)


def check_address(url: str, prefix: str, settings: Settings, words: Words) -> Iterator[Check]:
    """Post an empty body to the webhook, and tell what answers; where it is ours, whether it
    believes a made header.

    Args:
        url: The webhook's public address.
        prefix: Where the endpoints are thought to be, for the advice.
    """
    try:
        answer, text = _post(url)
    except requests.RequestException as error:
        yield _unreached(url, error, words)
        return
    level, key, advice, location = _kind(answer, text)
    status = f"HTTP {answer.status_code}"
    seen = words(f"public_{key}", url=url, answer=status, location=said(location))
    yield Check("public_url", level, seen, words(f"do_{advice}", prefix=prefix) if advice else None)
    if level == "good":
        ask = partial(_is_refused, url)
        yield from check_senders(key == "sources", ask, url, settings, words)


def _is_refused(url: str, sender: str) -> bool | None:
    """Tell whether our endpoint refuses what is said to be of this sender; None where something
    else answers."""
    try:
        answer, text = _post(url, {"X-Forwarded-For": sender})
    except requests.RequestException:
        return None
    key = _kind(answer, text)[1]
    return key == "sources" if key in ("good", "sources") else None


def _post(url: str, more: Mapping[str, str] | None = None) -> tuple[requests.Response, str]:
    """Send it as the gateway would, from this machine; nothing is followed, and only the beginning
    read."""
    with requests.Session() as http:
        http.trust_env = not is_loopback(urlsplit(url).hostname or "")
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"} | dict(
            more or {}
        )
        with http.post(
            url, b"", headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            body = next(answer.iter_content(_ENOUGH), b"")
            return answer, body.decode("utf-8", "replace")


def _kind(answer: requests.Response, text: str) -> tuple[str, str, str | None, str]:
    """Tell the level, the sentence, the advice, and where a redirect goes."""
    status, word = answer.status_code, _word(text)
    location = answer.headers.get("Location", "")
    if status == 400 and word == "invalid":
        return "good", "good", None, ""
    if status == 403 and word == "forbidden":
        return "good", "sources", None, ""
    if 300 <= status < 400:
        key = "login" if _LOGIN.search(location) else "redirect"
        return "bad", key, key, location
    if status == 401 or _PASSWORD.search(text):
        return "bad", "login", "login", ""
    key = {404: "not_found", 403: "forbidden"}.get(status, "trouble" if status >= 500 else "other")
    return "bad", key, key, ""


def _word(text: str) -> object:
    """Return the word that our answers have, None for an answer that is none of ours."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content.get("status") if isinstance(content, dict) else None


def _unreached(url: str, error: requests.RequestException, words: Words) -> Check:
    causes = list(_causes(error))
    key, why = "unreachable", said(error)
    if isinstance(error, requests.Timeout):
        key = "timeout"
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            key, why = "certificate", said(cause.verify_message)
        elif isinstance(cause, ConnectionRefusedError):
            key = "refused"
        elif isinstance(cause, gaierror):
            key = "no_host"
    text = words(f"public_{key}", url=url, error=why, seconds=f"{_TIMEOUT:g}")
    return Check("public_url", "bad", text, words(f"do_{key}"), error=error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
