"""`imp-verify sandbox` and `python -m imp_verify.sandbox`: a gateway on loopback, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from imp_verify.sandbox import seeding
from imp_verify.sandbox.clock import LATEST
from imp_verify.sandbox.exact import decoded, dumps
from imp_verify.sandbox.opening import KOREA
from imp_verify.sandbox.running import until_stopped
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.settings import Settings, parse_pair, strict

PORT = 8900
LOOPBACK = "127.0.0.1"
WRONG_USE, TROUBLE = 2, 3
_MISSING = 'the sandbox needs Starlette and uvicorn: pip install "imp-verify[sandbox]"'

GUIDE: Mapping[str, str] = {
    "ko": """{url}

쇼핑몰에 넣을 것{account}:
  IMP_API_URL={url}
  IMP_KEY={key}
  IMP_SECRET={secret}
  IMP.init("{user_code}")
  <script src="{url}/v1/iamport.js"></script>

웹훅을 보낼 곳: {webhook}
결제와 웹훅이 보이는 곳: {url}/
끝내기: Ctrl-C""",
    "en": """{url}

What to put into the shop{account}:
  IMP_API_URL={url}
  IMP_KEY={key}
  IMP_SECRET={secret}
  IMP.init("{user_code}")
  <script src="{url}/v1/iamport.js"></script>

Webhooks go to: {webhook}
Payments and webhooks are seen at: {url}/
Stop it with Ctrl-C""",
}
"""What is printed once it answers; the address alone stands on the first line, for scripts."""
NOWHERE: Mapping[str, str] = {
    "ko": "결제의 notice_url. 없으면 보내지 않습니다 (--webhook-url로 정합니다)",
    "en": "a payment's notice_url, else nowhere (--webhook-url says where)",
}
OPEN_TO_OTHERS: Mapping[str, str] = {
    "ko": "주의: {host}에 닿는 누구나 이 샌드박스에서 결제하고 취소할 수 있습니다.",
    "en": "Mind: whoever reaches {host} can pay and cancel in this sandbox.",
}


def _host(_: click.Context, __: click.Parameter, text: str) -> str:
    if text in ("", "0.0.0.0", "::", "*"):
        raise click.BadParameter(
            "name the one address that the browser goes to, for example 192.168.0.10"
        )
    return text


def _settings(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, object]:
    try:
        return dict(parse_pair(each) for each in pairs)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _time(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        seconds = int(text) if text.isdecimal() else _seconds(datetime.fromisoformat(text))
    except ValueError:
        raise click.BadParameter(
            "a time is Unix seconds, or ISO 8601 as 2026-01-31T09:00, in Korea where it names no "
            "zone"
        ) from None
    if not 0 <= seconds <= LATEST:
        raise click.BadParameter(f"a time is 0 to {LATEST}")
    return seconds


def _seconds(time: datetime) -> int:
    return int((time if time.tzinfo else time.replace(tzinfo=KOREA)).timestamp())


def _print_schema(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(dumps(seeding.schema()))
        context.exit()


@click.command("sandbox", short_help="an offline gateway on this machine, for any shop")
@click.option(
    "--host",
    callback=_host,
    default=LOOPBACK,
    help="a further address of this machine, for a phone in the same network: whoever reaches it "
    "can pay and cancel (default: loopback alone)",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    help=f"0 takes a free one (default: {PORT})",
)
@click.option("--webhook-url", metavar="URL", help="where webhooks go that no notice_url redirects")
@click.option(
    "--seed",
    type=click.Path(dir_okay=False, path_type=Path),
    help="a file that says what there is at the beginning: JSON or JSON lines",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="a file to write all of it to at the end, as --seed reads it; it may be the same one",
)
@click.option(
    "--set",
    "chosen",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_settings,
    help="a setting; may be repeated",
)
@click.option("--strict", "is_strict", is_flag=True, help="what is unknown is what is hardest")
@click.option("--ids", metavar="SEED", help="ids follow from this text, the same in every run")
@click.option("--clock", metavar="TIME", callback=_time, help="the time at which its clock stands")
@click.option("--language", type=click.Choice(("ko", "en")), help="of the window, and of this")
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="print the JSON schema of a seed, and do nothing else",
)
def sandbox(host: str, port: int, seed: Path | None, record: Path | None, **options: Any) -> int:
    """An offline gateway: the V1 API, the browser SDK, a payment window, webhooks.

    It prints its address on the first line, and answers until Ctrl-C.
    """
    try:
        made = _made(seed, **options)
        if record is not None:
            _write(record, made)  # now, so that nobody learns at the end that it cannot be
    except _Wrong as error:
        return _wrong_use(str(error))
    except OSError as error:
        return _wrong_use(f"{error.filename}: {error.strerror}")
    return _serve(made, host, port, record)


def _wrong_use(message: str) -> int:
    click.echo(f"imp-verify: {message}", err=True)
    return WRONG_USE


class _Wrong(Exception):
    """Something that was given cannot be used; the text says what, in one line."""


def _made(
    seed: Path | None,
    *,
    webhook_url: str | None,
    chosen: Mapping[str, object],
    is_strict: bool,
    ids: str | None,
    clock: int | None,
    language: str | None,
) -> Sandbox:
    named = {"webhook_url": webhook_url, "language": language}
    settings = {
        **(strict() if is_strict else {}),
        **{name: value for name, value in named.items() if value is not None},
        **chosen,
    }
    over: dict[str, object] = {} if ids is None else {"ids": ids}
    if clock is not None:
        over["clock"] = {"stop_at": clock}
    try:
        Settings().change(settings)  # before the seed, which is not to blame for them
    except ValueError as error:
        raise _Wrong(str(error)) from None
    text = ""
    try:
        text = decoded(seed.read_bytes()) if seed else ""
        content = seeding.parse(text).content
    except ValueError as error:
        raise _Wrong(f"{seed}, {error}") from None
    try:
        return seeding.Seed({**content, **over}).start(settings=settings)
    except ValueError as error:
        place = f"{seed}, line {seeding.line_of(text, str(error))}: " if seed else ""
        raise _Wrong(f"{place}{error}") from None


def _write(path: Path, made: Sandbox) -> None:
    """Write all that it holds, whole or not at all, and for its owner alone: secrets are in it."""
    text = dumps(seeding.record(made)) + "\n"
    beside = path.with_name(f"{path.name}.part")
    beside.unlink(missing_ok=True)
    made_anew = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(os.open(beside, made_anew, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)


def _serve(made: Sandbox, host: str, port: int, record: Path | None) -> int:
    try:
        from imp_verify.sandbox.server import SandboxServer
    except ModuleNotFoundError as error:
        return _wrong_use(f"{error}; {_MISSING}")

    server = SandboxServer(sandbox=made, host=host, port=port)
    language, own_url = made.settings.language, made.settings.public_url
    with until_stopped() as ended, ExitStack() as ends:
        try:
            server.start()
        except OSError as error:
            return _wrong_use(f"{host}, port {port}: {error.strerror}")
        _ = ends.callback(server.stop)
        _ = ends.callback(made.close_down)
        if host not in (LOOPBACK, "localhost"):
            click.echo(OPEN_TO_OTHERS[language].format(host=host), err=True)
        click.echo(_guide(made, server.public_url))
        sys.stdout.flush()
        ended.wait()
    made.settings.change({"public_url": own_url})  # of --host, which is no part of a record
    try:
        if record is not None:
            _write(record, made)
    except OSError as error:
        click.echo(f"imp-verify: {record}: {error.strerror}", err=True)
        return TROUBLE
    return 0


def _guide(made: Sandbox, url: str) -> str:
    first, *others = made.gateway.accounts()
    text = GUIDE[made.settings.language].format(
        url=url,
        key=first.key,
        secret=first.secret,
        user_code=first.user_code,
        webhook=made.settings.webhook_url or NOWHERE[made.settings.language],
        account=f" ({first.key}, {', '.join(each.key for each in others)})" if others else "",
    )
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
