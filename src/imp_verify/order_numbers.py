"""Order numbers: making one that every PG takes and nobody guesses, and what some PGs refuse."""

from __future__ import annotations

import logging
import re
from functools import cache

from .errors import ConfigurationError, InvalidRequest

__all__ = ["check_order_number", "order_number"]

_log = logging.getLogger("imp_verify")

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No I, L, O and U, which are misread; and one case only, because some databases fold it."""
_RANDOM = 26
LONGEST = 40
"""Characters of a number that every PG keeps; some cut what is longer."""
_PLAIN = re.compile(r"[0-9A-Za-z]*")

# Source: the PGs' own pages. "provider" of the selector `pg`, which stands before a dot.
_PLAIN_ONLY = ("smartro_v2", "payletter_global")
_FOUR_AT_LEAST = ("mobilians", "mobilians_v2")


def order_number(prefix: str = "") -> str:
    """Make a new order number: `prefix`, then 26 random capitals and digits.

    They hold 130 bits from the system's secure source, so that no two are ever alike and none can
    be guessed. Every PG takes it: letters and digits, at most 40.

    Args:
        prefix: At most 14 ASCII letters and digits.

    Raises:
        ConfigurationError: Another prefix.
    """
    import secrets  # here, because `import imp_verify` need not pay for it

    if not isinstance(prefix, str) or not _PLAIN.fullmatch(prefix) or len(prefix) > 14:
        raise ConfigurationError("prefix must be at most 14 ASCII letters and digits")
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))


def check_order_number(number: str, pg: str | None) -> None:
    """Refuse a number that the payment window would cut or reject; warn, once, of one that some PG
    might.

    Args:
        number: A merchant_uid.
        pg: The selector `pg`, None where the channel decides.

    Raises:
        InvalidRequest: It has more than 40 characters, or a form that this PG does not take.
    """
    provider = (pg or "").partition(".")[0]
    if len(number) > LONGEST:  # one PG cuts it to 40, and the payment then matches no order
        raise InvalidRequest(
            f"order {number!r:.100}: the gateway takes at most {LONGEST} characters: some PGs cut "
            "a longer number, and the payment matches no order; order_number() makes shorter ones"
        )
    if provider in _PLAIN_ONLY and not _PLAIN.fullmatch(number):
        raise InvalidRequest(f"order {number!r}: {provider} takes ASCII letters and digits only")
    if provider in _FOUR_AT_LEAST and len(number) < 4:
        raise InvalidRequest(f"order {number!r}: {provider} takes no less than 4 characters")
    if not provider and (len(number) < 4 or not _PLAIN.fullmatch(number)):
        _warn()


@cache
def _warn() -> None:
    _log.warning(
        "some PGs reject order numbers that are shorter than 4 or hold anything but ASCII letters "
        "and digits; order_number() makes numbers that every PG takes"
    )
