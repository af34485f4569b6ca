"""The example of a store on Redis does what every store must, also where its process dies."""

import uuid
from collections.abc import Iterator

import pytest

from imp_verify import ExpectedPayment, Settled
from imp_verify.testing import OrderStoreContract, TrialFailure, TrialShop
from imp_verify.testing._crashes import RETURNED, crash
from imp_verify.testing._harness import FIRST, ORDER, OTHER, PRICE, SECOND, Trial, paid_outcome
from imp_verify.testing._shop import CRASHED
from tests.examples.redis_shop import EXAMPLE, DyingShop, RedisShop

ASKED = ExpectedPayment(ORDER, PRICE)


@pytest.fixture
def shop() -> Iterator[RedisShop]:
    shop = RedisShop(f"imp-verify-test:{uuid.uuid4()}:")
    yield shop
    shop.forget()
    shop.close()


class TestRedisStore(OrderStoreContract):
    @pytest.fixture
    def shop(self, shop: RedisShop) -> TrialShop:
        return shop


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 120


def die_before_the_work(shop: RedisShop) -> None:
    dying = DyingShop(shop.prefix)
    ended = crash(dying, FIRST, ASKED, RETURNED)
    dying.close()
    assert (ended.status, ended.answers) == (CRASHED, ())


def test_a_process_that_dies_between_the_write_and_the_work_leaves_the_work_to_others(
    shop: RedisShop,
) -> None:
    shop.put(ASKED)
    die_before_the_work(shop)
    assert shop.shipments() == []
    assert shop.store.waiting() == [FIRST]
    shop.store.work(FIRST)
    assert shop.store.waiting() == []
    assert [each["key"] for each in shop.shipments()] == [f"{FIRST}:paid"]


def test_a_payment_delivered_again_does_the_work_that_a_dead_process_left(shop: RedisShop) -> None:
    shop.put(ASKED)
    die_before_the_work(shop)
    with Trial(shop) as trial:
        trial.pays(FIRST)
        assert trial.deliver(FIRST).settled is Settled.REPEATED
    assert shop.store.waiting() == []
    assert [each["imp_uid"] for each in shop.shipments()] == [FIRST]


def test_work_that_fails_is_trouble_for_its_own_payment_only(shop: RedisShop) -> None:
    for order in (ORDER, OTHER):
        shop.put(ExpectedPayment(order, PRICE))
    with Trial(shop) as trial:
        trial.pays(FIRST)
        trial.pays(SECOND, OTHER)
        shop.fail_next()
        with pytest.raises(TrialFailure):
            _ = trial.deliver(FIRST)
        assert trial.deliver(SECOND).settled is Settled.NEW
        assert shop.store.waiting() == [FIRST]
        assert trial.deliver(FIRST).settled is Settled.REPEATED
    assert shop.store.waiting() == []


def test_a_client_that_gives_text_serves_as_well(shop: RedisShop) -> None:
    asked = ExpectedPayment(ORDER, PRICE, account="kr", pay_methods={"card"}, pg_providers={"nice"})
    other = RedisShop(shop.prefix, decode_responses=True)
    other.put(asked)
    assert other.store.expected(ORDER) == asked == shop.store.expected(ORDER)
    other.fail_next()
    with pytest.raises(TrialFailure):
        other.store.settle(paid_outcome(FIRST, asked))
    assert other.store.waiting() == [FIRST]
    assert other.store.settle(paid_outcome(FIRST, asked)) is Settled.REPEATED
    assert [other.store.hold(asked, each) for each in (FIRST, SECOND)] == [None, "already_paid"]
    assert other.shipped(ORDER) == [FIRST]
    other.close()


def test_an_order_that_asks_for_another_method_meanwhile_is_stale(shop: RedisShop) -> None:
    shop.put(ExpectedPayment(ORDER, PRICE, pay_methods={"card"}))
    assert shop.store.settle(paid_outcome(FIRST, ASKED)) is Settled.STALE
    assert shop.shipped(ORDER) == []
