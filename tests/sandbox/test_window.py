"""The window and the SDK file over plain HTTP, without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from imp_verify.sandbox import Fault, SandboxServer
from tests.sandbox.conftest import NOON, Rest, call, opened, paid

NEW, OLD = "v1", "1.2"
SHOP = "http://shop.localhost:8000"
JSON = {"Content-Type": "application/json"}


def open_window(
    server: SandboxServer, rest: Rest, version: str = NEW, **params: object
) -> dict[str, Any]:
    wanted = {
        "params": {"merchant_uid": "ORD-1001", "amount": 39000, **params},
        "userCode": "imp00000000",
        "version": version,
        "redirect": "m_redirect_url" in params,
    }
    answer = rest.http.post(server.url + "/window", json=wanted, headers={"Origin": SHOP})
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    content: dict[str, Any] = answer.json()
    return content


def click(server: SandboxServer, rest: Rest, path: str, action: str) -> requests.Response:
    return rest.http.post(f"{server.url}{path}/{action}", allow_redirects=False)


def result(answer: requests.Response) -> dict[str, Any]:
    data = answer.text.partition('id="result">')[2].partition("</script>")[0]
    content = json.loads(data)
    assert content["origin"] == SHOP
    told: dict[str, Any] = content["result"]
    return told


def test_the_newer_sdk_tells_ids_alone(server: SandboxServer, rest: Rest) -> None:
    path = open_window(server, rest)["path"]
    assert result(click(server, rest, path, "approve")) == {
        "imp_uid": path.rpartition("/")[2],
        "merchant_uid": "ORD-1001",
    }


def test_the_older_sdk_tells_everything(server: SandboxServer, rest: Rest) -> None:
    path = open_window(server, rest, OLD, buyer_name="홍길동")["path"]
    told = result(click(server, rest, path, "approve"))
    assert told["success"] is True
    assert (told["paid_amount"], told["status"], told["paid_at"]) == (39000, "paid", NOON)
    assert told["buyer_name"] == "홍길동"
    assert "amount" not in told
    assert "vbank_num" not in told


def test_the_older_sdk_tells_of_an_issued_account(server: SandboxServer, rest: Rest) -> None:
    path = open_window(server, rest, OLD, pay_method="vbank")["path"]
    told = result(click(server, rest, path, "issue"))
    assert (told["success"], told["status"], bool(told["vbank_num"])) == (True, "ready", True)


FLAGS = {"1.1": "success", "1.2": "success", "1.3": "imp_success", "v1": None}
FLAGGED = pytest.mark.parametrize(("version", "flag"), FLAGS.items())


@FLAGGED
@pytest.mark.parametrize("becomes", ["failed", "ready"])
def test_what_went_wrong_is_told(
    server: SandboxServer, rest: Rest, version: str, flag: str | None, becomes: str
) -> None:
    server.sandbox.settings.closed_becomes = becomes
    for action in ("decline", "close"):
        path = open_window(server, rest, version)["path"]
        told = result(click(server, rest, path, action))
        assert told["imp_uid"] == path.rpartition("/")[2]
        assert told["error_code"]
        assert told["error_msg"]
        flags = {name: told[name] for name in ("success", "imp_success") if name in told}
        assert flags == ({flag: False} if flag else {})


def test_the_builds_from_1_3_tell_the_ids_alone_with_newer_pgs(
    server: SandboxServer, rest: Rest
) -> None:
    for version, pg, flag in (("1.3", "tosspayments", False), ("1.2", "tosspayments", True)):
        path = open_window(server, rest, version, pg=pg)["path"]
        assert (len(result(click(server, rest, path, "decline"))) > 4) is flag
        path = open_window(server, rest, version, pg=pg, m_redirect_url=SHOP)["path"]
        location = click(server, rest, path, "decline").headers["Location"]
        assert ("imp_success=" in location) is flag


@FLAGGED
def test_a_refused_window_has_no_payment(
    server: SandboxServer, rest: Rest, version: str, flag: str | None
) -> None:
    failed = {"imp_success": False} if flag else {}
    order = {**failed, "merchant_uid": "ORD-1001"}
    told = open_window(server, rest, version, amount="39000")["refused"]
    assert told == {**order, "error_code": "F400", "error_msg": "amount는 숫자여야 합니다."}
    server.sandbox.faults.add(Fault("window", status=502))
    told = open_window(server, rest, version)["refused"]
    assert told == {**order, "error_code": "F500", "error_msg": "결제창을 열 수 없습니다."}
    server.sandbox.faults.add(Fault("window", status=400, body="점검 중입니다."))
    told = open_window(server, rest, version)["refused"]
    assert told == {**order, "error_code": "F400", "error_msg": "점검 중입니다."}
    paid(server)
    told = open_window(server, rest, version)["refused"]
    message = "이미 결제가 이루어진 거래건입니다."
    assert told == {**order, "imp_uid": None, "error_code": "F1002", "error_msg": message}


def tell_closed(
    server: SandboxServer, rest: Rest, imp_uid: str, origin: str = SHOP, popup: bool = True
) -> Any:
    wanted = {"closed": imp_uid, "popup": popup}
    answer = rest.http.post(server.url + "/window", json=wanted, headers={"Origin": origin})
    return answer.json()["result"]


@FLAGGED
def test_a_popup_that_is_closed_is_told_with_the_misspelt_field(
    server: SandboxServer, rest: Rest, version: str, flag: str | None
) -> None:
    imp_uid = open_window(server, rest, version)["imp_uid"]
    ids = {"imp_uid": imp_uid, "merchant_uid": "ORD-1001"}
    code = {"imp_success": False, "error_coe": "F1001"} if flag else {"error_code": "F1001"}
    message = {"error_msg": "사용자가 결제를 취소하셨습니다"}
    assert tell_closed(server, rest, imp_uid) == {**ids, **code, **message}
    assert server.sandbox.gateway.attempt(imp_uid).status == "failed"
    assert tell_closed(server, rest, imp_uid) == {**ids, **code, **message}
    told = tell_closed(server, rest, imp_uid, popup=False)
    assert told["error_code"] == "SANDBOX_CLOSED"


def test_what_became_of_a_payment_stands_when_its_window_is_closed(
    server: SandboxServer, rest: Rest
) -> None:
    imp_uid = open_window(server, rest)["imp_uid"]
    others = "http://other.localhost:8000"
    assert tell_closed(server, rest, imp_uid, others) is None
    assert tell_closed(server, rest, "imp_0") is None
    server.sandbox.approve(imp_uid)
    ids = {"imp_uid": imp_uid, "merchant_uid": "ORD-1001"}
    assert tell_closed(server, rest, imp_uid) == ids
    imp_uid = open_window(server, rest, merchant_uid="ORD-2")["imp_uid"]
    server.sandbox.decline(imp_uid)
    assert tell_closed(server, rest, imp_uid)["error_msg"] == "한도초과"


def test_the_settings_of_the_window_are_asked_each_time(server: SandboxServer, rest: Rest) -> None:
    window = open_window(server, rest)
    assert window["after"] == 0
    assert call(server, "PATCH", "settings", {"frame_seconds": 9.5, "silent_close": True})[0] == 200
    assert open_window(server, rest)["after"] == 9.5
    assert tell_closed(server, rest, window["imp_uid"]) is None
    page = click(server, rest, open_window(server, rest)["path"], "close")
    assert '"result":null' in page.text
    told = result(click(server, rest, open_window(server, rest)["path"], "decline"))
    assert told["error_msg"] == "한도초과"
    assert call(server, "PATCH", "settings", {"unreachable": True})[0] == 200
    wanted = {"params": {"merchant_uid": "ORD-1001", "amount": 39000}}
    answer = rest.http.post(server.url + "/window", json=wanted, headers={"Origin": SHOP})
    assert answer.status_code == 503
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert rest.http.get(server.url + "/v1/iamport.js").status_code == 200


def test_a_page_that_is_posted_to_a_window_is_shown_it(server: SandboxServer, rest: Rest) -> None:
    path = open_window(server, rest, language="en")["path"]
    assert "Taking you to the payment window" in rest.http.get(f"{server.url}{path}/leaving").text
    assert "결제창으로 이동" in rest.http.get(f"{server.url}/window/imp_0/leaving").text
    headers = {"Origin": SHOP, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = rest.http.post(server.url + path, headers=headers, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)


@pytest.mark.parametrize(
    ("back", "start"),
    [
        ("http://shop.test/back", "http://shop.test/back?imp_uid="),
        ("http://shop.test/back?order=1&lang=ko", "http://shop.test/back?order=1&lang=ko&imp_uid="),
    ],
)
def test_a_redirect_keeps_the_shops_query(
    server: SandboxServer, rest: Rest, back: str, start: str
) -> None:
    path = open_window(server, rest, m_redirect_url=back)["path"]
    answer = click(server, rest, path, "approve")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(start)
    assert answer.headers["Location"].endswith("&merchant_uid=ORD-1001")


def test_a_redirect_keeps_the_fragment_at_its_end(server: SandboxServer, rest: Rest) -> None:
    path = open_window(server, rest, m_redirect_url="http://shop.test/back#x")["path"]
    answer = click(server, rest, path, "approve")
    assert answer.headers["Location"].endswith("&merchant_uid=ORD-1001#x")


def test_the_older_sdks_redirect_carries_a_flag(server: SandboxServer, rest: Rest) -> None:
    for action, flag in (("decline", "imp_success=false"), ("approve", "imp_success=true")):
        path = open_window(server, rest, OLD, m_redirect_url="http://shop.test/")["path"]
        location = click(server, rest, path, action).headers["Location"]
        assert flag in location
        assert ("error_code=" in location) is (action == "decline")


def test_a_sub_stores_window_makes_its_payment(server: SandboxServer, rest: Rest) -> None:
    wanted = {
        "params": {"merchant_uid": "ORD-1001", "amount": 1, "language": "en"},
        "userCode": "imp00000000",
        "tier": "ABC",
        "mobile": True,
    }
    answer = rest.http.post(server.url + "/window", json=wanted).json()
    (attempt,) = server.sandbox.gateway.attempts("sandbox_key", "ABC")
    assert attempt.channel == "mobile"
    assert "Approve payment" in rest.http.get(server.url + answer["path"]).text


@pytest.mark.parametrize("body", ["[]", '{"params": 1}'])
def test_nonsense_opens_no_window(server: SandboxServer, rest: Rest, body: str) -> None:
    answer = rest.http.post(server.url + "/window", body.encode(), headers=JSON).json()
    assert "path" not in answer


def test_without_payments_the_list_says_so(server: SandboxServer, rest: Rest) -> None:
    page = rest.http.get(server.url + "/?lang=en").text
    assert "No payments yet" in page
    assert "The journal has nothing like this" not in page  # the token of the fixture


def test_a_window_that_is_not_there_is_404(server: SandboxServer, rest: Rest) -> None:
    assert rest.http.get(server.url + "/window/imp_0").status_code == 404
    assert click(server, rest, "/window/imp_0", "approve").status_code == 404
    path = f"/window/{opened(server).imp_uid}"
    assert "Not Found" in click(server, rest, path, "nothing").text


def test_a_payment_opened_without_a_page_shows_its_state(server: SandboxServer, rest: Rest) -> None:
    path = f"/window/{opened(server).imp_uid}"
    assert click(server, rest, path, "approve").headers["Location"] == path + "?lang=ko"
    assert 'data-state="paid"' in rest.http.get(server.url + path).text


def test_a_test_payment_is_marked_in_its_window(server: SandboxServer, rest: Rest) -> None:
    attempt = opened(server, channelKey="channel-test")
    page = rest.http.get(f"{server.url}/window/{attempt.imp_uid}?lang=en").text
    assert "Test channel" in page


def test_the_sdk_file_knows_where_it_came_from(server: SandboxServer, rest: Rest) -> None:
    numbers = {"1.1.8": "1.1", "1.2.0": "1.2", "1.3.0": "1.3"}
    older = {f"/js/iamport.payment-{number}.js": version for number, version in numbers.items()}
    for path, version in {"/v1/iamport.js": "v1", **older}.items():
        answer = rest.http.get(server.url + path)
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert f'"base":"{server.url}"' in answer.text
        assert f'"version":"{version}"' in answer.text
    server.sandbox.settings.public_url = "https://sandbox.test"
    text = rest.http.get(server.url + "/v1/iamport.js").text
    assert '"base":"https://sandbox.test"' in text
    for number in ("1.4.0", "1.2", "2.0.0", "x"):
        answer = rest.http.get(f"{server.url}/js/iamport.payment-{number}.js")
        assert answer.status_code == 404


@pytest.mark.parametrize(("name", "status"), [("sandbox.css", 200), ("window.js", 200), ("x", 404)])
def test_only_known_files_are_served(
    server: SandboxServer, rest: Rest, name: str, status: int
) -> None:
    assert rest.http.get(f"{server.url}/static/{name}").status_code == status


def test_an_amount_to_cancel_that_is_none_is_told_and_cancels_nothing(
    server: SandboxServer, rest: Rest
) -> None:
    attempt = paid(server)
    url = f"{server.url}/window/{attempt.imp_uid}/cancel"
    assert "취소할 금액이 올바르지 않습니다" in rest.http.post(url, {"amount": "x"}).text
    assert server.sandbox.gateway.attempt(attempt.imp_uid) == attempt
