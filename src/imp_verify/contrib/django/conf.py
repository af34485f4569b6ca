"""The verifier that the setting `IMP_VERIFY` describes, made at its first use."""

from __future__ import annotations

import os
import threading
from typing import Any

from django.core.signals import setting_changed

from ... import AsyncVerifier, Verifier
from ._setting import make_verifier

__all__ = ["get_store", "get_verifier", "store_of"]

_VARIABLES = (
    *("IMP_KEY", "IMP_SECRET", "IMP_TIER"),
    *("IMP_API_URL", "IMP_TEST_MODE", "IMP_PUBLIC_URL"),
)


class _Made:
    """A verifier, and the environment that it was made in; that has secrets in it, and so is in no
    variable of a function that raises."""

    def __init__(self, verifier: Verifier | AsyncVerifier) -> None:
        self.verifier = verifier
        self._environment = _environment()

    def is_current(self) -> bool:
        return self._environment == _environment()


def _environment() -> list[str | None]:
    return [os.environ.get(name) for name in _VARIABLES]


_lock = threading.Lock()
_made: list[_Made] = []


def get_verifier() -> Verifier | AsyncVerifier:
    """Give the verifier of this process: the same one at every call, until the setting is
    overridden or the environment is another, as in tests.

    Raises:
        ConfigurationError: The setting is missing or unusable; the text names what in it.
    """
    with _lock:
        if not _made or not _made[0].is_current():
            _made[:] = [_Made(make_verifier())]
        return _made[0].verifier


def get_store() -> Any:
    """Give the store that the shop gave. Raises like `get_verifier`."""
    return store_of(get_verifier())


def store_of(verifier: Verifier | AsyncVerifier) -> Any:
    """Give the store that the shop gave, whatever stands between it and the verifier."""
    store: Any = verifier._store
    return getattr(store, "_store", store)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "IMP_VERIFY":
        with _lock:
            _made.clear()


setting_changed.connect(_forget)
