"""`python -m tests.fuzz [--inputs N] [--seed S] [TARGET ...]`: so many inputs for each target, what
came of them counted. Exit status 1 where something failed."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys

from .running import LIMIT, Run, keep, run
from .target import Target
from .targets import TARGETS


def main() -> int:
    """Run the targets that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target")
    parser.add_argument("--seed", default=str(random.randrange(1, 2**31)), help="repeats a run")
    parser.add_argument("--keep", action="store_true", help="add what is new to tests/fuzz/corpus")
    parser.add_argument("--guided", type=int, metavar="SECONDS", help="by atheris, one target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    given = parser.parse_args()
    if strange := set(given.targets) - TARGETS.keys():
        parser.error(f"there is no target {', '.join(sorted(strange))}; there are {list(TARGETS)}")
    chosen = [TARGETS[name] for name in given.targets or TARGETS]
    if given.guided is not None:
        from .guided import guide  # needs atheris, which no test needs

        guide(chosen[0], given.guided)
    logging.getLogger("imp_verify").setLevel(logging.DEBUG)
    failures = 0
    for target in chosen:
        found = run(target, given.inputs, given.seed)
        tell(target, found, given.seed)
        failures += len(found.failures)
        if given.keep:
            print(f"  {keep(target, found)} kept")
        sys.stdout.flush()
    return 1 if failures else 0


def tell(target: Target, found: Run, seed: str) -> None:
    """Print what a run found: a line for each thing that came of its inputs."""
    tried = sum(found.counts.values()) + len(found.failures)
    print(
        f"{target.name}: {tried:,} inputs, {len(found.failures)} failures, {found.seconds:.0f} s "
        f"of CPU, the slowest {1000 * found.slowest:.1f} ms of {1000 * LIMIT:.0f}; seed {seed}"
    )
    for what, count in found.counts.most_common():
        print(f"  {count:>9,}  {what}")
    for case, why in found.failures:
        print(f"  FAILED {why}\n    {json.dumps(case)[:1000]}")


if __name__ == "__main__":
    sys.exit(main())
