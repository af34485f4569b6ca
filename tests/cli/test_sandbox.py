"""`imp-verify sandbox` and `python -m imp_verify.sandbox`, as a shell starts them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import requests

from imp_verify import cli
from imp_verify.sandbox import __main__ as module
from imp_verify.sandbox import command, seeding, settings

from .conftest import Ran

BY_MODULE = ("-m", "imp_verify.sandbox")
BY_SCRIPT = ("-m", "imp_verify.cli", "sandbox")


@dataclass
class Running:
    url: str
    process: subprocess.Popen[str]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """End it as a shell does, and return its exit status and the rest of its output."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(), out, err


@contextmanager
def started(*options: str, by: tuple[str, ...] = BY_MODULE) -> Iterator[Running]:
    argv = [sys.executable, *by, "--port", "0", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield Running(process.stdout.readline().strip(), process)
        finally:
            process.kill()


def made(url: str, **fields: object) -> Any:
    return requests.post(f"{url}/sandbox/v1/windows", json=fields, timeout=10).json()


@pytest.mark.parametrize("by", [BY_MODULE, BY_SCRIPT])
def test_its_address_is_the_first_line_and_ctrl_c_ends_it(by: tuple[str, ...]) -> None:
    with started("--language", "en", by=by) as running:
        assert requests.get(running.url, timeout=10).status_code == 200
        status, out, err = running.stop(signal.SIGINT)
    assert (status, err) == (0, "")
    for said in (
        f"IMP_API_URL={running.url}",
        "IMP_KEY=sandbox_key",
        "IMP_SECRET=sandbox_secret",
        'IMP.init("imp00000000")',
        f'src="{running.url}/v1/iamport.js"',
        "Webhooks go to: a payment's notice_url, else nowhere",
        f"are seen at: {running.url}/",
    ):
        assert said in out


def test_a_record_is_a_seed_of_the_same_payments_and_ids(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    common = ("--ids", "shop-1", "--clock", "2026-01-31T09:00")
    with started(*common, "--record", str(kept), "--set", "cancel_seconds=5") as running:
        first = made(running.url, merchant_uid="A-1", amount=39000)
        assert running.stop()[0] == 0
    with started("--seed", str(kept), "--record", str(kept)) as running:
        held = requests.get(f"{running.url}/sandbox/v1/payments", timeout=10).json()["list"]
        assert [(each["imp_uid"], each["merchant_uid"]) for each in held] == [
            (first["imp_uid"], "A-1")
        ]
        chosen = requests.get(f"{running.url}/sandbox/v1/settings", timeout=10).json()
        assert chosen["cancel_seconds"] == 5
        clock = requests.get(f"{running.url}/sandbox/v1/clock", timeout=10).json()
        assert clock["now"] == 1769817600
        second = made(running.url, merchant_uid="A-2", amount=1)
        assert running.stop()[0] == 0
    with started(*common) as running:  # the same ids in every run
        again = [made(running.url, merchant_uid=n, amount=1)["imp_uid"] for n in ("A-1", "A-2")]
    assert again == [first["imp_uid"], second["imp_uid"]]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_a_reset_over_http_gives_the_seed_again(tmp_path: Path) -> None:
    seed = tmp_path / "seed.jsonl"
    lines: list[object] = [
        {"ids": "1", "clock": {"stop_at": 1769817600}, "settings": {"cancel_seconds": 5}},
        {"customers": [{"customer_uid": "card"}], "faults": [{"call": "token", "status": 503}]},
        {"prepared": [{"merchant_uid": "P", "amount": 7}]},
        {"payments": [{"merchant_uid": "A-1", "amount": 39000}]},
    ]
    seed.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    charge = {"customer_uid": "card", "merchant_uid": "A-2", "amount": 1}
    with started("--seed", str(seed)) as running:
        at = f"{running.url}/sandbox/v1"

        def held() -> list[Any]:
            names = ("payments", "faults", "prepare", "clock", "settings")
            return [requests.get(f"{at}/{name}", timeout=10).json() for name in names]

        def post(path: str, fields: object) -> Any:
            answer = requests.post(f"{at}/{path}", json=fields, timeout=10)
            assert answer.status_code == 200, answer.text
            return answer.json()

        first = held()
        assert first[0]["total"] == len(first[1]["list"]) == 1
        for _ in range(2):
            assert post("payments/scheduled", charge)["status"] == "paid"
            _ = post("clock", {"advance": 60})
            _ = requests.delete(f"{at}/faults", timeout=10)
            assert post("reset", {"to": "seed"})["payments"] == 1
            again = held()
            for each in (first, again):
                for fault in each[1]["list"]:
                    fault.pop("number", None)
            assert again == first
        assert post("reset", {"to": "empty"})["payments"] == 0


def names_of_the_command() -> dict[str, Any]:
    """Give what the command that `imp-verify` has looks its names up in: another test may have had
    its module imported anew."""
    group = import_module("imp_verify.cli._commands").commands
    names: dict[str, Any] = group.commands["sandbox"].callback.__globals__
    return names


class Answered(Exception):
    """In place of a server that answers."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command up to where it would answer."""

    def answer(made: Any, host: str, port: int, record: Path | None) -> int:
        raise Answered(made)

    monkeypatch.setitem(names_of_the_command(), "_serve", answer)

    def ran(*argv: str) -> Ran:
        try:
            status = cli.main(["sandbox", *argv])
        except SystemExit as end:
            status = int(str(end.code))
        return Ran(status, *capsys.readouterr())

    return ran


def test_every_option_is_what_the_sandbox_is(run: Any) -> None:
    with pytest.raises(Answered) as caught:
        run(
            *("--webhook-url", "http://127.0.0.1:5000/hook", "--language", "en"),
            *("--set", "closed_becomes=ready", "--set", "shops=http://a.test,http://b.test"),
            *("--clock", "1785400000", "--ids", "1"),
        )
    (sandbox,) = caught.value.args
    assert sandbox.settings.webhook_url == "http://127.0.0.1:5000/hook"
    assert sandbox.settings.language == "en"
    assert sandbox.settings.closed_becomes == "ready"
    assert sandbox.settings.shops == ("http://a.test", "http://b.test")
    assert sandbox.clock() == 1785400000
    assert sandbox.gateway.record()["ids"] == "1"


def test_strict_takes_the_hardest_of_each_setting_and_set_goes_before_it(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard = {"closed_becomes": "ready", "silent_close": True}
    monkeypatch.setitem(names_of_the_command(), "strict", lambda: hard)
    with pytest.raises(Answered) as caught:
        run("--strict", "--set", "silent_close=false")
    (sandbox,) = caught.value.args
    assert (sandbox.settings.closed_becomes, sandbox.settings.silent_close) == ("ready", False)
    assert set(settings.strict()) <= set(settings.TABLE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "colour=red"], "no such setting: colour; there are webhook_url"),
        (["--set", "language"], "NAME=VALUE is wanted"),
        (["--set", "language=fr"], "language is one of ko, en"),
        (["--clock", "noon"], "a time is Unix seconds, or ISO 8601"),
        (["--clock", "99999999999999"], "'--clock': a time is 0 to 100000000000"),
        (["--webhook-url", "shop"], "imp-verify: webhook_url is an address that begins with"),
        (["--host", "0.0.0.0"], "name the one address"),
        (["--port", "70000"], "0<=x<=65535"),
    ],
)
def test_what_no_option_can_be_is_exit_2_and_said(options: list[str], said: str, run: Any) -> None:
    ran = run(*options)
    assert ran.status == 2
    assert said in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1: Expecting property name"),
        ('{"payments": [],\n "faults": 5}', "line 2: faults is a list"),
        ('{"payments": []}\n{"accounts": 1}', "line 2: accounts is a list"),
        (
            '{"payments": [{"merchant_uid": "A", "amount": 1},\n{"merchant_uid": "B"}]}',
            "line 2: payments[1]: amount is missing",
        ),
        (
            '{"payments": [{"merchant_uid": "A", "amount": 1}]}\n\n'
            '{"payments": [{"merchant_uid": "B", "amount": true}]}',
            "line 3: payments[1]: amount is a number",
        ),
        ('{"settings":\n{"language": "fr"}}', "line 2: settings: language is one of ko, en"),
        ("{}\xff", "byte 2 is not UTF-8"),
    ],
)
def test_a_seed_that_is_none_is_one_line_with_file_line_and_field(
    text: str, said: str, run: Any, tmp_path: Path
) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(text, encoding="latin-1")
    ran = run("--seed", str(seed))
    assert ran.status == 2
    assert ran.err.startswith(f"imp-verify: {seed}, ")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_what_is_wrong_with_an_option_is_not_said_of_the_seed(run: Any, tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text("{}")
    for option in (("--webhook-url", "shop"), ("--clock", "99999999999999")):
        ran = run("--seed", str(seed), *option)
        assert (ran.status, seed.name in ran.err) == (2, False)


def test_a_file_that_is_not_there_is_exit_2(run: Any, tmp_path: Path) -> None:
    ran = run("--seed", str(tmp_path / "none.json"))
    assert (ran.status, "none.json: No such file" in ran.err) == (2, True)
    ran = run("--record", str(tmp_path / "none" / "kept.json"))
    assert (ran.status, "No such file" in ran.err) == (2, True)


def test_a_port_that_is_taken_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["sandbox", "--port", str(port)]) == 2
    assert f"127.0.0.1, port {port}: Address already in use" in capsys.readouterr().err


def test_another_address_of_this_machine_is_warned_of_and_not_recorded(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    given = ("--host", "127.0.0.2", "--language", "en", "--record", str(kept))
    with started(*given) as running:
        status, _, err = running.stop()
    assert json.loads(kept.read_text())["settings"]["public_url"] is None
    assert (status, running.url.startswith("http://127.0.0.2:")) == (0, True)
    assert "whoever reaches 127.0.0.2 can pay and cancel" in err


def test_a_record_has_the_secrets_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    for each in (kept, tmp_path / "kept.json.part"):  # as an older one may have left them
        each.write_text("{}")
        each.chmod(0o666)
    with started("--record", str(kept)) as running:
        assert kept.stat().st_mode & 0o777 == 0o600
        assert running.stop()[0] == 0
    assert json.loads(kept.read_text())["accounts"][0]["secret"] == "sandbox_secret"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_record_that_cannot_be_written_at_the_end_is_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with started("--record", str(folder / "kept.json")) as running:
        (folder / "kept.json").unlink()
        folder.rmdir()
        status, _, err = running.stop()
    assert (status, "kept.json: No such file" in err) == (3, True)


def test_several_accounts_are_named(tmp_path: Path) -> None:
    accounts = [{"key": key, "secret": f"secret-of-{key}"} for key in ("kr", "us")]
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"accounts": accounts}))
    with started("--seed", str(seed), "--webhook-url", "http://127.0.0.1:5/hook") as running:
        _, out, _ = running.stop()
    assert "쇼핑몰에 넣을 것 (kr, us):" in out
    assert "웹훅을 보낼 곳: http://127.0.0.1:5/hook\n" in out
    assert "IMP_SECRET=secret-of-kr" in out


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sandbox", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(seeding.schema()))


def test_the_documented_seed_is_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "commands.md"
    (seed,) = re.findall(r"```json\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    sandbox = seeding.parse(seed).start()
    assert [a.status for a in sandbox.gateway.attempts()] == ["cancelled"]


def test_without_its_extra_it_says_in_one_line_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imp_verify.sandbox.server", None)
    assert cli.main(["sandbox"]) == 2
    assert 'pip install "imp-verify[sandbox]"' in capsys.readouterr().err
    for name in ("click", "imp_verify.sandbox.command"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "click", None)
    assert module.main() == 2
    assert 'pip install "imp-verify[sandbox]"' in capsys.readouterr().err


def test_as_a_module_it_ends_as_the_command_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["sandbox", "--port", "x"])
    assert module.main() == 2
    assert "python -m imp_verify.sandbox" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["sandbox", "--schema"])
    assert module.main() == 0
    monkeypatch.setattr(sys, "argv", ["sandbox", "--set", "colour=red"])
    assert module.main() == 2


def test_a_module_that_lacks_something_else_says_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "imp_verify.sandbox.command", raising=False)
    monkeypatch.setitem(sys.modules, "imp_verify.sandbox.running", None)
    with pytest.raises(ModuleNotFoundError, match="running"):
        _ = module.main()
    assert isinstance(command.sandbox, click.Command)


def test_ctrl_c_before_it_answers_is_trouble_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_made", pressed)
    monkeypatch.setattr(sys, "argv", ["sandbox"])
    assert (module.main(), cli.main(["sandbox"])) == (3, 3)
