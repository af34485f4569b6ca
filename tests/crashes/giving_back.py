"""Cancels and give-backs in processes that die at one point after another.

Run as `python -m tests.crashes.giving_back FILE URL STRIDE`, because it forks: each point, or each
so many, is a child of its own that is killed there; then another process goes on. A step is what it
is in `dying`, and beside that a call on its way: it has left, and the gateway has carried it out
but nothing more than the first line of the answer was read. Prints a line for each point: the
scene, whether it was reached, whether money had gone back by then that the store did not know of,
and what there is in the end.
"""

from __future__ import annotations

import http.client
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from imp_verify import (
    ExpectedPayment,
    GatewayError,
    GiveBack,
    InvalidRequest,
    Outcome,
    Refund,
    Verifier,
)
from imp_verify._core.giving_back import is_time
from imp_verify.testing._harness import PRICE
from tests.crashes.dying import Dying
from tests.crashes.reconciling import in_child, make_verifier
from tests.storage.shops import SqliteShop

KINDS = ("forgery", "duplicate", "late")
PART = 9000
REFUND = Refund("홍길동", "088", "110123456789")
ON_THE_WAY = (http.client.HTTPConnection.getresponse, http.client.HTTPResponse._read_status)  # type: ignore[attr-defined]
CALLS = [each.__code__ for each in ON_THE_WAY]


class GivingShop(SqliteShop):
    """A shop that cannot fulfil the orders whose number says so."""

    def _hook(self, name: str, outcome: Outcome, db: Any) -> None:
        if name == "on_paid" and (outcome.merchant_uid or "").startswith("refused"):
            raise GiveBack("sold out")
        super()._hook(name, outcome, db)

    def let_tries_come(self) -> None:
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        self.write("UPDATE imp_dues SET next_try = ? WHERE next_try IS NOT NULL", past)


@contextmanager
def opened(path: Path, url: str) -> Iterator[tuple[GivingShop, Verifier]]:
    shop = GivingShop(path)
    verifier = make_verifier(shop, url, KINDS)
    try:
        yield shop, verifier
    finally:
        verifier.close()
        shop.close()


def _cancel(verifier: Verifier, uid: str) -> None:
    verifier.cancel(uid, reason="고객 요청", refundable=PRICE)


def _cancel_part(verifier: Verifier, uid: str) -> None:
    verifier.cancel(uid, reason="고객 요청", amount=PART, refundable=PRICE)


def _deliver(verifier: Verifier, uid: str) -> None:
    verifier.verify(uid, None)


def _give_back(verifier: Verifier, uid: str) -> None:
    verifier.give_back(uid)


def _give_back_to_account(verifier: Verifier, uid: str) -> None:
    verifier.give_back(uid, refund_to=REFUND)


Act = Callable[[Verifier, str], None]
SCENES: Mapping[str, tuple[list[dict[str, object]], int, Act]] = {
    "cancel": ([{}], 1, _cancel),
    "part": ([{}], 1, _cancel_part),
    "hand": ([{}, {}], 2, _give_back),
    "account": ([{}, {"pay_method": "vbank"}], 2, _give_back_to_account),
    "duplicate": ([{}, {}], 1, _deliver),
    "forgery": ([{"amount": 100}], 0, _deliver),
    "refused": ([{}], 0, _deliver),
    "late_pg": ([{}, {"pg_provider": "paypal_v2", "currency": "KRW"}], 1, _deliver),
}
"""The payments of an order, how many of them the shop has heard of, and what is done to the last
one by the process that dies."""


def make_payments(url: str, wanted: list[dict[str, object]]) -> list[str]:
    body = json.dumps(wanted).encode()
    request = Request(f"{url}/sandbox/v1/payments", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        made: list[str] = json.load(answer)
    return made


def prepare(path: Path, url: str, scene: str, number: int) -> list[str]:
    order, (payments, heard, _) = f"{scene}-{number}", SCENES[scene]
    wanted: list[dict[str, object]] = [
        {"merchant_uid": order, "amount": PRICE, **fields} for fields in payments
    ]
    uids = make_payments(url, wanted)
    shop = GivingShop(path)
    shop.put(ExpectedPayment(order, PRICE))
    verifier = make_verifier(shop, url)  # without a policy: what is heard of is not yet given back
    for uid in uids[:heard]:
        _ = verifier.verify(uid, order)
    verifier.close()
    shop.close()
    return uids


def die(path: Path, url: str, scene: str, uid: str, point: int) -> None:
    logging.disable()
    with opened(path, url) as (_, verifier):
        _ = verifier.payment(uid)  # for the token
        sys.setprofile(Dying(point, CALLS))
        SCENES[scene][2](verifier, uid)
        sys.setprofile(None)


def go_on(path: Path, url: str, scene: str, uid: str) -> None:
    """Do it once more in this process, as whoever waited for it in vain, and then deliver it."""
    with opened(path, url) as (shop, verifier):
        for _ in range(2):
            shop.let_tries_come()
            with suppress(InvalidRequest, GatewayError):
                SCENES[scene][2](verifier, uid)
            shop.let_tries_come()
            _ = verifier.verify(uid, None)


def is_unknown(path: Path, url: str, uid: str) -> bool:
    """Whether the gateway has given back what the store does not know of."""
    with opened(path, url) as (shop, verifier):
        payment, receipt = verifier.payment(uid), shop.sqlite.receipts([uid]).get(uid)
        due = shop.sqlite.due(uid)
    assert payment is not None
    known = receipt.cancel_amount if receipt is not None else 0
    over = due is not None and due.done is not None
    return payment.cancel_amount > known and not over


def left(path: Path, uids: list[str]) -> dict[str, object]:
    shop = GivingShop(path)
    receipts = shop.sqlite.receipts(uids)
    due = shop.sqlite.due(uids[-1])
    told = {uid: sorted(h for h, key in shop.told() if key.startswith(uid)) for uid in uids}
    shop.close()
    return {
        "uids": uids,
        "told": [told[uid] for uid in uids],
        "states": [str(receipts[uid].state) if uid in receipts else None for uid in uids],
        "due": None if due is None else [due.done is not None, due.error],
    }


def main(place: str, url: str, stride: str) -> None:
    logging.disable()
    path = Path(place)
    for scene in SCENES:
        point, died = 1, True
        while died:
            uids = prepare(path, url, scene, point)
            act = (path, url, scene, uids[-1], point)
            died = in_child(lambda act=act: die(*act))  # type: ignore[misc]
            unknown = is_unknown(path, url, uids[-1])
            go_on(path, url, scene, uids[-1])
            print(json.dumps([scene, point, died, unknown, left(path, uids)]), flush=True)
            point += int(stride)


def give_back_together(gate: Any, path: Path, url: str, point: int | None) -> None:
    """Do as `imp-verify give-back --policy` does, when all have come to the gate."""
    logging.disable()
    with opened(path, url) as (shop, verifier):
        gate.wait(60)
        if point is not None:
            sys.setprofile(Dying(point, CALLS))
        for due in shop.sqlite.dues(None, 1000):
            if is_time(verifier.settings, due):
                with suppress(InvalidRequest, GatewayError):
                    _ = verifier.give_back(due.imp_uid)
        sys.setprofile(None)


if __name__ == "__main__":
    main(*sys.argv[1:])
