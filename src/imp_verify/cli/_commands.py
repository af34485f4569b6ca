"""All commands in one group, and its exit status. A new command is one function more here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import rich  # noqa: F401  # that it is missing is better said at once than by half of the commands

from ..sandbox.command import sandbox
from ._demo import demo
from ._doctor import doctor
from ._give_back import give_back
from ._printing import TROUBLE
from ._reconcile import reconcile
from ._shop import Source
from ._snippet import snippet
from ._trigger import trigger
from ._verify import verify

__all__ = ["run"]


@click.group(
    "imp-verify",
    help="Verifies I'mport (PortOne V1) payments.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def commands() -> None:
    """Hold the commands."""


for each in (demo, doctor, give_back, reconcile, sandbox, snippet, trigger, verify):
    commands.add_command(each)


def run(argv: Sequence[str] | None, name: str, source: Source | None) -> int:
    """Run a command and return its exit status; see `main`."""
    given = None if argv is None else list(argv)
    try:
        status: object = commands.main(given, name, standalone_mode=False, obj=source)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        return TROUBLE
    return status if isinstance(status, int) else 0
