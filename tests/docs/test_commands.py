"""docs/commands.md: its commands are taken as they stand, and its options are those that there
are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from imp_verify.cli._commands import commands

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([\w-]+)[^`\n]*`\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))
EVERYWHERE = {"--app", "--language", "--verbose", "--json"}
OTHERS = {"--app", "--from"}
"""Options of another command, and uvx's."""


def command_of(name: str) -> click.Command:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None, name
    return command


def options_of(name: str) -> set[str]:
    return {option for each in command_of(name).params for option in each.opts if "--" in option}


def typed() -> list[list[str]]:
    """Return what is typed after `imp-verify`, without what the page says of it."""
    text = TEXT.replace(" \\\n", " ")
    lines = re.findall(r"^\$ imp-verify (.+)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_commands_of_the_page_are_taken_as_they_stand() -> None:
    lines = typed()
    assert {line[0] for line in lines} == {"verify", "give-back", "sandbox", "trigger"}
    for name, *words in lines:
        command_of(name).make_context(name, words)  # raises where an option is not known


@pytest.mark.parametrize("name", SECTIONS)
def test_the_options_of_a_command_stand_in_its_section_and_no_others(name: str) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", SECTIONS[name]))
    options = options_of(name)
    assert named - options <= OTHERS
    assert options - named <= EVERYWHERE
