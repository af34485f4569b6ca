"""Histories of a gateway and a shop for hypothesis: whatever happens, in whatever order and however
often, and then all is well again. The sandbox is the gateway, in this process.

What must hold is checked at every step (no hook twice, no order shipped twice, nothing given back
that pays) and in the end (the store says what the gateway says, and no money is left that the
policy gives back).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar, NamedTuple, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from imp_verify import (
    Credentials,
    ExpectedPayment,
    Finding,
    GatewayError,
    InvalidRequest,
    Receipt,
    ReceiptState,
    Refund,
    Verifier,
)
from imp_verify._core.giving_back import is_time
from imp_verify.models import LEFT_TO_A_PERSON, Due, FindingKind
from imp_verify.sandbox import Account, Attempt, Fault, Refused, Sandbox, Settings
from imp_verify.transports import GatewayRequest
from tests.storage.history_shops import Factory
from tests.support.in_process import BASE, InProcess

PRICE = 39000
DEARER = PRICE + 1000
FORGED_PRICE = 1000
PART = 9000
ORDERS = ("ORD-1", "ORD-2")
HELD = (ReceiptState.PAYING, ReceiptState.DUPLICATE, ReceiptState.LATE)
ACCOUNT = Account()
REFUND = Refund("홍길동", "088", "110123456789")
KINDS = ("forgery", "duplicate", "late")
POLICIES: list[tuple[str, ...]] = [KINDS, (), ("duplicate", "forgery"), ("late",)]
BEGAN = timedelta(hours=23)
"""How long ago the shop began: late money of more than a day ago is nobody's but a person's."""
CANCEL_SECONDS = 1200
"""How long a PG takes that cancels later."""
STEP = 600
PASSES = 15
"""After so many runs nothing is to do: a try that fails is repeated ten times."""
PG_REFUSES = '{"code": 1, "message": "PG 점검 중입니다", "response": null}'


class Opened(NamedTuple):
    """A window that a buyer opened."""

    order: str
    amount: int = PRICE
    pay_method: str = "card"
    pg: str = "html5_inicis"


OPENED = {
    "card": Opened("ORD-1"),
    "second card": Opened("ORD-1"),
    "account": Opened("ORD-1", pay_method="vbank"),
    "forged": Opened("ORD-1", FORGED_PRICE),
    "other's card": Opened("ORD-2"),
    "other's account": Opened("ORD-2", pay_method="vbank"),
    "other's wallet": Opened("ORD-2", pg="paymentwall"),
    "nobody's": Opened("ORD-3"),
}
CARDS = [name for name, each in OPENED.items() if each.pay_method == "card"]
ACCOUNTS = [name for name, each in OPENED.items() if each.pay_method == "vbank"]
RUNS_OUT = "other's account"
"""The account whose date is over by now."""
EVERY = st.sampled_from([*OPENED])
PAID = st.sampled_from((False, False, None, True))
SHOPS = st.sampled_from(("open", "open", "closed", "sold out", "dearer"))
TIMES = st.sampled_from((0, 1, 2))
"""How many notices of it arrive."""

FAULTS = {
    "the answer is lost": Fault("cancel", lost=True),
    "the call is lost": Fault("cancel", status=503, body=""),
    "the PG refuses": Fault("cancel", status=200, body=PG_REFUSES),
    "the look-up is lost": Fault("payment", lost=True),
}


class WatchedSandbox(Sandbox):
    """A gateway that keeps which cancels it accepted, and who sent them.

    Attributes:
        by: Who would send one now: the "policy", a "person" by give_back, a "clerk".
        accepted: How many times it accepted one, by the sender and the payment.
    """

    def __init__(self) -> None:
        settings = Settings(cancel_seconds=CANCEL_SECONDS)
        super().__init__(accounts=[ACCOUNT], settings=settings)
        self.by = "policy"
        self.accepted: Counter[tuple[str, str]] = Counter()

    def refund(self, imp_uid: str, **named: Any) -> Attempt:
        attempt = super().refund(imp_uid, **named)
        self.accepted[self.by, imp_uid] += 1
        return attempt

    def mend(self) -> None:
        """Let nothing more go wrong."""
        for fault in FAULTS.values():
            while self.faults.take(fault.call) is not None:
                pass


class History(RuleBasedStateMachine):
    """A gateway, a shop with two orders, its verifier, and a clerk who gives money back."""

    factory: ClassVar[list[Factory]]

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.shop = self._open.enter_context(self.factory[0]())
        self.restless = self.shop.restless
        self.store = cast(Any, self.shop.store)
        self.sandbox = WatchedSandbox()
        _ = self.store.run("")
        self.began = datetime.now(UTC).replace(microsecond=0) - BEGAN
        self.shop.begin_at(self.began)
        self.sandbox.clock.stop_at(int(self.began.timestamp()))
        self.on_the_way = InProcess(self.sandbox)
        self.on_the_way.before = self._watch
        self.wrong: list[str] = []
        self.claimed: set[str] = set()
        self.had_trouble = False
        self.ever_closed: set[str] = set()
        self.ever_sold_out: set[str] = set()
        self.orders = {order: ExpectedPayment(order, PRICE) for order in ORDERS}
        for expected in self.orders.values():
            self.shop.put(expected)
        self.uids = {name: self._opens(name, each) for name, each in OPENED.items()}
        self.names = {uid: name for name, uid in self.uids.items()}

    @initialize(
        policy=st.sampled_from(POLICIES),
        orders=st.fixed_dictionaries(dict.fromkeys(ORDERS, SHOPS)),
        paid=st.fixed_dictionaries(dict.fromkeys(OPENED, PAID)),
    )
    def the_shop_begins(
        self,
        policy: tuple[str, ...],
        orders: Mapping[str, str],
        paid: Mapping[str, bool | None],
    ) -> None:
        """Choose what is given back; and some have paid: None where nobody has heard of it yet."""
        self.verifier = Verifier(
            self.store,
            credentials=Credentials(ACCOUNT.key, ACCOUNT.secret),
            base_url=BASE,
            transport=self.on_the_way,
            test_mode=True,
            timeout=60,
            give_back=policy,
        )
        self.given_back = {*policy, "refused"}
        for order, state in orders.items():
            self.an_order_is_closed_or_opened(order, state != "closed")
            self.stock_ends_or_comes(order, state != "sold out")
            self.a_total_is_changed_or_changed_back(order, DEARER if state == "dearer" else PRICE)
        for name in [name for name in paid if paid[name] is not False]:
            pay = self.a_deposit_comes if name in ACCOUNTS else self.a_card_pays
            if name in ACCOUNTS:
                self.an_account_is_issued(name, 0)
            pay(name, int(paid[name] is True))

    def _opens(self, name: str, opened: Opened) -> str:
        runs_out = self.began + timedelta(hours=10)  # in Korea an hour from then
        fields = {
            "merchant_uid": opened.order,
            "amount": opened.amount,
            "pay_method": opened.pay_method,
            "pg": opened.pg,
            "currency": "KRW",
            "vbank_due": f"{runs_out:%Y%m%d%H%M%S}" if name == RUNS_OUT else None,
        }
        return self.sandbox.gateway.open(fields).imp_uid

    def at(self, name: str) -> Attempt:
        """The payment as the gateway has it."""
        return self.sandbox.gateway.attempt(self.uids[name])

    # What happens at the gateway. What cannot happen to this payment now does not.

    def _happens(
        self, act: Callable[..., object], name: str, *arguments: Any, **named: Any
    ) -> None:
        try:
            act(self.uids[name], *arguments, **named)
        except Refused:
            return

    @rule(name=st.sampled_from(CARDS), webhooks=TIMES)
    def a_card_pays(self, name: str, webhooks: int) -> None:
        self._happens(self.sandbox.gateway.approve, name, late=True)
        self._deliver_often(name, webhooks)

    @rule(name=st.sampled_from(CARDS), tells=st.booleans())
    def a_card_is_declined(self, name: str, tells: bool) -> None:
        self._happens(self.sandbox.decline, name)
        self._deliver_often(name, int(tells))

    @rule(name=st.sampled_from(ACCOUNTS), webhooks=TIMES)
    def an_account_is_issued(self, name: str, webhooks: int) -> None:
        self._happens(self.sandbox.gateway.issue_account, name)
        self._deliver_often(name, webhooks)

    @rule(name=st.sampled_from(ACCOUNTS), webhooks=TIMES)
    def a_deposit_comes(self, name: str, webhooks: int) -> None:
        self._happens(self.sandbox.deposit, name)
        self._deliver_often(name, webhooks)

    @rule(name=st.sampled_from(ACCOUNTS), tells=st.booleans())
    def an_account_ends(self, name: str, tells: bool) -> None:
        self._happens(self.sandbox.gateway.kill_account, name)
        self._deliver_often(name, int(tells))

    @rule(name=EVERY, amount=st.sampled_from((PART, None, PART, 100)), webhooks=TIMES)
    def money_goes_back_in_the_console(self, name: str, amount: int | None, webhooks: int) -> None:
        part = None if amount is None else Decimal(amount)
        self._by("console", self._happens, self.sandbox.cancel, name, part)
        self._deliver_often(name, webhooks)

    @rule(order=st.sampled_from(ORDERS), webhooks=TIMES)
    def the_payment_of_an_order_goes_back(self, order: str, webhooks: int) -> None:
        """A clerk cancels that one, and not the one that is one too many."""
        for uid in self._paying(order):
            self.money_goes_back_in_the_console(self.names[uid], None, webhooks)

    @rule()
    def time_passes_at_the_gateway(self) -> None:
        self.sandbox.clock.advance(STEP)

    @rule(what=st.sampled_from([*FAULTS]), times=st.sampled_from((1, 2)))
    def something_will_go_wrong(self, what: str, times: int) -> None:
        self.sandbox.faults.add(replace(FAULTS[what], times=times))
        self.had_trouble = True

    # What happens in the shop.

    @rule(order=st.sampled_from(ORDERS), is_open=st.booleans())
    def an_order_is_closed_or_opened(self, order: str, is_open: bool) -> None:
        self._edit(order, open=is_open)
        if not is_open:
            self.ever_closed.add(order)

    @rule(order=st.sampled_from(ORDERS), total=st.sampled_from((DEARER, PRICE)))
    def a_total_is_changed_or_changed_back(self, order: str, total: int) -> None:
        self._edit(order, amount=Decimal(total))

    def _edit(self, order: str, **changes: Any) -> None:
        self.orders[order] = replace(self.orders[order], **changes)
        self.shop.put(self.orders[order])

    @rule(order=st.sampled_from(ORDERS), there=st.booleans())
    def stock_ends_or_comes(self, order: str, there: bool) -> None:
        if there:
            self.restless.sold_out.discard(order)
        else:
            self.restless.sold_out.add(order)
            self.ever_sold_out.add(order)

    @rule(failures=st.sampled_from((1, 2)))
    def hooks_will_fail(self, failures: int) -> None:
        self.restless.failures = failures

    @rule(name=EVERY, part=st.booleans(), lost=st.booleans())
    def a_clerk_gives_money_back(self, name: str, part: bool, lost: bool) -> None:
        """And clicks once more where no answer came: that must give back nothing more."""
        before = self.at(name)
        named: dict[str, Any] = {"reason": "고객 요청", "refundable": before.remaining or None}
        named["amount"] = PART if part else None
        named["refund_to"] = REFUND if before.vbank is not None else None
        if lost:
            self.something_will_go_wrong("the answer is lost", 1)
        for _ in range(2 if lost and not before.cancels_later else 1):
            self._by("clerk", self._try, self.verifier.cancel, self.uids[name], **named)
        given_back = self.at(name).cancel_amount - before.cancel_amount
        assert given_back in (0, PART if part else before.remaining)

    @rule(name=EVERY, has_account=st.booleans())
    def a_person_gives_back_what_is_due(self, name: str, has_account: bool) -> None:
        refund_to = REFUND if has_account else None
        self._by("person", self._try, self.verifier.give_back, self.uids[name], refund_to=refund_to)

    def _by(self, who: str, act: Callable[..., object], *arguments: Any, **named: Any) -> None:
        self.sandbox.by = who
        try:
            act(*arguments, **named)
        finally:
            self.sandbox.by = "policy"

    def _try(self, act: Callable[..., object], *arguments: Any, **named: Any) -> None:
        try:
            act(*arguments, **named)
        except (InvalidRequest, GatewayError, LookupError):
            return

    # What comes of it.

    @rule(name=EVERY)
    def a_payment_is_delivered(self, name: str) -> None:
        self._deliver_often(name, 1)

    @rule(name=EVERY, order=st.sampled_from(ORDERS))
    def somebody_claims_it_for_an_order(self, name: str, order: str) -> None:
        self._deliver(name, order)

    def _deliver_often(self, name: str, times: int) -> None:
        for _ in range(times):
            self._deliver(name)

    def _deliver(self, name: str, order: str | None = None) -> None:
        try:
            outcome = self.verifier.verify(self.uids[name], order)
        except (GatewayError, LookupError):
            return
        if outcome.paid:
            assert self._is_genuine(name)
            assert self._holds_money(name)
            assert list(self.shop.shipped(OPENED[name].order)) == [self.uids[name]]

    @rule()
    def the_next_tries_come(self) -> None:
        self.shop.let_tries_come(datetime.now(UTC) - timedelta(seconds=1))

    @rule()
    def give_back_runs(self) -> None:
        """As the command does with `--policy`."""
        dues: list[Due] = self.store.dues(None, 100)
        for due in [each for each in dues if is_time(self.verifier.settings, each)]:
            self._try(self.verifier.give_back, due.imp_uid)

    @rule()
    def reconcile_runs(self) -> None:
        self._try(self._reconcile)

    def _reconcile(self) -> list[Finding]:
        since = self.began - timedelta(days=1)
        return list(self.verifier.reconcile(since, datetime.now(UTC)))

    def _is_genuine(self, name: str) -> bool:
        return OPENED[name].order in ORDERS and self.at(name).amount == PRICE

    def _holds_money(self, name: str) -> bool:
        return self.at(name).remaining > 0

    # What must hold at every step.

    def _watch(self, request: GatewayRequest) -> None:
        """Look at a cancel before it goes out. What is wrong is kept: whoever sent it would log
        it."""
        if not request.url.endswith("/payments/cancel") or self.sandbox.by == "clerk":
            return
        uid = json.loads(request.body or b"")["imp_uid"]
        due: Due | None = self.store.due(uid)
        if f"{uid}:paid" in {key for _, key in self.shop.told()}:
            self.wrong.append(f"{uid} has paid, and would be given back")
        if due is None or due.begun is None or due.done is not None:
            self.wrong.append(f"{uid} was not claimed: {due}")
        elif self.sandbox.by == "policy":
            self._watch_policy(due)
        self.claimed.add(f"{uid}:paid")

    def _watch_policy(self, due: Due) -> None:
        if due.kind not in self.given_back:
            self.wrong.append(f"nobody has consented to give {due} back")
        at = self.at(self.names[due.imp_uid])
        if (at.cancels_later or at.vbank is not None) and due.error != "asked":
            self.wrong.append(f"{due} could be asked for once more")
        if due.kind == "duplicate" and due.tries == 1 and not self._paying(due.merchant_uid):
            self.wrong.append(f"{due} may be the only payment of its order")

    def _paying(self, order: str) -> list[str]:
        return [
            each.imp_uid
            for each in self._receipts().values()
            if (each.merchant_uid, each.state) == (order, ReceiptState.PAYING)
        ]

    @invariant()
    def nothing_is_told_twice_and_no_order_ships_twice(self) -> None:
        told = Counter(self.shop.told())
        assert [each for each, count in told.items() if count > 1] == []
        for order in ORDERS:
            assert len(self.shop.shipped(order)) <= 1

    @invariant()
    def nothing_is_given_back_that_must_not_be_nor_twice(self) -> None:
        assert self.wrong == []
        assert not self.claimed & {key for _, key in self.shop.told()}, "claimed, and paid"
        for (who, uid), times in self.sandbox.accepted.items():
            assert who != "policy" or times == 1, f"{uid} was given back {times} times"

    # In the end all is well again.

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self._open.close()

    def _end(self) -> None:
        self.restless.failures = 0
        self.sandbox.mend()
        for order in ORDERS:
            self._edit(order, amount=Decimal(PRICE))
        books = None
        for passes in count():
            if books == (books := self._books()):
                break
            assert passes < PASSES, "there is always something to do"
            self.sandbox.clock.advance(CANCEL_SECONDS)
            self.shop.let_tries_come(datetime.now(UTC) - timedelta(seconds=1))
            found = self._reconcile()
            wrong = [each for each in found if each.kind is not FindingKind.DUE and each.error]
            assert wrong == []
            self.give_back_runs()
        self._check_books()
        self._check_findings(found)
        self.nothing_is_told_twice_and_no_order_ships_twice()
        self.nothing_is_given_back_that_must_not_be_nor_twice()

    def _check_findings(self, findings: list[Finding]) -> None:
        """A run after which nothing was to do finds what waits for a person or a bank alone."""
        found = sorted((str(each.kind), each.imp_uid) for each in findings)
        wanted = [(FindingKind.DUE, uid) for uid in self._dues()]
        if self._holds_money("nobody's"):
            wanted.append((FindingKind.UNKNOWN_ORDER, self.uids["nobody's"]))
        receipt = self._receipts().get(self.uids[RUNS_OUT])
        if receipt is not None and receipt.state is ReceiptState.WAITING:
            wanted.append((FindingKind.WAITING_OVER, self.uids[RUNS_OUT]))
        assert found == sorted((str(kind), uid) for kind, uid in wanted)

    def _books(self) -> tuple[object, ...]:
        dues = [replace(each, next_try=None) for each in self._dues().values()]
        return list(self.shop.told()), self._receipts(), dues

    def _receipts(self) -> dict[str, Receipt]:
        return dict(self.store.receipts([*self.uids.values()]))

    def _dues(self) -> dict[str, Due]:
        return {each.imp_uid: each for each in self.store.dues(None, 100)}

    def _check_books(self) -> None:
        receipts, dues = self._receipts(), self._dues()
        keys = {key: hook for hook, key in self.shop.told()}
        for name, uid in self.uids.items():
            kind = self._check_payment(name, receipts.get(uid), keys, dues.get(uid))
            self._check_due(name, kind, dues.pop(uid, None))
        assert dues == {}
        for order in ORDERS:
            paying = self._paying(order)
            assert len(paying) <= 1
            assert not paying or list(self.shop.shipped(order)) == paying
            assert self.store.paid(order) is bool(self.shop.shipped(order))

    def _check_due(self, name: str, kind: str | None, due: Due | None) -> None:
        """What is due is known as what it is, and left for a reason."""
        if due is None or kind is None:
            assert kind is None, f"{name} is due back, and nobody knows"
            assert due is None, f"nothing of {name} is due back"
            return
        at = self.at(name)
        assert due.amount == at.remaining
        assert due.kind == kind or due.begun is not None
        if due.kind not in self.given_back:
            return
        if due.error in LEFT_TO_A_PERSON:
            self._check_left(at, due)
        elif at.vbank is None or due.begun is None:  # else a person tried it, and must once more
            old = due.kind == "late" and due.tries == 0
            assert due.next_try is None, "the policy gives it back, and it is there still"
            assert old or (due.tries >= 10 and self.had_trouble)

    def _check_left(self, at: Attempt, due: Due) -> None:
        if due.error == "needs_account":
            assert at.vbank is not None
        elif due.error == "asked":
            assert at.vbank is not None or at.cancels_later or self.had_trouble
            touched = any(uid == due.imp_uid for who, uid in self.sandbox.accepted)
            assert self.had_trouble or touched
        else:
            assert (due.error, due.kind) == ("order_refunded", "duplicate")
            assert self._paying(due.merchant_uid) == []

    def _check_payment(
        self, name: str, receipt: Receipt | None, keys: Mapping[str, str], due: Due | None
    ) -> str | None:
        """Return why it is to be given back, if it is."""
        at = self.at(name)
        assert at.cancel_amount <= at.amount
        if OPENED[name].order not in ORDERS:
            assert receipt is None
            return None
        if not self._is_genuine(name):
            assert receipt is None or receipt.state not in (*HELD, ReceiptState.CANCELLED)
            if not self._holds_money(name):
                return None
            assert keys.get(f"{at.imp_uid}:forgery:amount:money") == "on_forgery"
            return "forgery"
        if self._holds_money(name):
            assert receipt is not None, "money is there, and the store knows nothing of it"
            assert (receipt.amount, receipt.cancel_amount) == (at.amount, at.cancel_amount)
            return self._check_held(at, receipt, keys, due)
        self._check_empty(at, receipt, keys)
        return None

    def _check_held(
        self, at: Attempt, receipt: Receipt, keys: Mapping[str, str], due: Due | None
    ) -> str | None:
        uid, order = at.imp_uid, at.merchant_uid
        assert receipt.state in HELD
        if receipt.state is ReceiptState.PAYING:
            assert keys.get(f"{uid}:paid") == "on_paid"
            for part in at.cancellations:
                key = f"{uid}:partly_cancelled:{part.cancellation_id}"
                assert keys.get(key) == "on_partly_cancelled"
            return None
        if receipt.state is ReceiptState.DUPLICATE:
            assert self.shop.shipped(order)
            assert keys.get(f"{uid}:duplicate") == "on_duplicate"
            return "duplicate"
        if receipt.reason is not None:
            assert order in self.ever_sold_out
            assert keys.get(f"{uid}:late:refused") == "on_late"
            return "refused"
        assert order in self.ever_closed or (due is not None and due.begun is not None)
        assert keys.get(f"{uid}:late") == "on_late"
        return "late"

    def _check_empty(self, at: Attempt, receipt: Receipt | None, keys: Mapping[str, str]) -> None:
        state = None if receipt is None else receipt.state
        assert state not in HELD
        if state is ReceiptState.WAITING:
            assert at.waits_for_deposit
        if f"{at.imp_uid}:paid" in keys:
            assert state is ReceiptState.CANCELLED
            assert keys.get(f"{at.imp_uid}:cancelled") == "on_cancelled"


def histories_of(make: Factory) -> type[History]:
    return type("HistoryOfAShop", (History,), {"factory": [make]})
