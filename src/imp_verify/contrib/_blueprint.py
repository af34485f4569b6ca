"""The endpoints' rules on a blueprint, and where a page finds them: what Flask's and Quart's
adapters share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any
from urllib.parse import urlsplit

from .. import ENDPOINTS, ConfigurationError
from .._web.endpoints import METHODS
from .browser import Place

__all__ = ["add_rules", "find"]


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
    """The methods that an endpoint has, where routes are listed; any other reaches the core too,
    which answers it.

    Werkzeug's own word for "any", None, breaks who lists them: `quart routes` and extensions that
    describe an application sort the methods of every rule.
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


def find(
    app: Any, request: Any, url_for: Callable[[str], str], name: str | None, nonce: str | None
) -> tuple[Any, Place]:
    """Return the verifier of a registered blueprint, the first where none is named, and where its
    endpoints are for this request.

    Raises:
        ConfigurationError: There is no blueprint of this name.
    """
    offered = app.extensions.get("imp_verify", {})
    name = name or next(iter(offered), "payments")
    if name not in offered:
        known = ", ".join(offered) or "none"
        raise ConfigurationError(f"there is no blueprint {name!r:.100}; there are {known}")
    path = urlsplit(url_for(f"{name}.redirect")).path
    accepted = request.headers.getlist("Accept-Language")
    return offered[name], Place.of(path, request.root_path, nonce, accepted)
