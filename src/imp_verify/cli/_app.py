"""`--app module:name`: the shop's verifier, found and made as a server finds an application."""

from __future__ import annotations

import inspect
import os
import re
import sys
from importlib import import_module
from types import CoroutineType
from typing import Any

from .. import AsyncVerifier, Verifier
from ._printing import WrongUse, said
from ._words import Words

__all__ = ["AnyVerifier", "load"]

AnyVerifier = Verifier | AsyncVerifier
_SPEC = re.compile(r"(\w+(?:\.\w+)*):(\w+(?:\.\w+)*)")
_KINDS = (Verifier, AsyncVerifier)


def load(spec: str, words: Words) -> AnyVerifier:
    """Return the verifier that `module:name` is, or that the function of this name makes. The
    current folder is looked in first.

    Raises:
        WrongUse: There is none; the text names what was looked for.
    """
    parts = _SPEC.fullmatch(spec)
    if parts is None:
        raise WrongUse(words("app_form", spec=said(spec)))
    module, name = parts[1], parts[2]
    found = _import(spec, module, words)
    for each in name.split("."):
        try:
            found = getattr(found, each)
        except AttributeError:
            raise WrongUse(words("app_no_name", spec=spec, module=module, name=name)) from None
    if isinstance(found, _KINDS):
        return found
    if not _makes(found):
        raise WrongUse(words("app_no_verifier", spec=spec, kind=_kind(found)))
    return _made(spec, found, words)


def _import(spec: str, module: str, words: Words) -> Any:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            text = words("app_no_module", spec=spec, module=error.name, folder=folder)
            raise WrongUse(text) from None
        raise WrongUse(words("app_import", spec=spec, module=module, error=said(error))) from error
    except (Exception, SystemExit) as error:  # a script ends itself, and would end us as good
        raise WrongUse(words("app_import", spec=spec, module=module, error=said(error))) from error


def _makes(found: object) -> bool:
    """Whether it can be called as it is: an application is called too, with a request."""
    if not callable(found):
        return False
    try:
        _ = inspect.signature(found).bind()
    except (TypeError, ValueError):  # the latter of what is not written in Python
        return False
    return True


def _made(spec: str, make: Any, words: Words) -> AnyVerifier:
    try:
        made = make()
    except (Exception, SystemExit) as error:
        raise WrongUse(words("app_raised", spec=spec, error=said(error))) from error
    if isinstance(made, CoroutineType):
        made.close()  # unawaited it would only warn
    if not isinstance(made, _KINDS):
        raise WrongUse(words("app_made", spec=spec, kind=_kind(made)))
    return made


def _kind(thing: object) -> str:
    return f"class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__
