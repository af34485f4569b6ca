"""What keeps a call out before its token is looked at: the list of addresses, and too many calls.

Neither is documented beyond that the list is there: the settings say what it does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from imp_verify.sandbox._api.declare import ApiCall
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.settings import Settings

OUTSIDE = "허용되지 않은 IP 주소입니다."
TOO_MANY = "Too Many Requests"


class Barrier:
    """Keeps calls out, as the settings say.

    Args:
        settings: Which, and how.
        clock: Gives whole Unix seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[str, tuple[int, int]] = {}

    def check(self, call: ApiCall, account: str | None) -> None:
        """Raise Refused where the call is kept out.

        Args:
            call: Which one.
            account: The key of the account whose token it carries; None where it is nobody's.
        """
        settings = self._settings
        if settings.outside_list and not (call.open and settings.outside_calls == "data"):
            raise Refused(OUTSIDE, code=-1, status=settings.outside_status)
        if settings.calls_a_second and self._count(account or "") > settings.calls_a_second:
            raise Refused(TOO_MANY, code=-1, status=429)

    def clear(self) -> None:
        """Count anew."""
        with self._lock:
            self._counted.clear()

    def _count(self, account: str) -> int:
        with self._lock:
            second, count = self._counted.get(account, (0, 0))
            now = self._clock()
            count = count + 1 if second == now else 1
            self._counted[account] = now, count
            return count
