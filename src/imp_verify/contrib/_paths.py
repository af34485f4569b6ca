"""What an adapter is mounted with: a verifier of its kind, and a prefix for the endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from .. import ENDPOINTS, ConfigurationError

__all__ = ["check_verifier", "routes"]


def check_verifier(where: str, given: object, *kinds: type) -> None:
    """Refuse, when it is mounted, what would fail at the first payment.

    Raises:
        ConfigurationError: It is no verifier, or not of a kind that this place can use.
    """
    if not isinstance(given, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigurationError(
            f"{where}: the verifier must be {wanted}, not {type(given).__name__}"
        )


def routes(prefix: str) -> Mapping[str, str]:
    """Return the endpoint of each path, with and without a slash at its end.

    Raises:
        ConfigurationError: The prefix does not begin with one slash, or holds more than a path.
    """
    bare = prefix.rstrip("/")
    if not bare.startswith("/") or bare.startswith("//") or "?" in bare or "#" in bare:
        raise ConfigurationError(f'prefix must be a path such as "/payments", not {prefix!r:.100}')
    return {f"{bare}/{name}{slash}": name for name in ENDPOINTS for slash in ("", "/")}
