"""The table of the control calls, and which of them a method and a path are."""

from __future__ import annotations

from collections.abc import Mapping

from imp_verify.sandbox._http.control import behaviour, deliveries, payments
from imp_verify.sandbox._http.control.declare import Operation

OPERATIONS: tuple[Operation, ...] = (
    *behaviour.OPERATIONS,
    *payments.OPERATIONS,
    *deliveries.OPERATIONS,
)
PATHS: Mapping[str, Mapping[str, Operation]] = {
    path: {each.method: each for each in OPERATIONS if each.path == path}
    for path in dict.fromkeys(each.path for each in OPERATIONS)
}
"""By path the calls that it has, by method."""
