"""Checking payments again at the gateway, for whoever looks at them in the admin."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from asgiref.sync import async_to_sync

from ... import AsyncVerifier
from .conf import get_verifier

__all__ = ["AT_MOST", "Checked", "check_again"]

AT_MOST = 50
"""Payments at once: each is a call to the gateway, and somebody waits for the page."""
Numbers: TypeAlias = Mapping[str, str | None]
_log = logging.getLogger("imp_verify")


@dataclass
class Checked:
    """How many payments have which verdict, and the one at which trouble ended it."""

    verdicts: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None


def check_again(numbers: Numbers) -> Checked:
    """Verify payments as a webhook would, and stop at the first trouble: it would be the same for
    all others. To be called in no transaction: a gateway is asked.

    Args:
        numbers: The order of each imp_uid, where one is recorded; else the gateway names it.
    """
    checked = Checked()
    verifier = get_verifier()
    if isinstance(verifier, AsyncVerifier):
        async_to_sync(_check_all)(verifier, numbers, checked)
        return checked
    for imp_uid, number in numbers.items():
        try:
            checked.verdicts[verifier.verify(imp_uid, number).verdict] += 1
        except Exception:
            _stop(checked, imp_uid)
            break
    return checked


async def _check_all(
    verifier: AsyncVerifier, numbers: Mapping[str, str | None], checked: Checked
) -> None:
    try:
        for imp_uid, number in numbers.items():
            try:
                checked.verdicts[(await verifier.verify(imp_uid, number)).verdict] += 1
            except Exception:
                _stop(checked, imp_uid)
                break
    finally:
        await verifier.close()  # this loop ends here, and with it what belongs to it


def _stop(checked: Checked, imp_uid: str) -> None:
    checked.trouble = imp_uid
    _log.exception("%s could not be checked again from the admin", imp_uid)
