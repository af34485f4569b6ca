"""A shop around the example's store, on the Redis that REDIS_URL names, under keys of its own."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import redis

from imp_verify import ExpectedPayment
from imp_verify.testing import TrialFailure, TrialShop
from imp_verify.testing._shop import CRASHED
from tests.support.needs import REDIS_URL, need

EXAMPLE = Path(__file__).parents[2] / "examples" / "redis_store.py"


@cache
def example() -> ModuleType:
    spec = spec_from_file_location("redis_store", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class RedisShop(TrialShop):
    works_from_record = True

    def __init__(self, prefix: str, **options: Any) -> None:
        need("redis")
        self.prefix = prefix
        self.client: Any = redis.Redis.from_url(REDIS_URL, **options)
        self.store: Any = example().RedisStore(self.client, self.ship, prefix)
        self.reopen = partial(type(self), prefix)

    def ship(self, entry: dict[str, str]) -> None:
        """The work: a shipment under the key of what it is for, once."""
        self.client.hsetnx(f"{self.prefix}shipments", entry["key"], json.dumps(entry))
        self.half_done()

    def put(self, order: ExpectedPayment) -> None:
        self.store.put(order)

    def delete(self, merchant_uid: str) -> None:
        self.client.hdel(self.store.orders, merchant_uid)

    def shipped(self, merchant_uid: str) -> Sequence[str]:
        while waiting := self.store.waiting():  # as the process that does what is left
            for imp_uid in waiting:
                with suppress(TrialFailure):
                    self.store.work(imp_uid)
        return [
            each["imp_uid"] for each in self.shipments() if each["merchant_uid"] == merchant_uid
        ]

    def shipments(self) -> list[dict[str, str]]:
        return [json.loads(each) for each in self.client.hvals(f"{self.prefix}shipments")]

    def close(self) -> None:
        self.client.close()

    def forget(self) -> None:
        """Delete this shop's keys, and no others."""
        keys = [*self.store.keys, f"{self.prefix}shipments"]
        self.client.delete(*keys)


class DyingShop(RedisShop):
    """Its process dies when the payment is recorded and nothing of the work is done."""

    def ship(self, entry: dict[str, str]) -> None:
        os._exit(CRASHED)
