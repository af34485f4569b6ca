"""Check what was built, as one who installs it meets it: what the archives hold, that they come out
the same when built again, that each extra alone installs and imports, that the commands run, and
that a shop's test passes with pytest and nothing else.

    python tools/check_package.py DIST [--again DIST] [--release]

`--again` names the same built a second time. `--release` demands what an index shows: the project's
addresses, and a README without links that lead nowhere from there.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

# What no import would miss.
DATA = (
    "py.typed",
    "_web/imp-verify.js",
    "_web/imp-verify.min.js",
    "_web/imp-verify.d.ts",
    "contrib/django/migrations/0001_initial.py",
    "contrib/django/locale/ko/LC_MESSAGES/django.mo",
)
DOCUMENTED = Path(__file__).parents[1] / "docs" / "testing.md"
"""Its first code is the test of a shop, and it says that pytest is all that this needs."""
IN_SDIST = ("src", "tests", "docs", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml")
# What each extra is for, and nothing but it is installed for; "" is no extra.
MODULES = {
    "": ("imp_verify", "imp_verify.testing", "imp_verify.transports.requests"),
    "async": ("imp_verify.transports.httpx", "imp_verify.contrib.asgi"),
    "httpx": ("imp_verify.transports.httpx",),
    "urllib3": ("imp_verify.transports.urllib3",),
    "aiohttp": ("imp_verify.transports.aiohttp",),
    "flask": ("imp_verify.contrib.flask",),
    "quart": ("imp_verify.contrib.quart",),
    "starlette": ("imp_verify.contrib.starlette",),
    "fastapi": ("imp_verify.contrib.fastapi",),
    "django": ("imp_verify.contrib.django",),
    "wsgi": ("imp_verify.contrib.wsgi",),
    "sqlalchemy": ("imp_verify.stores.sqlalchemy",),
    "sqlalchemy-async": ("imp_verify.stores.sqlalchemy",),
    "cli": ("imp_verify.cli",),
    "otel": ("imp_verify.contrib.otel",),
    "sandbox": ("imp_verify.sandbox.server",),
    "demo": ("imp_verify.demo.server",),
    "all": ("imp_verify.contrib.flask", "imp_verify.stores.sqlalchemy", "imp_verify.demo.server"),
}
# What `imp-verify` is called with, with that extra alone.
COMMANDS = {
    "cli": (["snippet", "--flavor", "esnext"],),
    "demo": (["demo", "--help"],),
    "sandbox": (["sandbox", "--schema"],),
}


def contents(wheel: Path, sdist: Path) -> list[str]:
    """Return what the archives lack, or hold and should not."""
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    own = r"imp_verify/|imp_verify-[^/]+\.dist-info/|pytest_imp_verify\.py$"
    wrong = [f"the wheel holds {name}" for name in names if not re.match(own, name)]
    wrong += [f"the wheel lacks {name}" for name in DATA if f"imp_verify/{name}" not in names]
    with tarfile.open(sdist) as packed:
        tops = {Path(name).parts[1] for name in packed.getnames() if len(Path(name).parts) > 1}
        made = [name for name in packed.getnames() if "node_modules" in name or "_build" in name]
    wrong += [f"the sdist lacks {name}" for name in IN_SDIST if name not in tops]
    return wrong + [f"the sdist holds {name}" for name in made[:3]]


def differences(one: Path, other: Path) -> list[str]:
    """Return which archives are not the same, to the byte, when built again."""
    found = []
    for path in sorted(one.iterdir()):
        both = [each / path.name for each in (one, other)]
        sums = [hashlib.sha256(each.read_bytes()).hexdigest() for each in both]
        print(f"{sums[0]}  {path.name}")
        if sums[0] != sums[1]:
            found.append(f"{path.name} differs when it is built again")
    return found


def metadata(wheel: Path) -> list[str]:
    """Return what an index would show that is missing, or lead nowhere."""
    with zipfile.ZipFile(wheel) as file:
        (name,) = (each for each in file.namelist() if each.endswith(".dist-info/METADATA"))
        shown = BytesParser().parsebytes(file.read(name))
    text = str(shown.get_payload())
    local = re.findall(r"\]\((?!https://|#)([^)]+)\)", text)
    wrong = [f"README.md links to {each}, which leads nowhere on an index" for each in local]
    if not shown.get_all("Project-URL"):
        wrong.append("pyproject.toml has no [project.urls]: python tools/set_home.py URL")
    return wrong


def declared(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        (name,) = (each for each in file.namelist() if each.endswith(".dist-info/METADATA"))
        shown = BytesParser().parsebytes(file.read(name))
    return set(shown.get_all("Provides-Extra") or ())


def alone(wheel: Path, extra: str) -> list[str]:
    """Return what does not import where the wheel is installed with this extra and nothing else."""
    with tempfile.TemporaryDirectory() as clean:
        folder = Path(clean) / "bin"
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, clean], check=True)
        what = f"imp-verify[{extra}] @ {wheel.resolve().as_uri()}" if extra else str(wheel)
        python = folder / "python"
        subprocess.run(["uv", "pip", "install", "-q", "--python", python, what], check=True)
        calls = [[str(python), "-W", "error", "-c", f"import {each}"] for each in MODULES[extra]]
        calls += [[str(folder / "imp-verify"), *rest] for rest in COMMANDS.get(extra, ())]
        wrong = []
        for call in calls:
            ran = subprocess.run(call, capture_output=True, text=True, check=False)
            if ran.returncode:
                told = (ran.stderr.strip() or ran.stdout.strip()).splitlines()[-1:]
                wrong.append(f"with [{extra}] alone, {' '.join(call[1:])}: {''.join(told)}")
        return wrong


def shops_test(wheel: Path) -> list[str]:
    """Return what pytest says where a shop's test fails; it finds the plugin by its entry point."""
    code = re.findall(r"```python\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)[0]
    with tempfile.TemporaryDirectory() as clean:
        python, test = Path(clean) / "bin" / "python", Path(clean) / "test_shop.py"
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, clean], check=True)
        install = ["uv", "pip", "install", "-q", "--python", python, wheel, "pytest"]
        subprocess.run(install, check=True)
        test.write_text(code, "utf-8")
        call = [python, "-m", "pytest", "-q", "-W", "error", test]
        ran = subprocess.run(call, cwd=clean, capture_output=True, text=True, check=False)
        return [ran.stdout] if ran.returncode else []


def check(folder: Path, again: Path | None, release: bool) -> list[str]:
    """Return all that is wrong with the one wheel and the one sdist of a folder.

    Raises:
        ValueError: There is not one of each.
        CalledProcessError: An extra cannot be installed.
    """
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    wrong = contents(wheel, sdist)
    if again is not None:
        wrong += differences(folder, again)
    if release:
        wrong += metadata(wheel)
    if unknown := declared(wheel) ^ MODULES.keys() - {""}:
        wrong.append(f"extras that are not tried here, or gone: {', '.join(sorted(unknown))}")
    for extra in sorted(MODULES.keys() & (declared(wheel) | {""})):
        wrong += alone(wheel, extra)
    return wrong + shops_test(wheel)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--again", type=Path)
    parser.add_argument("--release", action="store_true")
    given = parser.parse_args()
    if wrong := check(given.folder, given.again, given.release):
        sys.exit("\n".join(wrong))
    print(f"the archives are whole; {len(MODULES)} installations, each extra alone, run;")
    print("a shop's test passes with pytest alone")
