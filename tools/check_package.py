"""Check what was built: install the one wheel of a folder where nothing else is, import it, and
look for the files that no import would miss."""

from __future__ import annotations

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
FIND = "import imp_verify, pathlib; print(pathlib.Path(imp_verify.__file__).parent)"


def check(folder: Path) -> list[str]:
    """Return the files that the installed wheel lacks.

    Raises:
        ValueError: There is not one wheel.
        CalledProcessError: It cannot be installed or imported.
    """
    (wheel,) = folder.glob("*.whl")
    with tempfile.TemporaryDirectory() as clean:
        python = Path(clean) / "bin" / "python"
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, clean], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", python, wheel], check=True)
        found = subprocess.run([python, "-c", FIND], check=True, capture_output=True, text=True)
        package = Path(found.stdout.strip())
        return [name for name in DATA if not (package / name).exists()]


if __name__ == "__main__":
    if missing := check(Path(sys.argv[1])):
        sys.exit(f"the wheel lacks {', '.join(missing)}")
    print("installed alone and imported; all files are there")
