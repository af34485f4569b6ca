"""How a request travels to a shop: over HTTP, by requests."""

from __future__ import annotations

import time

import requests

from imp_verify.sandbox.deliveries import Outgoing, Reply


def post(sent: Outgoing) -> Reply:
    """Send one request; a failure is a result too."""
    headers = {"Content-Type": sent.content_type, **dict(sent.headers)}
    start = time.perf_counter()
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                sent.url,
                sent.body.encode(),
                headers=headers,
                timeout=sent.timeout,
                allow_redirects=sent.follow,
            )
            return Reply(answer.status_code, answer.text, None, _since(start))
    except (requests.RequestException, ValueError) as error:  # of urllib3, for some addresses
        return Reply(None, "", f"{type(error).__name__}: {error}", _since(start))


def _since(start: float) -> int:
    return round(1000 * (time.perf_counter() - start))
