"""Made-up numbers of the gateway and of PGs."""

from __future__ import annotations

import random


class Digits:
    """Gives numbers that nobody can guess, or, from a seed, the same ones in every run.

    Args:
        seed: What the numbers follow from; None for none that could be repeated.
    """

    def __init__(self, seed: str | None = None) -> None:
        self._seed = seed
        self._source = random.SystemRandom() if seed is None else random.Random(seed)

    def restart(self) -> None:
        """Give the same numbers once more, where they follow from a seed."""
        if self._seed is not None:
            self._source.seed(self._seed)

    def __call__(self, length: int) -> str:
        """Return so many random digits."""
        return f"{self._source.randrange(10**length):0{length}d}"

    def tid(self) -> str:
        """Return a PG's number for a transaction."""
        return "SANDBOX" + self(20)

    def cancellation_id(self) -> str:
        """Return the gateway's number for a cancel: 20 characters."""
        return "CXL" + self(17)

    def token(self) -> str:
        """Return an access token: 40 hexadecimal digits."""
        return f"{self._source.getrandbits(160):040x}"
