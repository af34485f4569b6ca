"""Running a target: so many inputs from a seed, what came of them counted, failures kept."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .drawing import Draw
from .target import Case, Target

__all__ = ["CORPUS", "LIMIT", "Run", "keep", "kept", "run"]

CORPUS = Path(__file__).parent / "corpus"
LIMIT = 1.0
"""Seconds of CPU that one input may cost: a body of 64 KiB costs a few thousandths."""
_MOST_FAILURES = 20
_LONGEST = 4000
"""Characters of a line that is worth keeping."""


@dataclass
class Run:
    """What a run found.

    Attributes:
        counts: What came of the inputs, each with how many.
        fresh: The first input of each of these that the corpus did not know, shortest first.
        failures: The inputs that failed, each with what was raised.
        slowest: Seconds of CPU of the input that cost most, with its drawing.
    """

    inputs: int
    seconds: float = 0.0
    slowest: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    fresh: dict[str, Case] = field(default_factory=dict)
    failures: list[tuple[Case, str]] = field(default_factory=list)


def run(target: Target, inputs: int, seed: object) -> Run:
    """Try so many inputs: the same seed, the same inputs."""
    draw = Draw(Random(f"{target.name} {seed}").random)
    found = Run(inputs)
    known = {what for what, _ in kept(target)}
    began = before = time.thread_time()
    for _ in range(inputs):
        case = target.draw(draw)
        try:
            what = target.check(case)
        except Exception as error:
            found.failures.append((case, f"{type(error).__name__}: {error}"[:500]))
            if len(found.failures) >= _MOST_FAILURES:
                break
            continue
        now = time.thread_time()
        found.slowest = max(found.slowest, now - before)
        if now - before > LIMIT:
            found.failures.append((case, f"cost {now - before:.1f} s of CPU"))
        before = now
        found.counts[what] += 1
        if what not in known:
            first = found.fresh.setdefault(what, case)
            if len(str(case)) < len(str(first)):
                found.fresh[what] = case
    found.seconds = time.thread_time() - began
    return found


def kept(target: Target) -> list[tuple[str, Case]]:
    """Return a target's corpus: what came of each input, and the input."""
    path = CORPUS / f"{target.name}.jsonl"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else ()
    return [(str(what), case) for what, case in map(json.loads, lines)]


def keep(target: Target, found: Run) -> int:
    """Add to the corpus what a run found that is new, and whatever failed; return how many."""
    failed = {f"failed: {why}": case for case, why in found.failures}
    lines = [json.dumps(each) for each in (found.fresh | failed).items()]
    short = [line for line in lines if len(line) <= _LONGEST]
    with (CORPUS / f"{target.name}.jsonl").open("a", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in sorted(short))
    return len(short)
