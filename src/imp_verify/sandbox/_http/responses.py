"""Answers that all of the sandbox's pages share: markup with its policy, files, nothing cached."""

from __future__ import annotations

from importlib.resources import files

from starlette.responses import HTMLResponse, Response

from imp_verify.sandbox.browser import Visit

TYPES = {"css": "text/css", "js": "text/javascript"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'"


def page(text: str, visit: Visit | None = None, *, reads: bool = False) -> Response:
    """Make a page of the sandbox; the page that opened a window may have it in a frame.

    Args:
        text: Its markup.
        visit: How the buyer came to it, where it is a window's.
        reads: Whether its script asks the sandbox for more.
    """
    framed = (visit and visit.origin) or "'none'"
    policy = f"{_POLICY}; frame-ancestors {framed}"
    if reads:
        policy += "; connect-src 'self'"
    if visit is None or visit.redirect_url is None:
        policy += "; form-action 'self'"  # else the form leads on to the shop, wherever that leads
    headers = {"Content-Security-Policy": policy}
    return fresh(HTMLResponse(text, headers=headers))


def fresh(response: Response) -> Response:
    """Keep an answer out of every cache."""
    response.headers["Cache-Control"] = "no-store"
    return response


def package_file(name: str) -> str:
    """Read a file of the folder `static`."""
    return (files("imp_verify.sandbox") / "static" / name).read_text(encoding="utf-8")
