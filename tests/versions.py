"""Say which releases an environment of tox.ini tests; fail where they are not those it is for.

    python tests/versions.py "django==4.2.*"           # these, and no others
    python tests/versions.py --lowest                  # each extra's oldest

An installer that keeps what is there already, or takes something newer for another package's sake,
says nothing of it: the tests would pass, and prove something else.
"""

from __future__ import annotations

import sys
from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.version import Version


def lowest() -> list[Requirement]:
    """Return what the package needs, with all extras together, pinned to the lower bounds."""
    bounds: dict[str, Version] = {}
    for one in map(Requirement, requires("imp-verify") or ()):
        for bound in one.specifier:  # two extras may need the same: the higher bound holds
            bounds[one.name] = max(Version(bound.version), bounds.get(one.name, Version("0")))
    return [Requirement(f"{name}=={bound}") for name, bound in sorted(bounds.items())]


def main(arguments: list[str]) -> int:
    """Print a line for each package; 1 where one is not as wanted."""
    lowest_ones = arguments == ["--lowest"]
    wanted = lowest() if lowest_ones else [Requirement(line) for line in arguments]
    assert wanted
    good = True
    for one in wanted:
        found = version(one.name)
        right = one.specifier.contains(found)
        good &= right
        print(f"{one.name} {found}" + ("" if right else f": NOT {one.specifier}"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
