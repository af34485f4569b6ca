"""Made-up numbers of the gateway and of PGs."""

from __future__ import annotations

import hashlib
import random

_UNGUESSABLE = random.SystemRandom()


class Digits:
    """Gives numbers that nobody can guess, or, from a seed, the same ones in every run.

    Args:
        seed: What the numbers follow from; None for none that could be repeated.
        drawn: How many numbers of this seed were drawn before.

    Attributes:
        seed: As given.
        drawn: How many were drawn: with the seed all that the next ones depend on.
    """

    def __init__(self, seed: str | None = None, drawn: int = 0) -> None:
        self.seed = seed
        self.drawn = drawn
        self._first = drawn

    def restart(self) -> None:
        """Give the same numbers once more, where they follow from a seed."""
        self.drawn = self._first

    def __call__(self, length: int) -> str:
        """Return so many random digits."""
        return f"{self._bits(160) % 10**length:0{length}d}"

    def tid(self) -> str:
        """Return a PG's number for a transaction."""
        return "SANDBOX" + self(20)

    def cancellation_id(self) -> str:
        """Return the gateway's number for a cancel: 20 characters."""
        return "CXL" + self(17)

    def token(self) -> str:
        """Return an access token: 40 hexadecimal digits."""
        return f"{self._bits(160):040x}"

    def _bits(self, number: int) -> int:
        self.drawn += 1
        if self.seed is None:
            return _UNGUESSABLE.getrandbits(number)
        text = hashlib.sha256(f"{self.seed}\n{self.drawn}".encode()).digest()
        return int.from_bytes(text[: number // 8])
