"""The verifier that the setting `IMP_VERIFY` describes, made at its first use: dotted paths,
dictionaries of arguments, sync or async."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from difflib import get_close_matches
from traceback import walk_tb
from typing import Any, TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ... import AsyncVerifier, Checkout, ConfigurationError, Credentials, Landing, Verifier
from ...settings import Settings
from ...stores import in_thread
from ...stores._bridge import as_given
from ...stores._protocol import store_is_async
from ...verifier import observe
from .._mount import check_verifier
from .threads import hop

__all__ = ["get_store", "get_verifier", "make_verifier", "store_of"]

T = TypeVar("T")

_PATHS = (
    *("VERIFIER", "STORE", "TRANSPORT", "OBSERVER"),
    *("CREDENTIALS", "ACCOUNTS", "LANDING", "CHECKOUT"),
)
"""What may be given as a dotted path; what turns out to be a class is called without arguments."""
_VALUES: dict[str, type] = {"CREDENTIALS": Credentials, "LANDING": Landing, "CHECKOUT": Checkout}
"""What may be given as a dictionary of its arguments, in capitals or not."""
_KEYS = {
    "STORE",
    "TRANSPORT",
    "OBSERVER",
    "ASYNC",
    *(each.name.upper() for each in fields(Settings)),
}


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
    """Return the verifier of this process: the same one at every call, until the setting is
    overridden or the environment is another, as in tests.

    Raises:
        ConfigurationError: The setting is missing or unusable; the text names what in it.
    """
    with _lock:
        if not _made or not _made[0].is_current():
            _made[:] = [_Made(make_verifier())]
        return _made[0].verifier


def get_store() -> Any:
    """Return the store that the shop gave. Raises like `get_verifier`."""
    return store_of(get_verifier())


def store_of(verifier: Verifier | AsyncVerifier) -> Any:
    """Return the store that the shop gave, whatever stands between it and the verifier."""
    return as_given(verifier.store)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "IMP_VERIFY":
        with _lock:
            _made.clear()


setting_changed.connect(_forget)


def make_verifier() -> Verifier | AsyncVerifier:
    """Make the verifier that the setting describes, or return the one that it names.

    Raises:
        ConfigurationError: It is missing or unusable; the text names what in it, never a secret.
    """
    try:
        return _make(getattr(settings, "IMP_VERIFY", None))
    except Exception as error:
        _clear_frames(error)
        raise


def _clear_frames(error: BaseException | None) -> None:
    """Take the setting and what it names out of the frames of ours that an error has left: who
    watches errors sends their variables away, and there are secrets in these."""
    while error is not None:
        for frame, _ in walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("imp_verify."):
                with suppress(RuntimeError):  # it has not been left yet
                    frame.clear()
        error = error.__cause__ or error.__context__


def _make(given: object) -> Verifier | AsyncVerifier:
    if not isinstance(given, Mapping) or not {"VERIFIER", "STORE"} & given.keys():
        raise ConfigurationError(
            'the setting IMP_VERIFY must be a dictionary with "STORE" or "VERIFIER"'
        )
    if "VERIFIER" not in given:
        if unknown := given.keys() - _KEYS:
            raise ConfigurationError(_unknown(unknown))
        values = {name: _read(name, value) for name, value in given.items()}
        return _named("", _build, values)
    if len(given) > 1:
        raise ConfigurationError("IMP_VERIFY: a VERIFIER is whole, nothing may stand beside it")
    verifier: Verifier | AsyncVerifier = _read("VERIFIER", given["VERIFIER"])
    check_verifier('IMP_VERIFY["VERIFIER"]', verifier, Verifier, AsyncVerifier)
    return verifier


def _unknown(names: Iterable[object]) -> str:
    """Say which names there are, and which may have been meant."""
    known = sorted(_KEYS | {"VERIFIER"})
    wrong = ", ".join(sorted(f"{name!r:.100}" for name in names))
    meant = [each for name in names for each in get_close_matches(str(name).upper(), known, 1)]
    hint = f": did you mean {', '.join(meant)}?" if meant else "."
    return f"IMP_VERIFY must not have {wrong}{hint} There are {', '.join(known)}"


def _build(values: dict[str, Any]) -> Verifier | AsyncVerifier:
    arguments = {name.lower(): value for name, value in values.items()}
    store = arguments.pop("store")
    plain = not store_is_async(store)
    observer, asynchronous = arguments.pop("observer", None), arguments.pop("async", None)
    if asynchronous not in (None, True, False):
        raise ConfigurationError("ASYNC must be True or False")
    verifier: Verifier | AsyncVerifier
    if not (not plain if asynchronous is None else asynchronous):
        verifier = Verifier(store, **arguments)
    else:
        if plain and getattr(store, "blocks", True):
            store = in_thread(store, hop)
        verifier = AsyncVerifier(store, **arguments)
    observe(verifier, observer)
    return verifier


def _read(name: str, value: Any) -> Any:
    where = f'["{name}"]'
    if name in _PATHS and isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            text = f"IMP_VERIFY{where}: nothing can be imported from it"
            if name in ("CREDENTIALS", "ACCOUNTS"):  # it may be a secret, and the error repeats it
                raise ConfigurationError(text) from None
            raise ConfigurationError(f"{text}: {error}") from error
    if isinstance(value, Mapping) and name in ("ACCOUNTS", "CHECKOUT"):
        make = _VALUES.get(name, Credentials)
        if name == "ACCOUNTS" or any(isinstance(each, Mapping | make) for each in value.values()):
            return {key: _value(f"{where}[{key!r}]", make, each) for key, each in value.items()}
    return _value(where, _VALUES.get(name), value)


def _value(where: str, make: Callable[..., object] | None, value: object) -> object:
    if make is not None and isinstance(value, Mapping):
        arguments = {str(key).lower(): each for key, each in value.items()}
        return _named(where, lambda: make(**arguments))
    return _named(where, value) if isinstance(value, type) else value


def _named(where: str, make: Callable[..., T], *args: object) -> T:
    """Call, and have what goes wrong name the setting."""
    try:
        return make(*args)
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(f"IMP_VERIFY{where}: {error}") from error
