"""Which release of a package is installed. It stands alone because commands and traces both say so,
and share nothing else."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["release_of"]


def release_of(name: str) -> str | None:
    """Return a package's release; None where it is run from a folder, and not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
