"""Every row of the table of answers over real sockets: the same bytes from WSGI and ASGI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.gateway import PRICE, VBANK, Reply, ScriptedGateway
from tests.support.processes import ROOT, environment
from tests.support.servers import GUNICORN, UVICORN, Server, Wire, started

COMMANDS = {
    "gunicorn": f"{GUNICORN} --workers 1 --threads 8 tests.support.served:flask_app()",
    "uvicorn": f"{UVICORN} tests.support.served:starlette_app",
}
KNOWN_HEADERS = {
    "content-type",
    "content-length",
    "cache-control",
    "retry-after",
    "allow",
    "location",
    "referrer-policy",
}
OF_THE_SERVER = {"date", "server", "connection", "transfer-encoding"}


@pytest.fixture(scope="module", params=COMMANDS)
def server(
    request: pytest.FixtureRequest,
    one_gateway: ScriptedGateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    one_gateway.reset()
    database = tmp_path_factory.mktemp(request.param) / "shop.db"
    variables = environment(one_gateway, database)
    with started(COMMANDS[request.param], variables, ROOT) as running:
        assert running.ask("OPTIONS", "/pay/webhook").status == 204
        yield running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Orders and payments of their own for each test, as the server goes on living."""
    return iter(range(1, 10_000))


class Case:
    """One order and one payment, known to nobody yet."""

    def __init__(self, server: Server, gateway: ScriptedGateway, n: int) -> None:
        self.server, self.gateway = server, gateway
        self.imp_uid, self.order = f"imp_{n:012}", f"ORD-{n}"

    def has(self, **changes: object) -> None:
        self.gateway.has(**{"imp_uid": self.imp_uid, "merchant_uid": self.order, **changes})

    def body(self, **changes: object) -> dict[str, object]:
        return {"imp_uid": self.imp_uid, "merchant_uid": self.order, **changes}

    def post(self, endpoint: str, **changes: object) -> Wire:
        extra: dict[str, object] = {"amount": PRICE} if endpoint == "confirm" else {}
        return self.server.ask("POST", f"/pay/{endpoint}", self.body(**extra, **changes))


@pytest.fixture
def case(server: Server, gateway: ScriptedGateway, numbers: Iterator[int]) -> Case:
    return Case(server, gateway, next(numbers))


def check(wire: Wire, status: int, word: str, message: str, reason: str | None = None) -> None:
    """The very bytes, and no header that is not ours or the server's."""
    content = {"status": word, "message": message}
    if reason is not None:
        content["reason"] = reason
    exact = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    assert (wire.status, wire.body) == (status, exact)
    wanted = {"content-type": "application/json", "cache-control": "no-store"}
    wanted["content-length"] = str(len(exact))
    if status == 503:
        wanted["retry-after"] = "10"
    ours = {k: v for k, v in wire.headers.items() if k not in OF_THE_SERVER}
    assert ours == wanted


SUCCESS = ("success", "일반 결제 성공")
ISSUED = ("vbankIssued", "가상계좌 발급 성공")
PENDING = ("pending", "결제가 아직 완료되지 않았습니다")
FAILED = ("failed", "결제에 실패했습니다")
CANCELLED = ("cancelled", "취소된 결제입니다")
DUPLICATE = (
    "duplicatePayment",
    "이미 결제된 주문입니다. 중복 결제된 금액의 환불은 판매자에게 문의해 주세요",
)
LATE = ("latePayment", "주문이 마감된 뒤에 결제되었습니다. 판매자에게 문의해 주세요")
FORGERY = ("forgery", "위조된 결제시도")
UNKNOWN = ("unknownPayment", "존재하지 않는 결제입니다")
UNAVAILABLE = (
    "unavailable",
    "결제를 확인하고 있습니다. 다시 결제하지 마시고 잠시 후 확인해 주세요",
)
INVALID = ("invalid", "잘못된 요청입니다")
FORBIDDEN = ("forbidden", "허용되지 않은 발신자입니다")


def paid(case: Case) -> None:
    case.has()


def closed(case: Case) -> None:
    case.order = f"CLOSED{case.order}"
    case.has()


def taken(case: Case) -> None:
    other = Case(case.server, case.gateway, 0)
    other.imp_uid, other.order = case.imp_uid.replace("imp", "imps"), case.order
    other.has()
    assert other.post("complete").status == 200
    case.has()


def partly(case: Case) -> None:
    case.has(status="cancelled", cancel_amount=9000)


def unknown_order(case: Case) -> None:
    case.order = f"NOBODY{case.order}"
    case.has()


def hook_fails(case: Case) -> None:
    case.order = f"FAILS{case.order}"
    case.has()


def order_fails(case: Case) -> None:
    case.order = f"BROKEN{case.order}"
    case.has()


def gateway_fails(case: Case) -> None:
    case.gateway.always = Reply(500, b"<html>")


def nothing(case: Case) -> None:
    case.gateway.always = None


Row = tuple[Callable[[Case], None], int, tuple[str, str], int, tuple[str, str], str]
SHOP = "/orders/"
TABLE: dict[str, Row] = {
    "paid": (paid, 200, SUCCESS, 200, SUCCESS, SHOP),
    "partly cancelled": (partly, 200, SUCCESS, 200, SUCCESS, SHOP),
    "virtual account": (lambda c: c.has(**VBANK), 200, ISSUED, 200, ISSUED, SHOP),
    "ready": (lambda c: c.has(status="ready"), 409, PENDING, 200, PENDING, "/wait"),
    "unknown word": (lambda c: c.has(status="new"), 409, PENDING, 200, PENDING, "/wait"),
    "failed": (lambda c: c.has(status="failed"), 400, FAILED, 200, FAILED, "/cart"),
    "cancelled": (
        lambda c: c.has(status="cancelled", cancel_amount=PRICE),
        *(409, CANCELLED, 200, CANCELLED, "/cart"),
    ),
    "duplicate": (taken, 409, DUPLICATE, 200, DUPLICATE, "/cart"),
    "late": (closed, 409, LATE, 200, LATE, "/cart"),
    "forgery": (lambda c: c.has(amount=1), 400, FORGERY, 400, FORGERY, "/cart"),
    "other order": (lambda c: c.has(merchant_uid="ORD"), 400, FORGERY, 400, FORGERY, "/cart"),
    "test payment": (lambda c: c.has(sandbox=True), 400, FORGERY, 400, FORGERY, "/cart"),
    "unknown payment": (nothing, 400, FORGERY, 400, UNKNOWN, "/cart"),
    "unknown order": (unknown_order, 400, FORGERY, 503, UNAVAILABLE, "/cart"),
    "gateway trouble": (gateway_fails, 503, UNAVAILABLE, 503, UNAVAILABLE, "/wait"),
    "hook trouble": (hook_fails, 503, UNAVAILABLE, 503, UNAVAILABLE, "/wait"),
    "store trouble": (order_fails, 503, UNAVAILABLE, 503, UNAVAILABLE, "/wait"),
}


@pytest.mark.parametrize("row", TABLE)
def test_each_verdict_has_its_answer_on_each_endpoint(case: Case, row: str) -> None:
    prepare, complete, complete_says, webhook, webhook_says, lands = TABLE[row]
    prepare(case)
    for _ in range(2):
        check(case.post("complete"), complete, *complete_says)
        check(case.post("webhook", status="paid"), webhook, *webhook_says)
        ids = f"imp_uid={case.imp_uid}&merchant_uid={case.order}&imp_success=true"
        for path in ("redirect", "complete", "redirect/", "complete/"):
            wire = case.server.ask("GET", f"/pay/{path}?{ids}")
            assert (wire.status, wire.body) == (303, b"")
            target = f"{lands}{case.order}" if lands == SHOP else lands
            assert wire.headers["location"] == target
            assert wire.headers["cache-control"] == "no-store"
            assert wire.headers["referrer-policy"] == "no-referrer"
            assert wire.headers["content-length"] == "0"
            assert not wire.headers.keys() - KNOWN_HEADERS - OF_THE_SERVER


def test_confirm_says_yes_and_no(case: Case) -> None:
    case.has(status="ready")
    check(case.post("confirm"), 200, "approved", "결제를 승인해도 됩니다")
    no = ("refused", "결제를 승인할 수 없습니다")
    wire = case.server.ask("POST", "/pay/confirm", case.body(amount=1))
    check(wire, 409, *no, "주문과 결제 정보가 일치하지 않습니다")
    case.order = "ORD-SOLDOUT"
    case.has(status="ready")
    check(case.post("confirm"), 409, *no, "재고 부족")
    case.order = "NOBODY"
    case.has(status="ready")
    check(case.post("confirm"), 409, *no, "존재하지 않는 주문입니다")
    case.imp_uid = "imp_nobody"
    check(case.post("confirm"), 409, *no, "확인할 수 없는 결제입니다")
    case.gateway.always = Reply(500)
    check(case.post("confirm"), 503, *UNAVAILABLE, UNAVAILABLE[1])
    wire = case.server.ask("POST", "/pay/confirm", case.body())
    check(wire, 400, *INVALID, INVALID[1])


def test_a_sender_that_is_not_listed_is_refused(case: Case) -> None:
    case.has()
    wire = case.server.ask("POST", "/picky/webhook", case.body())
    check(wire, 403, *FORBIDDEN)
    assert case.gateway.asked == []
    check(case.server.ask("POST", "/picky/complete", case.body()), 200, *SUCCESS)


ALLOW = {
    "complete": "GET, POST, OPTIONS",
    "redirect": "GET, OPTIONS",
    "webhook": "POST, OPTIONS",
    "confirm": "POST, OPTIONS",
}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("endpoint", ALLOW)
def test_other_methods_are_405_and_options_204(case: Case, endpoint: str, slash: str) -> None:
    case.has()
    target = f"/pay/{endpoint}{slash}?imp_uid={case.imp_uid}&merchant_uid={case.order}"
    wire = case.server.ask("OPTIONS", target)
    assert (wire.status, wire.body, wire.headers["allow"]) == (204, b"", ALLOW[endpoint])
    assert "content-length" not in wire.headers
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"}:
        if method in ALLOW[endpoint]:
            continue
        wire = case.server.ask(method, target)
        assert (wire.status, wire.headers["allow"]) == (405, ALLOW[endpoint])
        assert wire.body == b"" if method == "HEAD" else wire.word == "invalid"
    assert case.gateway.asked == []


def test_a_slash_at_the_end_is_answered_directly(case: Case) -> None:
    case.has()
    for endpoint in ("complete/", "webhook/", "complete", "webhook"):
        check(case.post(endpoint), 200, *SUCCESS)
    assert case.server.ask("GET", "/pay/nothing").status == 404
    assert case.server.ask("POST", "/pay//webhook", case.body()).status in (308, 404)


@pytest.mark.parametrize("sent", [b"", b"{", b"[]", b"null", b"\xff", b"imp_uid=", b"imp_uid=.."])
def test_a_malformed_body_is_400(case: Case, sent: bytes) -> None:
    for endpoint in ("complete", "webhook"):
        check(case.server.ask("POST", f"/pay/{endpoint}", sent), 400, *INVALID)
    check(case.server.ask("POST", "/pay/confirm", sent), 400, *INVALID, INVALID[1])
    assert case.gateway.asked == []


def test_form_text_under_a_json_label_and_other_labels_are_read(case: Case) -> None:
    case.has()
    form = f"imp_uid={case.imp_uid}&merchant_uid={case.order}".encode()
    sent = json.dumps(case.body()).encode()
    for body, label in (
        (form, "application/json"),
        (form, "application/x-www-form-urlencoded; charset=UTF-8"),
        (sent, "application/x-www-form-urlencoded"),
        (b"\xef\xbb\xbf" + sent, "text/plain"),
    ):
        wire = case.server.ask("POST", "/pay/webhook", body, {"Content-Type": label})
        check(wire, 200, *SUCCESS)


def test_korean_in_a_query_is_read_the_same_way_by_both(case: Case) -> None:
    case.order = f"ORD-주문-{case.imp_uid}"
    case.has()
    encoded = "".join(f"%{byte:02X}" for byte in case.order.encode())
    wire = case.server.ask("GET", f"/pay/redirect?imp_uid={case.imp_uid}&merchant_uid={encoded}")
    assert wire.headers["location"] == f"/orders/ORD-%EC%A3%BC%EB%AC%B8-{case.imp_uid}"
