"""What an adapter is mounted with: a verifier of its kind, a prefix for the endpoints, and their
rules on a blueprint, of Flask or Quart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any
from urllib.parse import urlsplit

from .. import ENDPOINTS, ConfigurationError
from .._web.endpoints import METHODS

__all__ = ["add_rules", "check_verifier", "find", "other_method", "routes"]


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


def add_rules(
    blueprint: Any, view: Callable[..., Any], verifier: object, button: Callable[..., Any]
) -> None:
    """Add every endpoint, with and without a slash at its end, as a view of verifier and
    endpoint; and `button` to the templates."""
    for endpoint in ENDPOINTS:
        bound = update_wrapper(partial(view, verifier, endpoint), view)  # extensions want its name
        for slash in ("", "/"):
            blueprint.add_url_rule(
                f"/{endpoint}{slash}",
                endpoint=_names(endpoint)[bool(slash)],
                view_func=bound,
                methods=METHODS[endpoint],
                provide_automatic_options=False,
                strict_slashes=True,
            )
    blueprint.record(partial(_offer, verifier, button))


def _names(endpoint: str) -> tuple[str, str]:
    """Name the two rules of an endpoint; a blueprint's name for one may hold no dot."""
    name = endpoint.replace(".", "_")
    return name, f"{name}_slash"


def other_method(app: Any, request: Any, view: Callable[..., Any]) -> Callable[[], Any] | None:
    """Return the bound `view` for a request that the application refuses for its method, where the
    path is an endpoint's: the core answers each method. (A rule without methods would do so too,
    and break who lists them, as `quart routes` does.)"""
    methods = getattr(request.routing_exception, "valid_methods", None)
    if not methods:
        return None
    try:
        endpoint, _ = app.create_url_adapter(request).match(method=next(iter(methods)))
    except Exception:  # a redirect of a rule of the shop's; the request is refused as it is
        return None
    found = app.view_functions.get(endpoint)
    return found if getattr(found, "func", None) is view else None


def _name(state: Any) -> str:
    return f"{state.name_prefix}.{state.name}".lstrip(".")


def _offer(verifier: object, button: Callable[..., Any], state: Any) -> None:
    state.app.extensions.setdefault("imp_verify", {})[_name(state)] = verifier
    state.app.add_template_global(button, "imp_verify_button")


def find(app: Any, url_for: Callable[[str], str], name: str | None) -> tuple[Any, str]:
    """Return the verifier of a registered blueprint, the first where none is named, and the path
    of its `redirect` for this request.

    Raises:
        ConfigurationError: There is no blueprint of this name.
    """
    offered = app.extensions.get("imp_verify", {})
    name = name or next(iter(offered), "payments")
    if name not in offered:
        known = ", ".join(offered) or "none"
        raise ConfigurationError(f"there is no blueprint {name!r:.100}; there are {known}")
    return offered[name], urlsplit(url_for(f"{name}.redirect")).path
