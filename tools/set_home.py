"""Say where the project lives: `python tools/set_home.py https://forge.example/owner/imp_verify`.

It writes `[project.urls]` into pyproject.toml, and makes README.md's links and pictures absolute,
for an index shows that page where no file lies beside it. Run once, before the first release, or
again when the project moves.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
URLS = re.compile(r"^\[project\.urls\]\n(?:.+\n)+\n", re.MULTILINE)


def urls(home: str) -> str:
    return (
        "[project.urls]\n"
        f'Homepage = "{home}"\n'
        f'Documentation = "{home}/tree/main/docs"\n'
        f'Changelog = "{home}/blob/main/CHANGELOG.md"\n'
        f'Issues = "{home}/issues"\n'
        f'Source = "{home}"\n\n'
    )


def absolute(text: str, home: str) -> str:
    """Return a page of the root whose links to files lead to the project's home."""

    def lead(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        kind = "raw" if mark else "blob"
        return f"{mark}[{words}]({home}/{kind}/main/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)", lead, text)


def main(home: str) -> None:
    home = home.rstrip("/")
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", home):
        sys.exit("an address like https://forge.example/owner/imp_verify")
    project = ROOT / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    former = re.search(r'^Homepage = "(.*)"$', text, re.MULTILINE)
    text = URLS.sub("", text)
    text = text.replace("[project.scripts]\n", f"{urls(home)}[project.scripts]\n", 1)
    project.write_text(text, encoding="utf-8")
    for name in ("README.md", "README.ko.md"):
        page = ROOT / name
        said = page.read_text(encoding="utf-8")
        if former:
            said = said.replace(former[1] + "/", home + "/")
        page.write_text(absolute(said, home), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
