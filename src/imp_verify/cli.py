"""The `imp-verify` command. Frameworks are imported by the subcommand that needs them."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

GOOD, FOUND, WRONG_USE = 0, 1, 2
DEMO_PORT = 8000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 good, 1 something found, 2 wrong use."""
    args = _parser().parse_args(argv)
    status: int = args.run(args)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imp-verify", description="Verifies I'mport (PortOne V1) payments."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="a whole shop with an offline gateway, in the browser")
    demo.add_argument(
        "--port", type=_port, help=f"the shop's port (default: {DEMO_PORT}, or a free one)"
    )
    demo.add_argument(
        "--host",
        type=_host,
        default="127.0.0.1",
        help="an address of this machine for a phone in the same network: anybody there may then "
        "use the shop and its sandbox (default: 127.0.0.1)",
    )
    demo.add_argument(
        "--db", metavar="PATH", help="an SQLite file to keep (default: a temporary one)"
    )
    demo.add_argument(
        "--language", choices=("ko", "en"), default="ko", help="until a visitor chooses"
    )
    demo.add_argument(
        "--sdk",
        metavar="URL",
        default="/v1/iamport.js",
        help="where pages load the browser SDK from",
    )
    demo.set_defaults(run=_demo)
    _add_snippet(commands)
    return parser


def _add_snippet(commands: Any) -> None:
    snippet = commands.add_parser("snippet", help="print the browser code to paste into a page")
    snippet.add_argument(
        "--flavor",
        required=True,
        choices=("jquery", "esnext", "react", "vue", "html", "types"),
        help="html is a whole page; types is imp-verify.d.ts, for TypeScript",
    )
    snippet.add_argument("--language", choices=("ko", "en"), default="ko", help="of the comments")
    snippet.add_argument("--user-code", default="imp00000000", help="for IMP.init")
    snippet.add_argument("--channel-key", help="the channel in the console")
    snippet.add_argument("--pg", help="the older way to choose it: provider or provider.mid")
    snippet.add_argument("--prefix", default="/payments", help="where the endpoints are")
    snippet.add_argument(
        "--public-url", default="https://shop.example", help="the shop's own address"
    )
    snippet.set_defaults(run=_snippet)


def _snippet(args: argparse.Namespace) -> int:
    from imp_verify import ConfigurationError
    from imp_verify.contrib.browser import snippet

    given = {name: value for name, value in vars(args).items() if name != "run"}
    try:
        code = snippet(given.pop("flavor"), given.pop("language"), **given)
    except ConfigurationError as error:
        return _wrong_use(str(error))
    sys.stdout.buffer.write(code.encode())  # Korean, whatever the terminal's own encoding is
    return GOOD


def _demo(args: argparse.Namespace) -> int:
    import sqlite3

    try:
        from imp_verify.demo import Demo
    except ImportError as error:
        missing = error.__cause__ or error  # the cause is without the advice to install less
        return _wrong_use(f'{missing}; the demo needs: pip install "imp-verify[demo]"')

    port = _free_port(args.host) if args.port is None else args.port
    demo = Demo(
        port=port, host=args.host, database=args.db, language=args.language, sdk_url=args.sdk
    )
    try:
        demo.start()
    except OSError as error:
        return _wrong_use(f"{args.host}, port {port}: {error.strerror}")
    except sqlite3.Error as error:
        return _wrong_use(f"{args.db}: {error}")
    with _ending() as ended:
        if warning := demo.warning():
            print(_printable(warning, sys.stderr), file=sys.stderr, flush=True)
        print(_printable(demo.guide(), sys.stdout), flush=True)
        ended.wait()
    demo.stop()
    return GOOD


def _printable(text: str, stream: TextIO) -> str:
    """Return the text with what this terminal cannot show left out."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _free_port(host: str = "127.0.0.1") -> int:
    """Return the demo's own port, or 0 (any) where somebody else has it."""
    try:
        with socket.create_server((host, DEMO_PORT)):
            return DEMO_PORT
    except OSError:
        return 0


def _host(text: str) -> str:
    if text in ("", "0.0.0.0", "::", "*"):
        raise argparse.ArgumentTypeError(
            "name the one address that the browser goes to, for example 192.168.0.10"
        )
    return text


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 to 65535")
    return port


@contextmanager
def _ending() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets, instead of ending the process in mid-work."""
    ended = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in numbers}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wrong_use(message: str) -> int:
    print(f"imp-verify: {message}", file=sys.stderr)
    return WRONG_USE


if __name__ == "__main__":
    sys.exit(main())
