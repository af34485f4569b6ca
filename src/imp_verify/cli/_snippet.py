"""`imp-verify snippet`: prints browser code. Needs nothing that a shop has."""

from __future__ import annotations

import sys

import click

from ._printing import GOOD, wrong_use

__all__ = ["snippet"]


@click.command(short_help="print the browser code to paste into a page")
@click.option(
    "--flavor",
    required=True,
    type=click.Choice(("jquery", "esnext", "react", "vue", "html", "types")),
    help="html is a whole page; types is imp-verify.d.ts, for TypeScript",
)
@click.option("--language", type=click.Choice(("ko", "en")), default="ko", help="of the comments")
@click.option("--user-code", default="imp00000000", help="for IMP.init")
@click.option("--channel-key", help="the channel in the console")
@click.option("--pg", help="the older way to choose it: provider or provider.mid")
@click.option("--prefix", default="/payments", help="where the endpoints are")
@click.option("--public-url", default="https://shop.example", help="the shop's own address")
def snippet(flavor: str, language: str, **given: str | None) -> int:
    """Print the browser code to paste into a page."""
    from .. import ConfigurationError
    from ..contrib.browser import snippet as make

    try:
        code = make(flavor, language, **given)  # type: ignore[arg-type]  # by its own names
    except ConfigurationError as error:
        return wrong_use(str(error))
    sys.stdout.buffer.write(code.encode())  # Korean, whatever the terminal's own encoding is
    return GOOD
