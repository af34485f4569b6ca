"""What an adapter is mounted with: a verifier of its kind, a prefix for the endpoints, and their
rules on a blueprint, of Flask or Quart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any
from urllib.parse import urlsplit

from .. import ENDPOINTS, ConfigurationError
from .._web.endpoints import METHODS

__all__ = [
    "add_command",
    "add_rules",
    "bare_prefix",
    "check_verifier",
    "find",
    "mounted",
    "routes",
]


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
    bare = bare_prefix(prefix)
    return {f"{bare}/{name}{slash}": name for name in ENDPOINTS for slash in ("", "/")}


def bare_prefix(prefix: str) -> str:
    """Return the prefix without a slash at its end.

    Raises:
        ConfigurationError: It does not begin with one slash, or holds more than a path.
    """
    bare = prefix.rstrip("/")
    if not bare.startswith("/") or bare.startswith("//") or "?" in bare or "#" in bare:
        raise ConfigurationError(f'prefix must be a path such as "/payments", not {prefix!r:.100}')
    return bare


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
                provide_automatic_options=False,
                strict_slashes=True,
            )
    blueprint.record(_take_every_method)
    blueprint.record(partial(_offer, verifier, button))


def _names(endpoint: str) -> tuple[str, str]:
    """Name the two rules of an endpoint; a blueprint's name for one may hold no dot."""
    name = endpoint.replace(".", "_")
    return name, f"{name}_slash"


class _EveryMethod(set[str]):
    """The methods that an endpoint has, where routes are listed; any other matches too, and the
    core answers it. Werkzeug's own word for "any", None, breaks who lists them: `quart routes` and
    extensions that describe an application sort the methods of every rule. And an answer from
    anywhere but the rule's own dispatch would pass by the shop's `before_request` functions.
    """

    def __contains__(self, method: object) -> bool:
        return True


def _take_every_method(state: Any) -> None:
    """Let our rules on an application have every method. Not when they are made: Flask makes a
    rule with a list of methods only."""
    mine = f"{_name(state)}."
    methods = {f"{mine}{name}": METHODS[each] for each in ENDPOINTS for name in _names(each)}
    for rule in state.app.url_map.iter_rules():
        if rule.endpoint in methods:
            rule.methods = _EveryMethod(methods[rule.endpoint])


def _name(state: Any) -> str:
    return f"{state.name_prefix}.{state.name}".lstrip(".")


def _offer(verifier: object, button: Callable[..., Any], state: Any) -> None:
    state.app.extensions.setdefault("imp_verify", {})[_name(state)] = verifier
    state.app.add_template_global(button, "imp_verify_button")


def add_command(blueprint: Any, make: Callable[[Any], object]) -> None:
    """Give each application that the blueprint is registered on the command that `make` makes for
    it, once."""
    blueprint.record(lambda state: _add_command(state.app, make))


def _add_command(app: Any, make: Callable[[Any], object]) -> None:
    if "imp-verify" not in app.cli.commands:
        app.cli.add_command(make(app))


def mounted(app: Any, name: str | None) -> tuple[Any, str | None]:
    """Return the verifier of a registered blueprint, the first where none is named, and the path of
    its `webhook`; None where that has variables in it.

    Raises:
        ConfigurationError: There is no blueprint of this name.
    """
    name, verifier = _chosen(app, name)
    paths = [rule.rule for rule in app.url_map.iter_rules(f"{name}.webhook")]
    return verifier, paths[0] if "<" not in paths[0] else None


def find(app: Any, url_for: Callable[[str], str], name: str | None) -> tuple[Any, str]:
    """Return the verifier of a registered blueprint, the first where none is named, and the path
    of its `redirect` for this request.

    Raises:
        ConfigurationError: There is no blueprint of this name.
    """
    name, verifier = _chosen(app, name)
    return verifier, urlsplit(url_for(f"{name}.redirect")).path


def _chosen(app: Any, name: str | None) -> tuple[str, Any]:
    offered: Mapping[str, Any] = app.extensions.get("imp_verify", {})
    name = name or next(iter(offered), "payments")
    if name not in offered:
        known = ", ".join(offered) or "none"
        raise ConfigurationError(f"there is no blueprint {name!r:.100}; there are {known}")
    return name, offered[name]
