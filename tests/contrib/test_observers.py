"""An observer that is faulty itself: no answer, no record and no refund changes for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

from imp_verify import Outcome
from imp_verify.observers import Decision, Observer
from imp_verify.verifier import observe
from tests.support.fixtures import gateway, make_shop, one_gateway, shop
from tests.support.gateway import ScriptedGateway
from tests.support.markers import BUYER_NAME
from tests.support.shop import Shop

__all__ = ["gateway", "make_shop", "one_gateway", "shop"]


@pytest.fixture(params=["flask-sqlite", "starlette-sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Faulty(Observer):
    """Raises, or silences what goes by, at one moment of everything that it watches."""

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def fail(self, moment: str) -> None:
        if self.moment == moment:
            raise ValueError(BUYER_NAME)

    @contextmanager
    def around(self) -> Iterator[Callable[..., object]]:
        self.fail("before")
        try:
            yield lambda *_: self.fail("told")
        except BaseException:
            if self.moment != "silence":
                raise
        self.fail("after")

    def verification(
        self, endpoint: str, imp_uid: str | None, claimed: str | None
    ) -> AbstractContextManager[Callable[[str, str | None, Outcome | None], object]]:
        self.fail("call")
        return self.around()

    def gateway_call(
        self, method: str, url: str, resends: int
    ) -> AbstractContextManager[Callable[[int], object]]:
        self.fail("call")
        return self.around()

    def store_call(
        self, operation: str, arguments: Sequence[object]
    ) -> AbstractContextManager[Callable[[object], object]]:
        self.fail("call")
        return self.around()

    def decided(self, decision: Decision) -> None:
        self.fail("decided")


@pytest.mark.parametrize("moment", ["call", "before", "told", "after", "decided"])
def test_what_an_observer_raises_changes_no_answer_and_is_named_by_its_class(
    shop: Shop, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    observe(shop.driver.verifier, Faulty(moment))
    gateway.has()
    assert shop.webhook().status == shop.complete().status == 200
    assert shop.confirm(amount=1).status == 409
    assert shop.post("/webhook", {}).status == 400
    said = [each for each in caplog.records if "the observer raised" in each.getMessage()]
    assert {each.getMessage().split()[3] for each in said} == {"ValueError,"}
    assert {each.levelno for each in said} == {logging.ERROR}
    assert BUYER_NAME not in caplog.text


def test_an_observer_silences_no_error(shop: Shop, gateway: ScriptedGateway) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError

    observe(shop.driver.verifier, Faulty("silence"))
    gateway.has()
    shop.on_hook = failing
    assert shop.webhook().status == 503
    shop.on_hook = None
    assert shop.webhook().status == 200
