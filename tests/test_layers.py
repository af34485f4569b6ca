"""How the package is cut: who may import whom, and how long a module and a function may be."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src" / "imp_verify"
FILES = {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in ROOT.rglob("*.py")}

# Imports point to the left, or stay in their group. The first pattern that fits a module counts.
LAYERS = (
    (
        *("errors", "models", "settings", "order_numbers"),
        *("_core/__init__", "_core/reading"),
    ),
    ("stores/__init__", "stores/_*", "transports/__init__", "observers"),
    ("_core/*", "transports/*"),
    ("_web/*",),
    ("_configuration", "_loops", "_observing", "_releases", "_threads"),
    ("verifier",),
    ("__init__",),
    (
        *("contrib/__init__", "contrib/_asgi", "contrib/_bodies", "contrib/_mount"),
        *("contrib/openapi", "contrib/browser/*"),
    ),
    ("stores/*", "contrib/*", "sandbox*", "testing*", "cli*", "demo*"),
)
EDGES = len(LAYERS) - 1
MAY_IMPORT_EDGES = ("cli", "demo", "testing")
HAVE_COMMANDS = ("contrib/django", "contrib/flask", "contrib/quart")
"""Edges whose frameworks have commands of their own: the same ones, of the edge `cli`."""
OVER_THE_NET = (
    *("sandbox/server", "sandbox/guard", "sandbox/_http/*"),
    *("sandbox/command", "sandbox/__main__"),
)
"""What of the sandbox needs its extra; all else of it runs on the standard library."""
MODULE_LINES = 500
# Both verifiers under one view, with what a shop reads of each method; and the values of all.
LONGER = {"verifier": 900, "models": 700, "cli/_words": 700}
FUNCTION_LINES = 30
LEFT_ALONE_BY_IMPORT = (
    *("requests", "urllib3", "httpx", "httpx2", "aiohttp"),
    *("flask", "werkzeug", "quart", "starlette", "fastapi", "django", "sqlalchemy", "asyncio"),
    *("sqlite3", "click", "rich", "opentelemetry"),
)


def layer(module: str) -> int | None:
    """Tell how far to the right a module stands; None where no layer names it."""
    layers = enumerate(LAYERS)
    return next((n for n, names in layers if any(fnmatchcase(module, p) for p in names)), None)


def edge(module: str) -> str | None:
    """Name the edge a module belongs to: `contrib/django` is one, so are `cli` and `sandbox`."""
    parts = module.split("/")
    within = 2 if parts[0] in ("contrib", "stores") else 1
    return "/".join(parts[:within]) if layer(module) == EDGES else None


def core(module: str) -> bool:
    return edge(module) is None and (
        not module.startswith("transports/") or module == "transports/__init__"
    )


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[str]:
    """Yield the full dotted name of everything that a module imports, wherever it does so."""
    package = ["imp_verify", *module.split("/")[:-1]]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{source}.{name.name}" for name in node.names)


def ours(module: str) -> set[str]:
    """Return those modules of this package that a module imports."""
    found = set()
    for name in imports(module):
        top, *rest = name.split(".")
        while top == "imp_verify":
            path = "/".join(rest)
            hit = {path, f"{path}/__init__".lstrip("/")} & FILES.keys()
            if hit or not rest:
                found |= hit
                break
            rest.pop()
    return found - {module}


def long_functions(module: str) -> Iterator[str]:
    """Name the functions that are too long. A docstring does not count, nor a signature: that of a
    verifier writes fifteen settings out."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
            if lines > FUNCTION_LINES:
                yield f"{module}.{node.name}: {lines}"


def test_every_module_has_its_layer() -> None:
    assert FILES
    assert [module for module in FILES if layer(module) is None] == []


def test_the_core_imports_nothing_from_third_parties() -> None:
    known = sys.stdlib_module_names | {"imp_verify"}
    assert [
        f"{module} imports {name}"
        for module in filter(core, FILES)
        for name in imports(module)
        if name.split(".")[0] not in known
    ] == []


def test_imports_point_left() -> None:
    assert [
        f"{module} imports {other}"
        for module in FILES
        for other in ours(module)
        if (layer(other) or 0) > (layer(module) or 0)
    ] == []


def test_edges_do_not_import_one_another() -> None:
    assert [
        f"{module} imports {other}"
        for module in FILES
        if edge(module) and edge(module) not in MAY_IMPORT_EDGES
        for other in ours(module)
        if edge(other) not in (None, edge(module))
        if not (edge(module) in HAVE_COMMANDS and edge(other) == "cli")
    ] == []


def test_the_sandbox_knows_nothing_of_the_product() -> None:
    assert [
        f"{module} imports {other}"
        for module in FILES
        if module.startswith("sandbox/")
        for other in ours(module)
        if not other.startswith("sandbox/")
    ] == []


def test_the_sandbox_itself_imports_nothing_from_third_parties() -> None:
    known = sys.stdlib_module_names | {"imp_verify"}
    assert [
        f"{module} imports {name}"
        for module in FILES
        if module.startswith("sandbox/")
        if not any(fnmatchcase(module, pattern) for pattern in OVER_THE_NET)
        for name in imports(module)
        if name.split(".")[0] not in known
    ] == []


def test_the_sandbox_answers_without_its_server_a_client_or_an_extra() -> None:
    code = """
import sys
sys.modules.update(dict.fromkeys(("starlette", "uvicorn", "requests", "h11", "anyio")))
from imp_verify.sandbox import Api, ApiRequest, Sandbox
sandbox = Sandbox()
keys = b"imp_key=sandbox_key&imp_secret=sandbox_secret"
print(Api(sandbox).answer(ApiRequest("POST", "/users/getToken", body=keys)).status)
print(sandbox.approve(sandbox.open({"merchant_uid": "A", "amount": 1}).imp_uid).status)
"""
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTEST_"))}
    run = subprocess.run(
        [sys.executable, "-c", code], env=quiet, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["200", "paid"]


def test_adapters_use_nothing_of_a_verifier_that_others_may_not() -> None:
    assert [
        f"{module} reads {ast.unparse(node)}"
        for module in FILES
        if module.startswith("contrib/")
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
        if ast.unparse(node.value) in ("verifier", "get_verifier()", "self._verifier")
    ] == []


def test_modules_and_adapters_are_short() -> None:
    lines = {module: len(path.read_bytes().splitlines()) for module, path in FILES.items()}
    assert {m: n for m, n in lines.items() if n > LONGER.get(m, MODULE_LINES)} == {}


def test_functions_are_short() -> None:
    assert [line for module in FILES for line in long_functions(module)] == []


def test_a_bare_yield_stands_only_where_effects_are_made() -> None:
    flows = [module for module in FILES if module.startswith(("_core/", "_web/"))]
    yields = {m: sum(isinstance(node, ast.Yield) for node in ast.walk(tree(m))) for m in flows}
    # Where an effect is asked, where the two iterators give what a flow tells, and where one that
    # is metered passes them on.
    assert {module: n for module, n in yields.items() if n} == {"_core/flow": 4}


def test_importing_the_package_loads_no_framework_no_client_and_no_asyncio() -> None:
    code = f"import imp_verify, sys; print(*sys.modules.keys() & set({LEFT_ALONE_BY_IMPORT!r}))"
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTEST_"))}
    run = subprocess.run(
        [sys.executable, "-c", code], env=quiet, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
