"""`imp-verify demo`: a whole shop and an offline gateway, until Ctrl-C."""

from __future__ import annotations

import sys

import click

import imp_verify.cli as cli

from ..sandbox.running import until_stopped
from ._printing import GOOD, printable, wrong_use

__all__ = ["demo"]


def _port(_: click.Context, __: click.Parameter, port: int | None) -> int | None:
    if port is not None and not 0 <= port <= 65535:
        raise click.BadParameter("a port is 0 to 65535")
    return port


def _host(_: click.Context, __: click.Parameter, text: str) -> str:
    if text in ("", "0.0.0.0", "::", "*"):
        raise click.BadParameter(
            "name the one address that the browser goes to, for example 192.168.0.10"
        )
    return text


@click.command(short_help="a whole shop with an offline gateway, in the browser")
@click.option(
    "--port",
    type=int,
    callback=_port,
    help=f"the shop's port (default: {cli.DEMO_PORT}, or a free one)",
)
@click.option(
    "--host",
    callback=_host,
    default="127.0.0.1",
    help="an address of this machine for a phone in the same network: anybody there may then "
    "use the shop and its sandbox (default: 127.0.0.1)",
)
@click.option("--db", metavar="PATH", help="an SQLite file to keep (default: a temporary one)")
@click.option(
    "--language", type=click.Choice(("ko", "en")), default="ko", help="until a visitor chooses"
)
@click.option(
    "--sdk", metavar="URL", default="/v1/iamport.js", help="where pages load the browser SDK from"
)
def demo(port: int | None, host: str, db: str | None, language: str, sdk: str) -> int:
    """A whole shop with an offline gateway, in the browser."""
    import sqlite3

    try:
        from ..demo import Demo
    except ImportError as error:
        missing = error.__cause__ or error  # the cause is without the advice to install less
        return wrong_use(f'{missing}; the demo needs: pip install "imp-verify[demo]"')

    if port is None:
        port = cli._free_port(host)
    made = Demo(port=port, host=host, database=db, language=language, sdk_url=sdk)
    try:
        made.start()
    except OSError as error:
        return wrong_use(f"{host}, port {port}: {error.strerror}")
    except sqlite3.Error as error:
        return wrong_use(f"{db}: {error}")
    with until_stopped() as ended:
        if warning := made.warning():
            print(printable(warning, sys.stderr), file=sys.stderr, flush=True)
        print(printable(made.guide(), sys.stdout), flush=True)
        ended.wait()
    made.stop()
    return GOOD
