"""Check what was built: install the one wheel of a folder where nothing else is, import it, look
for the files that no import would miss, and run a shop's test with it and pytest alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = (
    "../pytest_imp_verify.py",
    "py.typed",
    "_web/imp-verify.js",
    "_web/imp-verify.min.js",
    "_web/imp-verify.d.ts",
    "contrib/django/migrations/0001_initial.py",
    "contrib/django/locale/ko/LC_MESSAGES/django.mo",
)
DOCUMENTED = Path(__file__).parents[1] / "docs" / "testing.md"
"""Its first code is the test of a shop, and it says that pytest is all that this needs."""
FIND = "import imp_verify, pathlib; print(pathlib.Path(imp_verify.__file__).parent)"


def check(built: Path) -> list[str]:
    """Return the files that the installed wheel lacks.

    Raises:
        ValueError: There is not one wheel.
        CalledProcessError: It cannot be installed or imported, or the shop's test fails.
    """
    (wheel,) = built.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean"
        python = clean / "bin" / "python"
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, clean], check=True)
        install: list[str | Path] = ["uv", "pip", "install", "-q", "--python", python]
        subprocess.run([*install, wheel], check=True)
        found = subprocess.run([python, "-c", FIND], check=True, capture_output=True, text=True)
        package = Path(found.stdout.strip())
        missing = [name for name in DATA if not (package / name).exists()]
        subprocess.run([*install, "pytest"], check=True)
        _run_a_shops_test(python, Path(folder) / "test_shop.py")
        return missing


def _run_a_shops_test(python: Path, at: Path) -> None:
    """Run it as the page has it; pytest finds the fixtures by the wheel's own entry point."""
    code = re.findall(r"```python\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)[0]
    at.write_text(code, "utf-8")
    subprocess.run([python, "-m", "pytest", "-q", "-W", "error", at], cwd=at.parent, check=True)


if __name__ == "__main__":
    if missing := check(Path(sys.argv[1])):
        sys.exit(f"the wheel lacks {', '.join(missing)}")
    print("installed alone and imported; all files are there; a shop's test passes")
