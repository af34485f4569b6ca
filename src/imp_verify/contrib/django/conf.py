"""The verifier that the setting `IMP_VERIFY` describes, made at its first use."""

from __future__ import annotations

import threading
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from ... import AsyncVerifier, Verifier
from ._setting import make_verifier

__all__ = ["get_store", "get_verifier"]

_lock = threading.Lock()
_made: list[Verifier | AsyncVerifier] = []


def get_verifier() -> Verifier | AsyncVerifier:
    """Give the verifier of this process, the same one at every call.

    Raises:
        ConfigurationError: The setting is missing or unusable; the text names what in it.
    """
    with _lock:
        if not _made:
            _made.append(make_verifier(getattr(settings, "IMP_VERIFY", None)))
        return _made[0]


def get_store() -> Any:
    """Give the store that the shop gave, whatever stands between it and the verifier. Raises like
    `get_verifier`."""
    store: Any = get_verifier()._store
    return getattr(store, "_store", store)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "IMP_VERIFY":
        with _lock:
            _made.clear()


setting_changed.connect(_forget)
