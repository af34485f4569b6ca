"""The endpoints as Django URLs, set up by the setting `IMP_VERIFY`. Names only, no code."""

from __future__ import annotations

try:
    import django  # noqa: F401  # whether it is there
except ImportError as error:
    raise ImportError(
        'imp_verify.contrib.django needs Django: pip install "imp-verify[django]"'
    ) from error

from .conf import get_verifier

__all__ = ["get_verifier"]
