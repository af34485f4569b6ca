"""The command's entry: what it needs, what it loads, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from imp_verify import cli
from imp_verify.cli._printing import conceal


def forgotten(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let these be imported anew, and come back after the test."""
    for part in list(sys.modules):
        if any(part == name or part.startswith(f"{name}.") for name in names):
            monkeypatch.delitem(sys.modules, part)


@pytest.mark.parametrize("missing", ["click", "rich"])
@pytest.mark.parametrize(
    ("argv", "extra"), [([], "cli"), (["snippet", "--flavor", "vue"], "cli"), (["demo"], "demo")]
)
def test_an_install_without_the_extra_says_in_one_line_which_to_install(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: str,
    argv: list[str],
    extra: str,
) -> None:
    forgotten(monkeypatch, "imp_verify.cli._commands", missing)
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("imp-verify: ")
    assert f'pip install "imp-verify[{extra}]"' in line
    assert out == ""


def test_another_import_that_fails_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten(monkeypatch, "imp_verify.cli._commands", "imp_verify.cli._snippet")
    monkeypatch.setitem(sys.modules, "imp_verify.cli._snippet", None)
    with pytest.raises(ImportError, match="_snippet"):
        _ = cli.main([])


def test_no_command_is_a_wrong_use_and_help_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        _ = cli.main([])
    assert end.value.code == 2
    assert cli.main(["--help"]) == 0
    assert cli.main(["demo", "-h"]) == 0
    assert "a whole shop with an offline gateway" in capsys.readouterr().out


def test_browser_code_is_printed_in_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["snippet", "--flavor", "vue", "--user-code", "imp12345678"]) == 0
    assert "imp12345678" in capsys.readouterr().out
    assert cli.main(["snippet", "--flavor", "vue", "--public-url", "shop"]) == 2
    assert capsys.readouterr().err.startswith("imp-verify: ")


def test_a_secret_is_taken_out_whole_and_a_short_one_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMP_KEY", "key")
    monkeypatch.setenv("IMP_SECRET", "secret-1")
    assert conceal("key: secret-1, secret-12", ["secret-12", None, ""]) == "key: ..., ..."


def test_the_commands_load_no_client_and_no_framework_before_one_is_run() -> None:
    names = "requests urllib3 asyncio flask starlette sqlalchemy sqlite3 rich.console"
    loaded = f"print(*sys.modules.keys() & set({names!r}.split()))"
    code = f"import imp_verify.cli._commands, sys; {loaded}"
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-c", code], env=quiet, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


def test_a_shell_is_told_how_to_complete() -> None:
    asked = {"_IMP_VERIFY_COMPLETE": "zsh_source", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", "from imp_verify.cli import main; main()"]
    run = subprocess.run(command, env=asked, capture_output=True, text=True, check=True)
    assert "#compdef imp-verify" in run.stdout
