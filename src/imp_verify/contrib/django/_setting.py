"""Reading the setting `IMP_VERIFY`: dotted paths, dictionaries of arguments, and the colour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.utils.module_loading import import_string

from ... import AsyncVerifier, Checkout, ConfigurationError, Credentials, Landing, Verifier
from ..._configuration import VerifierArguments
from ...stores import in_thread, store_is_async
from .._paths import check_verifier
from .threads import hop

__all__ = ["make_verifier"]

T = TypeVar("T")

_PATHS = ("VERIFIER", "STORE", "TRANSPORT", "CREDENTIALS", "ACCOUNTS", "LANDING", "CHECKOUT")
"""What may be given as a dotted path; what turns out to be a class is called without arguments."""
_VALUES: dict[str, type] = {"CREDENTIALS": Credentials, "LANDING": Landing, "CHECKOUT": Checkout}
"""What may be given as a dictionary of its arguments, in capitals or not."""
_KEYS = {"STORE", "TRANSPORT", "ASYNC", *map(str.upper, VerifierArguments.__annotations__)}


def make_verifier(given: object) -> Verifier | AsyncVerifier:
    """Make the verifier that the setting describes, or give the one that it names.

    Raises:
        ConfigurationError: It is missing or unusable; the text names what in it, never a secret.
    """
    if not isinstance(given, Mapping) or not {"VERIFIER", "STORE"} & given.keys():
        raise ConfigurationError(
            'the setting IMP_VERIFY must be a dictionary with "STORE" or "VERIFIER"'
        )
    if "VERIFIER" not in given:
        if unknown := given.keys() - _KEYS:
            names = ", ".join(sorted(map(repr, unknown)))
            raise ConfigurationError(f"IMP_VERIFY must not have {names}")
        values = {name: _read(name, value) for name, value in given.items()}
        return _named("", _build, values)
    if len(given) > 1:
        raise ConfigurationError("IMP_VERIFY: a VERIFIER is whole, nothing may stand beside it")
    verifier: Verifier | AsyncVerifier = _read("VERIFIER", given["VERIFIER"])
    check_verifier('IMP_VERIFY["VERIFIER"]', verifier, Verifier, AsyncVerifier)
    return verifier


def _build(values: dict[str, Any]) -> Verifier | AsyncVerifier:
    arguments = {name.lower(): value for name, value in values.items()}
    store = arguments.pop("store")
    plain = not store_is_async(store)
    asynchronous = arguments.pop("async", None)
    if asynchronous not in (None, True, False):
        raise ConfigurationError("ASYNC must be True or False")
    if not (not plain if asynchronous is None else asynchronous):
        return Verifier(store, **arguments)
    if plain and getattr(store, "blocks", True):
        store = in_thread(store, hop)
    return AsyncVerifier(store, **arguments)


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
