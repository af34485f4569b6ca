"""A shop's server in TypeScript, against its client's own types and then against the sandbox."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from imp_verify.sandbox import Account, SandboxServer
from tests.clients.clients import GUARD, HERE, NODE, environment

pytestmark = [pytest.mark.slow, pytest.mark.needs("clients")]

FOLDER = HERE / "npm" / "iamport-server-api"
TSC = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"


def payment(step: str, status: str, *refunds: int, **more: Any) -> dict[str, Any]:
    usual = {"amount": 39000, "pay_method": "card", "customer_uid": None}
    told = {"step": step, "status": status, **usual, **more}
    return {**told, "cancel_amount": sum(refunds), "refunds": list(refunds)}


def refusal(step: str, message: str | None = None) -> dict[str, Any]:
    return {"step": step, "code": 1, **({"message": message} if message else {})}


CARD = [
    payment("card", "paid"),
    {"step": "its number", "number": "424242******4242"},
    payment("a part back", "cancelled", 10000),
    payment("another part", "cancelled", 10000, 9000),
    refusal("too much"),
    refusal("on a wrong sum"),
    payment("the rest", "cancelled", 10000, 9000, 20000),
    refusal("once more", "이미 전액취소된 주문입니다."),
    payment("in the end", "cancelled", 10000, 9000, 20000),
]
STORED = [
    {"step": "stored", "number": "424242******4242", "name": "홍길동"},
    payment("charged", "paid", amount=12000, customer_uid="cu1"),
    refusal("charged twice"),
    refusal("forgotten", "등록되지 않은 구매자입니다."),
]
OF_ACCOUNT = {"amount": 50000, "pay_method": "vbank"}
ACCOUNT = [
    payment("issued", "ready", **OF_ACCOUNT),
    {"step": "its account", "due": 4_102_444_800},
    payment("deposited", "paid", **OF_ACCOUNT),
    refusal("to nowhere"),
    payment("sent back", "cancelled", 50000, **OF_ACCOUNT),
]


@pytest.mark.xdist_group("clients npm iamport-server-api")
def test_a_shop_in_typescript_charges_gives_back_and_waits_for_a_deposit(tmp_path: Path) -> None:
    compiled = subprocess.run(
        [NODE, str(TSC), "--project", str(FOLDER), "--outDir", str(tmp_path)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert compiled.returncode == 0, compiled.stdout
    account = Account("story's key", "story's secret")
    with SandboxServer(accounts=[account]) as server:
        shop = subprocess.Popen(
            [NODE, "--require", GUARD, str(tmp_path / "story.js")],
            env=environment(
                NODE_PATH=str(FOLDER / "node_modules"),
                SANDBOX_URL=server.url,
                SANDBOX_KEY=account.key,
                SANDBOX_SECRET=account.secret,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        with shop:
            assert shop.stdin is not None
            assert shop.stdout is not None
            told = []
            for line in shop.stdout:
                told.append(json.loads(line))
                if imp_uid := told[-1].pop("imp_uid", None):
                    server.sandbox.deposit(imp_uid, Decimal(50000))
                    shop.stdin.write("\n")
                    shop.stdin.flush()
    assert shop.returncode == 0
    wanted = [*CARD, *STORED, *ACCOUNT]
    assert [each["step"] for each in told] == [each["step"] for each in wanted]
    for each, asked in zip(told, wanted, strict=True):
        assert {name: each[name] for name in asked} == asked
