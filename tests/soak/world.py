"""What happens in a soak: orders, what the gateway knows of their payments, and what must be so
afterwards."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.gateway import (
    RESET,
    VBANK,
    Asked,
    Reply,
    ScriptedGateway,
    payment,
    reset_in_body,
)
from tests.support.gateway import act as acting

FAULTS = 0.05
KINDS = {
    "paid": 70,
    "twice": 10,  # two payments of one order
    "short": 5,  # less than the order asks for
    "failed": 3,
    "open": 2,  # begun and never paid
    "deposited": 5,  # an account that is paid into before the second round
    "refunded": 5,  # paid, and given back before the second round
}


@dataclass(frozen=True)
class Bought:
    """One order and the payments made for it."""

    number: str
    kind: str
    price: int
    imp_uids: tuple[str, ...]


@dataclass
class World:
    """All orders of a soak, made from a seed."""

    seed: int
    count: int
    orders: list[Bought] = field(default_factory=list)

    def __post_init__(self) -> None:
        draw = random.Random(self.seed)
        kinds = draw.choices(tuple(KINDS), tuple(KINDS.values()), k=self.count)
        kinds[: len(KINDS)] = KINDS  # one of each at least
        for place, kind in enumerate(kinds):
            uids = [f"imp_{place:07}{letter}" for letter in ("ab" if kind == "twice" else "a")]
            price = draw.randrange(1000, 90000)
            self.orders.append(Bought(f"ORD-{place:05}", kind, price, tuple(uids)))

    def first(self) -> Iterator[dict[str, object]]:
        """What the gateway knows in the first round."""
        for each in self.orders:
            now: dict[str, object] = {}
            match each.kind:
                case "short":
                    now = {"amount": each.price - 1}
                case "failed":
                    now = {"status": "failed"}
                case "open":
                    now = {"status": "ready"}
                case "deposited":
                    now = dict(VBANK)
                case _:
                    pass
            for imp_uid in each.imp_uids:
                known = {"merchant_uid": each.number, "amount": each.price, **now}
                yield payment(imp_uid=imp_uid, **known)

    def second(self) -> Iterator[dict[str, object]]:
        """What has become of some payments by the second round."""
        for each in self.orders:
            known: dict[str, object] = {"merchant_uid": each.number, "amount": each.price}
            imp_uid = each.imp_uids[0]
            if each.kind == "deposited":
                yield payment(**{**VBANK, "imp_uid": imp_uid, **known, "status": "paid"})
            if each.kind == "refunded":
                back = {"status": "cancelled", "cancel_amount": each.price}
                yield payment(imp_uid=imp_uid, **known, **back)


@dataclass
class FaultyGateway(ScriptedGateway):
    """A gateway that fails a share of its answers in one of several ways, while it is told to."""

    faults: float = 0.0
    faulted: int = 0
    draw: random.Random = field(default_factory=random.Random)
    _drawing: threading.Lock = field(default_factory=threading.Lock)

    def _lookup(self, asked: Asked) -> Reply:
        with self._drawing:
            fails = self.draw.random() < self.faults
            how = self.draw.randrange(len(WAYS))
            self.faulted += fails
        return WAYS[how] if fails else super()._lookup(asked)


WAYS = (
    RESET,
    acting(reset_in_body),
    Reply(500, b"<html>oops</html>"),
    Reply(502, b""),
    Reply(503, b"", (("Retry-After", "1"),)),
    Reply(429, b""),
    Reply(200, b'{"code":0,"response":{"imp_uid":'),
)
