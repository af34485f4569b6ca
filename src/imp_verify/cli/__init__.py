"""The `imp-verify` command: its entry. What the commands do stands beside it, and is imported by
the command that is run."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._shop import Source

__all__ = ["DEMO_PORT", "main"]

DEMO_PORT = 8000
_MISSING = 'imp-verify: {}; the command needs: pip install "imp-verify[{}]"'


def main(
    argv: Sequence[str] | None = None, *, name: str = "imp-verify", source: Source | None = None
) -> int:
    """Run the command and return its exit status: 0 good, 1 something found, 2 wrong use, 3
    trouble, not finished.

    Args:
        argv: The arguments; those of this process where left out.
        name: How the command was called, for its help.
        source: For the command of a framework: gives the verifier, in place of `--app`.

    Raises:
        SystemExit: 2, for arguments that there are not.
    """
    try:
        from ._commands import run
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        given = sys.argv[1:] if argv is None else argv
        extra = "demo" if "demo" in given[:1] else "cli"  # which brings the other
        print(_MISSING.format(error, extra), file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before there was a command that could say something
        return 3
    return run(argv, name, source)


def _free_port(host: str = "127.0.0.1") -> int:
    """Return the demo's own port, or 0 (any) where somebody else has it."""
    try:
        with socket.create_server((host, DEMO_PORT)):
            return DEMO_PORT
    except OSError:
        return 0
