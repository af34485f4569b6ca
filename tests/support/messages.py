"""What the package may say to who runs it, read from its sources: the texts of log lines from
WARNING on, of errors that it raises, and of Django's system checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import imp_verify

SOURCES = Path(imp_verify.__file__).parent
PLACE = "\0"
"""Stands for whatever is filled in."""
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
SAYS = re.compile(r"_log\.|_log =|Error\b|Gateway[A-Z]|warnings\.warn|\.fail\(")
"""What is in a module that says anything; the others need not be read."""
ENVELOPE = ("envelope", "self")
OF_THEIR_OWN = ("wire.py", "decisions.py")
"""Modules that say something by a method of their own."""
LOUD = ("warning", "error", "exception", "critical", "log")


class Unreadable(Exception):
    """A text that is made in a way that nobody reads here."""


@dataclass
class Module:
    path: Path
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, list[ast.FunctionDef]] = field(default_factory=dict)


def _parse(path: Path) -> Module:
    module = Module(path, ast.parse(path.read_text(encoding="utf-8")))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            module.functions.setdefault(node.name, []).append(node)
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            module.constants[node.targets[0].id] = node.value
    return module


class Sources:
    """The package's modules, and what their texts are."""

    def __init__(self) -> None:
        paths = sorted(SOURCES.rglob("*.py"))
        self._modules = [
            _parse(path) for path in paths if SAYS.search(path.read_text(encoding="utf-8"))
        ]
        self._calls = [
            (module, scope, call)
            for module in self._modules
            for scope, call in _calls_in(module.tree)
        ]

    def raised(self, *errors: str) -> dict[str, str]:
        """Return the texts of these errors, each with the place it is made at."""
        return self._texts(lambda call: _name(call.func) in errors)

    def failed(self) -> dict[str, str]:
        """Return what is said of an answer of the gateway's that cannot be used."""
        return self._texts(lambda call: _name(call.func) == "fail" and _owner(call) in ENVELOPE)

    def logged(self) -> dict[str, str]:
        """Return the texts of log lines from WARNING on."""
        return self._texts(lambda call: _is_loud(call) or _is_loud_decision(call))

    def checked(self) -> dict[str, str]:
        """Return the texts of Django's system checks, by their ids."""
        found: dict[str, str] = {}
        for module, scope, call in self._calls:
            ids = [each.value for each in call.keywords if each.arg == "id"]
            if ids and "checks" in module.path.name:
                texts = self._read(call.args[0], module, scope)
                name = ast.unparse(ids[0])
                found.update(dict.fromkeys(texts, name))
        return found

    def warned(self) -> dict[str, str]:
        """Return the texts of Python's warnings, but of those of the contract's tests."""
        return self._texts(
            lambda call: (
                _owner(call) == "warnings"
                and _name(call.func) == "warn"
                and isinstance(call.args[0], ast.Constant)
            )
        )

    def _texts(self, wanted: Callable[[ast.Call], bool]) -> dict[str, str]:
        found: dict[str, str] = {}
        for module, scope, call in self._calls:
            if not wanted(call) or not call.args:
                continue
            if _owner(call) == "self" and module.path.name not in OF_THEIR_OWN:
                continue  # that is the sandbox's
            leveled = _name(call.func) in ("log", "_write")
            where = f"{module.path.relative_to(SOURCES)}:{call.lineno}"
            try:
                texts = self._read(call.args[leveled], module, scope)
            except Unreadable as error:
                raise Unreadable(f"{where}: {error}") from None
            found.update(dict.fromkeys(texts, where))
        return found

    def _read(self, node: ast.AST | None, module: Module, scope: ast.AST) -> list[str]:
        """Return the texts that an expression may be, places marked; none where it is another
        error's own text, which is read where that is made."""
        match node:
            case ast.Constant(value=str(text)):
                return [re.sub(r"%(\.\d+)?[sdr]|\{\}", PLACE, text)]
            case ast.JoinedStr(values=values):
                return self._joined(values, module, scope)
            case ast.BoolOp(values=several):
                return [text for each in several for text in self._read(each, module, scope)]
            case ast.IfExp(body=one, orelse=other):
                return [*self._read(one, module, scope), *self._read(other, module, scope)]
            case ast.Call(func=ast.Attribute(value=text, attr="format")):
                return self._read(text, module, scope)
            case ast.Call(func=ast.Name(id="str")) | ast.Attribute(attr="_why"):
                return []  # the latter has the words of `Verifier`, which are read there
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return self._returned(name, module)
            case ast.Constant(value=None):
                return []
            case ast.Name(id=name):
                return self._named(name, module, scope)
            case _:
                raise Unreadable(ast.unparse(node) if node else "nothing")

    def _joined(self, values: list[ast.expr], module: Module, scope: ast.AST) -> list[str]:
        parts = []
        for each in values:
            given = each.value if isinstance(each, ast.FormattedValue) else each
            known = self._known(given, module, scope)
            parts.append(known[0] if len(known) == 1 else PLACE)
        return ["".join(parts)]

    def _known(self, given: ast.expr, module: Module, scope: ast.AST) -> list[str]:
        """Return what a part of a text is, where it is always the same."""
        if isinstance(given, ast.Name):
            values = _assigned(given.id, scope)
            if len(values) != 1 or not isinstance(values[0], ast.Constant | ast.JoinedStr):
                return []
            given = values[0]
        return self._read(given, module, scope) if isinstance(given, ast.Constant) else []

    def _named(self, name: str, module: Module, scope: ast.AST) -> list[str]:
        if local := _assigned(name, scope):
            return [text for value in local for text in self._read(value, module, scope)]
        if isinstance(scope, FUNCTION) and name in (given := _parameters(scope)):
            return self._passed(scope.name, given.index(name))
        for each in (module, *self._modules):
            if name in each.constants:
                return self._read(each.constants[name], each, each.tree)
        raise Unreadable(name)

    def _passed(self, function: str, position: int) -> list[str]:
        """Return what a function's callers give it."""
        found = []
        for module, scope, call in self._calls:
            if _name(call.func) == function and len(call.args) > position:
                found += self._read(call.args[position], module, scope)
        return found

    def _returned(self, name: str, module: Module) -> list[str]:
        for each in (module, *self._modules):
            if name in each.functions:
                return [
                    text
                    for function in each.functions[name]
                    for node in ast.walk(function)
                    if isinstance(node, ast.Return)
                    for text in self._read(node.value, each, function)
                ]
        raise Unreadable(f"{name}()")


def _assigned(name: str, scope: ast.AST) -> list[ast.expr]:
    """Return what a function gives a variable of its own."""
    if isinstance(scope, ast.Module):
        return []
    return [
        value
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign)
        for target in node.targets
        for one, value in _pairs(target, node.value)
        if one == name
    ]


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [each.arg for each in function.args.args if each.arg != "self"]


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, other)


def _is_loud(call: ast.Call) -> bool:
    """Whether it writes a line from WARNING on; `_write`'s own is what its callers give it."""
    handed_on = ast.unparse(call).startswith("_log.log(level, text, *words,")
    return _name(call.func) in LOUD and _owner(call) == "_log" and not handed_on


def _is_loud_decision(call: ast.Call) -> bool:
    quiet = ("logging.DEBUG", "logging.INFO")
    return (
        _name(call.func) == "_write"
        and _owner(call) == "self"
        and len(call.args) > 1
        and ast.unparse(call.args[0]) not in quiet
    )


def _name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


def _owner(call: ast.Call) -> str:
    return _name(getattr(call.func, "value", call.func))


def _calls_in(tree: ast.AST, scope: ast.AST | None = None) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Return each call with the function that it stands in."""
    scope = scope or tree
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield scope, node
        inner = node if isinstance(node, FUNCTION) else scope
        yield from _calls_in(node, inner)


def quotes(quote: str, text: str) -> bool:
    """Whether a quote, in which `...` stands for anything, is of this text: the whole of it, or as
    much of it as tells it from others."""
    parts = quote.split("...")
    if len("".join(parts)) >= 12 and _holds(text, parts):
        return True
    known = text.split(PLACE)
    if len("".join(known)) < 4 or not quote.startswith(known[0]):
        return False
    return quote.endswith(known[-1]) and _holds(quote, known)


def _holds(text: str, parts: list[str]) -> bool:
    """Whether the parts stand in a text, one after another. No regular expression: with many places
    one takes for ever to say no."""
    position = 0
    for part in parts:
        position = text.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return True
