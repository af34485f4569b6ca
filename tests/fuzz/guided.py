"""A target under atheris, whose choices are then led by coverage: its bytes are the numbers that
inputs are drawn of. Needs atheris, which no test needs."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .drawing import Draw
from .target import Target

__all__ = ["guide"]


def guide(target: Target, seconds: int) -> None:
    """Try inputs for so long; it does not return, and ends with an error at the first failure."""
    atheris: Any = import_module("atheris")
    atheris.instrument_all()

    def try_one(data: bytes) -> None:
        given: Any = atheris.FuzzedDataProvider(data)
        # In probabilities, which are below 1 but for the very last of them.
        target.check(target.draw(Draw(lambda: min(given.ConsumeProbability(), 1 - 2**-53))))

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096"], try_one)
    atheris.Fuzz()
