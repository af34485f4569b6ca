"""Where the endpoints are under a prefix: what the middlewares share."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ENDPOINTS, ConfigurationError

__all__ = ["routes"]


def routes(prefix: str) -> Mapping[str, str]:
    """Give the endpoint of each path, with and without a slash at its end.

    Raises:
        ConfigurationError: The prefix does not begin with one slash, or holds more than a path.
    """
    bare = prefix.rstrip("/")
    if not bare.startswith("/") or bare.startswith("//") or "?" in bare or "#" in bare:
        raise ConfigurationError(f'prefix must be a path such as "/payments", not {prefix!r:.100}')
    return {f"{bare}/{name}{slash}": name for name in ENDPOINTS for slash in ("", "/")}
