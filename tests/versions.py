"""Say which releases an environment of tox.ini tests; fail where they are not those it is for.

    python tests/versions.py "django==4.2.*"           # these, and no others
    python tests/versions.py --lowest-but flask ...    # each extra's oldest, but for these packages

An installer that keeps what is there already, or takes something newer for another package's sake,
says nothing of it: the tests would pass, and prove something else.
"""

from __future__ import annotations

import sys
from importlib.metadata import requires, version

from packaging.requirements import Requirement


def lowest(but: list[str]) -> list[Requirement]:
    """Give what the package needs, with any extra, pinned to the lower bounds."""
    needed = [Requirement(line) for line in requires("imp-verify") or ()]
    pinned = {f"{one.name}{one.specifier}".replace(">=", "==") for one in needed}
    wanted = [Requirement(line) for line in sorted(pinned)]
    return [one for one in wanted if one.name not in ("imp-verify", *but)]


def main(arguments: list[str]) -> int:
    """Print a line for each package; 1 where one is not as wanted."""
    if arguments[0] == "--lowest-but":
        wanted = lowest(arguments[1:])
    else:
        wanted = [Requirement(line) for line in arguments]
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
