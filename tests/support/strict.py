"""A plugin of pytest: every sandbox begins with the hardest answers to what nobody knows of the
real gateway. `pytest -p tests.support.strict`; a test that is about one answer sets it."""

from __future__ import annotations

from dataclasses import fields

from imp_verify.sandbox.settings import Settings, strict

_HARDEST = strict()
Settings.__init__.__defaults__ = tuple(
    _HARDEST.get(each.name, each.default) for each in fields(Settings)
)
