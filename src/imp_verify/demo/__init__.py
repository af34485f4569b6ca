"""A whole small shop with the offline gateway behind it, to be looked at in a browser.

Needs the extra `demo`: `pip install "imp-verify[demo]"`.
"""

from __future__ import annotations

try:
    import flask  # noqa: F401
except ImportError as error:
    raise ImportError(
        'imp_verify.demo needs Flask and imp_verify.sandbox: pip install "imp-verify[demo]"'
    ) from error

from imp_verify.demo.server import Demo

__all__ = ["Demo"]
