"""What `trigger` asks of a running sandbox: its paths, and what it answers, stand here alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._printing import WrongUse, said
from ._words import Words

if TYPE_CHECKING:
    import requests

__all__ = ["TIMEOUT", "Control", "NoSandbox"]

TIMEOUT = (10.0, 60.0)
"""Seconds: the sandbox waits for the shop, 30 s for each notice, before it answers."""
_KEYS = (("imp_key", "IMP_KEY", "sandbox_key"), ("imp_secret", "IMP_SECRET", "sandbox_secret"))


class NoSandbox(Exception):
    """What answers at the address is none, or does not behave as one."""


class Control:
    """A running sandbox, by its control endpoints."""

    def __init__(self, http: requests.Session, url: str, words: Words) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._words = words

    def settings(self) -> Mapping[str, Any]:
        """Return how it behaves; asked first, for something else may answer there."""
        settings = self._get("/settings")
        if not isinstance(settings, dict) or "webhook_url" not in settings:
            raise NoSandbox("no settings")
        return settings

    def change(self, **settings: object) -> None:
        """Change settings."""
        self._send("PATCH", "/settings", settings)

    def open(self, fields: Mapping[str, object]) -> str:
        """Open a payment window, and return the payment's imp_uid."""
        return str(self._post("/windows", fields)["imp_uid"])

    def move(self, step: str, imp_uid: str, **fields: object) -> None:
        """Do something to a payment: approve, decline, close, issue, deposit, cancel."""
        self._post(f"/payments/{imp_uid}/{step}", fields)

    def approve_late(self, imp_uid: str) -> None:
        """Let a window's payment fail, and be approved after that."""
        self.move("approve-late", imp_uid, seconds=0, meanwhile="failed")

    def payment(self, imp_uid: str) -> Mapping[str, Any] | None:
        """Return a payment, None where there is none."""
        known = self._get(f"/payments?imp_uid={quote(imp_uid, safe='')}")["list"]
        return known[0] if known else None

    def deliveries(self, imp_uids: Sequence[str]) -> list[Mapping[str, Any]]:
        """Have it send what it keeps back; return all that it sent of these payments."""
        sent = self._post("/deliveries/release", {})["list"]
        return [each for each in sent if each["imp_uid"] in imp_uids]

    def prepared(self, order: str) -> Decimal | None:
        """Return the amount that was registered for an order, None where none was."""
        keys = {name: os.environ.get(variable) or own for name, variable, own in _KEYS}
        token = self._http.post(f"{self._url}/users/getToken", json=keys, timeout=TIMEOUT)
        if token.status_code != 200:
            return None
        found = self._http.get(
            f"{self._url}/payments/prepare/{quote(order, safe='')}",
            headers={"Authorization": token.json()["response"]["access_token"]},
            timeout=TIMEOUT,
        )
        content = json.loads(found.text, parse_float=Decimal) if found.status_code == 200 else {}
        amount = (content.get("response") or {}).get("amount")
        return None if amount is None else Decimal(amount)

    def _get(self, path: str) -> Any:
        return self._read(self._http.get(f"{self._url}/sandbox/v1{path}", timeout=TIMEOUT))

    def _post(self, path: str, fields: Mapping[str, object]) -> Any:
        return self._send("POST", path, fields)

    def _send(self, method: str, path: str, fields: Mapping[str, object]) -> Any:
        url = f"{self._url}/sandbox/v1{path}"
        return self._read(self._http.request(method, url, json=fields, timeout=TIMEOUT))

    def _read(self, answer: requests.Response) -> Any:
        try:
            content = answer.json()
        except ValueError:
            raise NoSandbox(f"HTTP {answer.status_code}") from None
        if answer.status_code in (400, 409) and isinstance(content, dict):
            raise WrongUse(self._words("sandbox_refused", error=said(content.get("error"))))
        if answer.status_code != 200:
            raise NoSandbox(f"HTTP {answer.status_code}")
        return content
