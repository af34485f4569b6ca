"""What a sandbox starts with, read from a file; and all that it holds, written so that it can be
read back.

A seed is one JSON object, or JSON lines of such objects, whose lists are put together. `SECTIONS`
names what may stand in it, `schema` says it to programs. `record` writes one with a `state`: the
payments as they are, with their ids, and what is due later. Not in it are access tokens, the
journal, and what is on its way to a shop.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any

from imp_verify.sandbox import records
from imp_verify.sandbox.accounts import Account
from imp_verify.sandbox.attempt import Attempt, Card
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.customers import SHOWN_DIGITS, Customer
from imp_verify.sandbox.deliveries import Send
from imp_verify.sandbox.digits import Digits
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.events import Event
from imp_verify.sandbox.exact import as_amount, loads
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.registrations import Registration
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.settings import TABLE, Settings

LISTS = ("accounts", "prepared", "customers", "payments", "faults")
OBJECTS = ("channels", "settings", "clock", "state")
SECTIONS = ("ids", *LISTS, *OBJECTS)
"""ids: what made-up numbers follow from. accounts, channels, settings, clock, prepared (amounts),
customers (stored cards), payments (as `Gateway.make` takes them), faults. state: what `record`
wrote."""
_STATE = ("series", "drawn", "attempts", "planned", "untold", "kept_back")
_BETWEEN = re.compile(r"[\s,:]*")
_PLACE = re.compile(r"(\w+)(?:\[(\d+)\])?")


class Unreadable(ValueError):
    """A seed that is none; the text names the line, where it is known, and the field."""


@dataclass(frozen=True, slots=True)
class Seed:
    """What a sandbox starts with: the sections of a file, each checked when `start` uses it."""

    content: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the sections' names and kinds.

        Raises:
            ValueError: One is another thing; the text names it.
        """
        if not isinstance(self.content, Mapping):
            raise ValueError(f"a seed is an object of {', '.join(SECTIONS)}")
        for name, value in self.content.items():
            if name not in SECTIONS:
                raise ValueError(f"no such section: {name}; there are {', '.join(SECTIONS)}")
            if name in LISTS and not isinstance(value, list | tuple):
                raise ValueError(f"{name} is a list")
            if name in OBJECTS and not isinstance(value, Mapping):
                raise ValueError(f"{name} is an object of fields")
        if not isinstance(self.content.get("ids"), str | None):
            raise ValueError("ids is a text or null")

    def start(
        self,
        *,
        accounts: Iterable[Account] = (),
        channels: Mapping[str, tuple[str, bool]] | None = None,
        settings: Mapping[str, object] | None = None,
        send: Send | None = None,
    ) -> Sandbox:
        """Make a sandbox that starts so, and is so again when it is reset; what is given besides
        goes before the seed's own.

        Raises:
            ValueError: A name or a value is none that there is; the text names the field.
        """
        get = self.content.get
        chosen = Settings()
        try:
            chosen.change(get("settings", {}))
        except ValueError as error:
            raise ValueError(f"settings: {error}") from None
        chosen.change(settings or {})
        sandbox = Sandbox(
            accounts=tuple(accounts) or _accounts(get("accounts", ())),
            channels={**_channels(get("channels", {})), **(channels or {})},
            settings=chosen,
            send=send,
            digits=Digits(get("ids")),
        )
        self._set_clock(sandbox)
        self._fill(sandbox)
        sandbox.journal.clear()
        sandbox.when_reset.append(partial(self._set_clock, sandbox))
        sandbox.seed = partial(self._fill, sandbox)
        return sandbox

    def _set_clock(self, sandbox: Sandbox) -> None:
        _set_clock(sandbox, self.content.get("clock", {}))

    def _fill(self, sandbox: Sandbox) -> None:
        """Put into an empty sandbox what it starts with."""
        get = self.content.get
        _prepare(sandbox, get("prepared", ()))
        _store(sandbox, get("customers", ()))
        _take_up(sandbox, get("state", {}))
        sandbox.gateway.make_all(get("payments", ()))
        for at, fault in enumerate(get("faults", ())):
            sandbox.faults.add(_fault(f"faults[{at}]", fault))


def parse(text: str) -> Seed:
    """Read a file's text: one JSON object, or JSON lines.

    Raises:
        Unreadable: It is neither, or a section is none; the text begins with the line.
    """
    try:
        whole: Any = loads(text) if text.strip() else {}
    except ValueError as error:
        return _parse_lines(text, error)
    try:
        return Seed(whole)
    except ValueError as error:
        raise _unreadable(line_of(text, str(error)), error) from None


def _unreadable(line: int, error: ValueError) -> Unreadable:
    return Unreadable(f"line {line}: {getattr(error, 'msg', error)}")


def _parse_lines(text: str, of_whole: ValueError) -> Seed:
    merged: dict[str, Any] = {}
    for at, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            content: Any = loads(line)
            part = Seed(content).content
        except ValueError as wrong:
            if merged:
                raise _unreadable(at, wrong) from None
            # There are no JSON lines: what is wrong with the whole says more.
            raise _unreadable(getattr(of_whole, "lineno", at), of_whole) from None
        for name, value in part.items():
            if name in LISTS:
                merged.setdefault(name, []).extend(value)
            elif name in OBJECTS:
                merged.setdefault(name, {}).update(value)
            else:
                merged[name] = value
    return Seed(merged)


def line_of(text: str, problem: str) -> int:
    """Find the line of what a problem's text begins with, a section or an item of one; 1 where it
    names none. The text must be one that could be read."""
    found = _PLACE.match(problem)
    if found is None or not text.lstrip().startswith("{"):
        return 1
    name, number = found[1], int(found[2] or 0)
    places = (at for place, at in _places(text) if place == name)
    return text.count("\n", 0, next(islice(places, number, None), 0)) + 1


def _places(text: str) -> Iterator[tuple[str, int]]:
    """Walk the items of lists, and the other sections, each with where it begins."""
    read, at = json.JSONDecoder().raw_decode, 0
    while (at := _next(text, at)) < len(text):
        at += 1  # the brace
        while text[at := _next(text, at)] != "}":
            name, at = read(text, at)
            at = _next(text, at)
            if text[at] != "[":
                yield name, at
                _, at = read(text, at)
                continue
            at += 1
            while text[at := _next(text, at)] != "]":
                yield name, at
                _, at = read(text, at)
            at += 1
        at += 1


def _next(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def record(sandbox: Sandbox) -> dict[str, Any]:
    """Return all that a sandbox holds, as a seed; `exact.dumps` writes it."""
    held = sandbox.gateway.record()
    return {
        "ids": held["ids"],
        "accounts": [asdict(each) for each in held["accounts"]],
        "channels": {key: {"pg": pg, "test": test} for key, (pg, test) in held["channels"].items()},
        "settings": sandbox.settings.as_dict(),
        "clock": sandbox.clock.record(),
        "prepared": [{"account": account, **each.wire()} for account, each in held["prepared"]],
        "customers": [
            {"account": account, "tier": tier, **records.write(each)}
            for (account, tier), each in held["customers"]
        ],
        "faults": [_fault_written(fault) for fault in sandbox.faults.all()],
        "state": {
            "series": held["series"],
            "drawn": held["drawn"],
            "attempts": [records.write(each) for each in held["attempts"]],
            "planned": [{"at": at, **told} for at, told in sandbox.clock.planned()],
            "untold": sandbox.webhooks.untold,
            "kept_back": [records.write(event) for event in sandbox.webhooks.kept_back],
        },
    }


def schema() -> dict[str, Any]:
    """Return the JSON schema of a seed."""
    channel = _closed({"pg": _TEXT, "test": {"type": "boolean"}}, "pg", "test")
    account = {**records.schema(Account), "required": ["key", "secret"]}
    sections: dict[str, object] = {
        "ids": {"type": ["string", "null"]},
        "accounts": _list_of(account),
        "channels": {"type": "object", "additionalProperties": channel},
        "settings": _closed({name: {"description": each.says} for name, each in TABLE.items()}),
        "clock": _closed({"stop_at": _WHOLE, "advance": {"type": "integer"}}),
        "prepared": _list_of(records.schema(_Prepared)),
        "customers": _list_of(_customer_schema()),
        "payments": _list_of({"type": "object", "required": ["merchant_uid", "amount"]}),
        "faults": _list_of(_closed(dict.fromkeys(_FAULT_FIELDS, True), "call")),
        "state": _state_schema(),
    }
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What an imp_verify sandbox starts with",
    }
    return {**about, **_closed(sections)}


def _customer_schema() -> dict[str, object]:
    """Return the schema of a stored card and whose it is."""
    card, owner = records.schema(Customer), records.schema(_Owner)
    properties: Any = (card["properties"], owner["properties"])
    return {**card, "properties": {**properties[1], **properties[0]}}


def _state_schema() -> dict[str, Any]:
    fields: dict[str, object] = {
        "series": _TEXT,
        "drawn": _WHOLE,
        "attempts": _list_of(records.schema(Attempt)),
        "planned": _list_of({"type": "object", "required": ["at", "do"]}),
        "untold": _list_of(_TEXT),
        "kept_back": _list_of(records.schema(Event)),
    }
    return _closed(fields, *fields)


_FAULT_FIELDS = [each.name for each in fields(Fault) if each.init]
_TEXT = {"type": "string", "minLength": 1}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": LATEST}


def _closed(properties: Mapping[str, object], *required: str) -> dict[str, Any]:
    needed = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **needed,
    }


def _list_of(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


# One section each


@dataclass(frozen=True, slots=True)
class _Prepared:
    merchant_uid: str
    amount: Decimal
    currency: str | None = None
    account: str | None = None


def _accounts(content: Iterable[object]) -> tuple[Account, ...]:
    made: list[Account] = []
    for at, item in enumerate(content):
        account = records.read(Account, f"accounts[{at}]", item)
        for name in ("key", "secret"):
            if name not in item:  # type: ignore[operator]  # it is an object
                raise ValueError(f"accounts[{at}].{name} is missing")
        if account.key in [other.key for other in made]:
            raise ValueError(f"accounts[{at}].key is another account's too")
        made.append(account)
    return tuple(made)


def _channels(content: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    made = {}
    for key, item in content.items():
        fields = item if isinstance(item, Mapping) else {}
        pg, test = fields.get("pg"), fields.get("test")
        if fields.keys() != {"pg", "test"} or not isinstance(pg, str) or type(test) is not bool:
            raise ValueError(f"channels.{key} is an object of pg, a text, and test, true or false")
        made[key] = pg, test
    return made


def _set_clock(sandbox: Sandbox, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        if name not in ("stop_at", "advance") or len(content) > 1:
            raise ValueError("clock is an object of either stop_at or advance")
        if type(value) is not int:
            raise ValueError(f"clock.{name} is whole seconds")
        try:
            move = sandbox.clock.stop_at if name == "stop_at" else sandbox.clock.advance
            move(value)
        except ValueError as error:
            raise ValueError(f"clock.{name}: {error}") from None


def _prepare(sandbox: Sandbox, content: Iterable[object]) -> None:
    accounts = sandbox.gateway.accounts()
    for at, item in enumerate(content):
        wanted = records.read(_Prepared, f"prepared[{at}]", item)
        account = wanted.account or accounts[0].key
        if account not in [each.key for each in accounts]:
            raise ValueError(f"prepared[{at}].account is no key of this gateway")
        if wanted.amount < 0:
            raise ValueError(f"prepared[{at}].amount is 0 or more")
        registered = Registration(wanted.merchant_uid, wanted.amount, wanted.currency)
        try:
            sandbox.gateway.registrations.add(account, registered)
        except Refused as error:
            raise ValueError(f"prepared[{at}].merchant_uid: {error.message}") from None


@dataclass(frozen=True, slots=True)
class _Owner:
    account: str | None = None
    tier: str | None = None


def _store(sandbox: Sandbox, content: Iterable[object]) -> None:
    """Store cards; one whose times are left out was stored now."""
    keys, now = [each.key for each in sandbox.gateway.accounts()], sandbox.clock()
    for at, item in enumerate(content):
        name = f"customers[{at}]"
        told = item if isinstance(item, Mapping) else {"customer_uid": item}
        whose = {each: told[each] for each in ("account", "tier") if each in told}
        owner = records.read(_Owner, name, whose)
        card = records.read(Customer, name, {k: told[k] for k in told if k not in whose})
        if (account := owner.account or keys[0]) not in keys:
            raise ValueError(f"{name}.account is no key of this gateway")
        if sum(map(str.isdecimal, card.card.number)) > SHOWN_DIGITS:
            raise ValueError(f"{name}.card.number is as it is answered: {Card('').number}")
        inserted = card.inserted or now
        card = replace(card, inserted=inserted, updated=card.updated or inserted)
        sandbox.gateway.customers.put((account, owner.tier), card)


def _fault(name: str, content: object) -> Fault:
    if not isinstance(content, Mapping):
        raise ValueError(f"{name} is an object of fields")
    try:
        return Fault.of(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _fault_written(fault: Fault) -> dict[str, object]:
    written = fault.wire()
    del written["number"]
    return written


def _take_up(sandbox: Sandbox, content: Mapping[str, Any]) -> None:
    """Take up what `record` wrote; a hand can write the other sections better."""
    if not content:
        return
    for name in (*content, *_STATE):
        if name not in _STATE or name not in content:
            raise ValueError(f"state is an object of {', '.join(_STATE)}, as it was recorded")
    for name in _STATE[2:]:
        if not isinstance(content[name], list):
            raise ValueError(f"state.{name} is a list")
    attempts = [
        records.read(Attempt, f"state.attempts[{at}]", item)
        for at, item in enumerate(content["attempts"])
    ]
    if not isinstance(content["series"], str) or type(content["drawn"]) is not int:
        raise ValueError("state.series is a text, and state.drawn a whole number")
    sandbox.gateway.restore(content["series"], content["drawn"], attempts)
    events = [
        records.read(Event, f"state.kept_back[{at}]", item)
        for at, item in enumerate(content["kept_back"])
    ]
    sandbox.webhooks.restore(map(str, content["untold"]), events)
    for at, item in enumerate(content["planned"]):
        try:
            if not isinstance(item, Mapping) or "at" not in item:
                raise ValueError("it is an object of at, do and imp_uid")
            _plan(sandbox, **item)
        except ValueError as error:
            raise ValueError(f"state.planned[{at}]: {error}") from None


def _plan(sandbox: Sandbox, *, at: int, **told: object) -> None:
    if type(at) is not int:
        raise ValueError("at is whole seconds")
    for name in ("amount", "tax_free"):
        if told.get(name) is not None:
            told[name] = number = as_amount(told[name])
            if number is None:
                raise ValueError(f"{name} is a number")
    sandbox.plan(at, told)
