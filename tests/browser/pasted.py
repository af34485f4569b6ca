"""The code that `imp-verify snippet` prints, on a page: pasted, or bundled if a component."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from imp_verify.contrib.browser import FLAVORS
from tests.browser.shop import NODE_MODULES

HEAD = '<!doctype html><html lang="{language}"><meta charset="utf-8"><title>shop</title>'
APP = '<div id="app"></div><script type="module">{script}</script>'
COMPONENTS = ("react", "react18", "vue")


def bundled(code: str, flavor: str, folder: Path) -> str:
    """Bundle a component in an app around it; `react18` is React with the older library."""
    source, made = folder / FLAVORS[flavor.removesuffix("18")], folder / "bundle.js"
    source.write_text(code, encoding="utf-8")
    node = shutil.which("node")
    assert node
    older = ["react18"] if flavor == "react18" else []
    subprocess.run([node, NODE_MODULES.parent / "bundle.mjs", source, made, *older], check=True)
    return APP.replace(
        "{script}", made.read_text(encoding="utf-8").replace("</script", "<\\/script")
    )


def page_of(code: str, flavor: str, language: str, folder: Path) -> str:
    """Make the page; a script that stands in it has the nonce n-1."""
    head = HEAD.format(language=language)
    if flavor == "html":
        return code
    if flavor in COMPONENTS:
        return head + bundled(code, flavor, folder)
    return head + code.replace("<script", '<script nonce="n-1"')
