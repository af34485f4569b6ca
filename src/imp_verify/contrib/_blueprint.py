"""The endpoints' rules on a blueprint: what Flask's and Quart's adapters share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from .. import ENDPOINTS
from .._endpoints import METHODS

__all__ = ["add_rules"]


def add_rules(blueprint: Any, view: Callable[..., Any], verifier: object) -> None:
    """Add every endpoint, with and without a slash at its end, as a view of verifier and
    endpoint."""
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


def _names(endpoint: str) -> tuple[str, str]:
    """Name the two rules of an endpoint; a blueprint's name for one may hold no dot."""
    name = endpoint.replace(".", "_")
    return name, f"{name}_slash"


class _EveryMethod(set[str]):
    """The methods that an endpoint has, where routes are listed; any other reaches the core too,
    which answers it."""

    def __contains__(self, method: object) -> bool:
        return True


def _take_every_method(state: Any) -> None:
    """Done for each application that the blueprint is registered on: a rule is made with a list
    only."""
    mine = f"{state.name_prefix}.{state.name}.".lstrip(".")
    methods = {f"{mine}{name}": METHODS[each] for each in ENDPOINTS for name in _names(each)}
    for rule in state.app.url_map.iter_rules():
        if rule.endpoint in methods:
            rule.methods = _EveryMethod(methods[rule.endpoint])
