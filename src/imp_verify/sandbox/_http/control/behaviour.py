"""The control calls about the sandbox itself: settings, clock, faults, accounts, the start."""

from __future__ import annotations

from imp_verify.sandbox import journal
from imp_verify.sandbox._http.control.declare import (
    Amount,
    Asked,
    Field,
    Line,
    Operation,
    Whole,
)
from imp_verify.sandbox.accounts import SHORTEST_SECRET, Account
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.kinds import Flag, OneOf
from imp_verify.sandbox.opening import LONGEST_NUMBER
from imp_verify.sandbox.registrations import Registration
from imp_verify.sandbox.sandbox import Sandbox

ACCOUNT = Field("account", Line(200), "the key of the account; else the first one's")


def _health(sandbox: Sandbox, _: Asked) -> object:
    return {"ok": True, "now": sandbox.clock(), "payments": sandbox.gateway.held}


def _settings(sandbox: Sandbox, _: Asked) -> object:
    return sandbox.settings.as_dict()


def _change_settings(sandbox: Sandbox, asked: Asked) -> object:
    if not isinstance(asked.body, dict):
        raise ValueError("the body is no object of settings")
    sandbox.settings.change(asked.body)
    sandbox.journal.add(journal.CONTROL, step="settings", changed=asked.body)
    return sandbox.settings.as_dict()


def _clock(sandbox: Sandbox, _: Asked) -> object:
    clock = sandbox.clock
    return {"now": clock(), "stopped": clock.stands, "due": clock.due}


def _move_clock(sandbox: Sandbox, asked: Asked) -> object:
    clock, values = sandbox.clock, asked.values
    advance = values.get("advance", 0)
    if values.get("stop_at", clock()) + advance > LATEST:
        raise ValueError(f"advance is no further than to {LATEST}")
    if "stop_at" in values:
        clock.stop_at(values["stop_at"])
    if advance:
        clock.advance(advance)
    if values.get("run"):
        clock.run()
    return _clock(sandbox, asked)


def _faults(sandbox: Sandbox, _: Asked) -> object:
    return {"list": [each.wire() for each in sandbox.faults.all()]}


def _add_fault(sandbox: Sandbox, asked: Asked) -> object:
    fault = read_fault(asked.body)
    sandbox.faults.add(fault)
    sandbox.journal.add(journal.CONTROL, step="fault", set=fault.wire())
    return fault.wire()


def _remove_faults(sandbox: Sandbox, _: Asked) -> object:
    sandbox.faults.clear()
    sandbox.journal.add(journal.CONTROL, step="faults-removed")
    return {"list": []}


def _remove_fault(sandbox: Sandbox, asked: Asked) -> object:
    number = asked.path["number"]
    known = {str(each.number): each for each in sandbox.faults}
    if number not in known or not sandbox.faults.remove(known[number].number):
        raise Refused("no fault that is still to happen has this number", status=404)
    sandbox.journal.add(journal.CONTROL, step="fault-removed", fault=known[number].number)
    return _faults(sandbox, asked)


def read_fault(body: object) -> Fault:
    """Make a fault of its fields, or raise ValueError, which names the field."""
    if not isinstance(body, dict):
        raise ValueError("the body is no object of fields")
    return Fault.of(body)


def _accounts(sandbox: Sandbox, _: Asked) -> object:
    return {"list": [_account(each) for each in sandbox.gateway.accounts()]}


def _add_account(sandbox: Sandbox, asked: Asked) -> object:
    account = Account(**asked.values)
    sandbox.gateway.add_account(account)
    return _account(account)


def _account(account: Account) -> dict[str, str]:
    return {"key": account.key, "user_code": account.user_code}


def _channels(sandbox: Sandbox, _: Asked) -> object:
    return {
        "list": [
            {"channel_key": key, "pg_provider": code, "test": test}
            for key, (code, test) in sandbox.gateway.channels.items()
        ]
    }


def _add_channel(sandbox: Sandbox, asked: Asked) -> object:
    values = asked.values
    test = values.get("test", False)
    sandbox.gateway.add_channel(values["channel_key"], values["pg_provider"], test=test)
    return {**values, "test": test}


def _prepared(sandbox: Sandbox, _: Asked) -> object:
    known = sandbox.gateway.registrations.all()
    return {"list": [{"account": account, **each.wire()} for account, each in known]}


def _prepare(sandbox: Sandbox, asked: Asked) -> object:
    gateway, values = sandbox.gateway, asked.values
    keys = [each.key for each in gateway.accounts()]
    account = values.get("account", keys[0])
    if account not in keys:
        raise ValueError(f"account is one of {', '.join(keys)}")
    registration = Registration(values["merchant_uid"], values["amount"], values.get("currency"))
    gateway.registrations.put(account, registration)
    return {"account": account, **registration.wire()}


def _reset(sandbox: Sandbox, asked: Asked) -> object:
    sandbox.reset(seeded=asked.values.get("to", "seed") == "seed")
    return _health(sandbox, asked)


OPERATIONS = (
    Operation(
        "GET", "/health", "Whether it answers, and what it holds.", _health, answers="Health"
    ),
    Operation("GET", "/settings", "All settings.", _settings, answers="Settings"),
    Operation(
        "PATCH",
        "/settings",
        "Set the settings given, all or none of them.",
        _change_settings,
        free="Settings",
        answers="Settings",
    ),
    Operation(
        "GET", "/clock", "The sandbox's time, and how much is due later.", _clock, answers="Clock"
    ),
    Operation(
        "POST",
        "/clock",
        "Move the clock: stop it, then move it on, then let it run, whichever are given. What is "
        "due by then happens, in its order.",
        _move_clock,
        (
            Field("stop_at", Whole(0, LATEST), "the Unix second at which it stands from now on"),
            Field("advance", Whole(0, LATEST), "seconds to move on by"),
            Field("run", Flag(), "true lets a clock that stands run on from there"),
        ),
        answers="Clock",
    ),
    Operation(
        "GET",
        "/faults",
        "The faults that are still to happen, oldest first.",
        _faults,
        answers="SetFault[]",
    ),
    Operation(
        "POST", "/faults", "Let something go wrong.", _add_fault, free="Fault", answers="SetFault"
    ),
    Operation(
        "DELETE",
        "/faults/{number}",
        "Take back one fault, and show the others.",
        _remove_fault,
        answers="SetFault[]",
    ),
    Operation(
        "DELETE", "/faults", "Let nothing go wrong any more.", _remove_faults, answers="SetFault[]"
    ),
    Operation(
        "GET", "/accounts", "The accounts, without their secrets.", _accounts, answers="Account[]"
    ),
    Operation(
        "POST",
        "/accounts",
        "Add an account.",
        _add_account,
        (
            Field("key", Line(200), "its REST key", required=True),
            Field("secret", Line(200, SHORTEST_SECRET), "its secret", required=True),
            Field("user_code", Line(200), "what its pages call IMP.init with", required=True),
        ),
        answers="Account",
    ),
    Operation("GET", "/channels", "The channels.", _channels, answers="Channel[]"),
    Operation(
        "POST",
        "/channels",
        "Add a channel, or set one anew.",
        _add_channel,
        (
            Field("channel_key", Line(200), "what pages give as channelKey", required=True),
            Field("pg_provider", Line(16), "its PG's code", required=True),
            Field("test", Flag(), "whether it is a test channel"),
        ),
        answers="Channel",
    ),
    Operation(
        "GET",
        "/prepare",
        "The amounts that are registered beforehand.",
        _prepared,
        answers="Prepared[]",
    ),
    Operation(
        "POST",
        "/prepare",
        "Register an amount beforehand, or another one than was registered.",
        _prepare,
        (
            Field("merchant_uid", Line(LONGEST_NUMBER), "the order", required=True),
            Field("amount", Amount(), "what its window may ask for", required=True),
            Field("currency", Line(3, 3), "in what; none is not compared"),
            ACCOUNT,
        ),
        answers="Prepared",
    ),
    Operation(
        "POST",
        "/reset",
        "Empty everything: payments, journal, faults, what is due, settings and clock as at the "
        "start, and what the sandbox was seeded with again unless told otherwise.",
        _reset,
        (Field("to", OneOf(("seed", "empty")), "seed where left out"),),
        answers="Health",
    ),
)
