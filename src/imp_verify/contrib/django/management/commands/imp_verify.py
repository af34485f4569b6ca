"""`manage.py imp_verify`: the commands of `imp_verify.cli`, with the verifier of the setting. Alone
here, because Django names a command by its module."""

from __future__ import annotations

import sys
from argparse import REMAINDER
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand
from django.urls import NoReverseMatch, reverse

from imp_verify import AsyncVerifier, Verifier

from ...conf import get_verifier

__all__ = ["Command"]


class Command(BaseCommand):
    """Run what `imp-verify` runs, with its arguments and exit statuses."""

    help = "Verifies payments: verify, reconcile, give-back, doctor, trigger; --help for each."
    requires_system_checks = ()  # the doctor is for when they fail

    def add_arguments(self, parser: Any) -> None:
        """Take everything that follows as it is."""
        parser.add_argument("arguments", nargs=REMAINDER, metavar="COMMAND ...")

    def handle(self, *_: object, arguments: list[str], **__: object) -> None:
        """Run the command; whatever status is not 0 ends the process."""
        from imp_verify.cli import main

        status = main(arguments, name="manage.py imp_verify", source=_source)
        if status:
            sys.exit(status)


def _source() -> tuple[Verifier | AsyncVerifier, str | None, None]:
    path = None
    with suppress(NoReverseMatch):  # included in another name space, or not at all
        path = reverse("imp_verify:webhook")
    return get_verifier(), path, None
