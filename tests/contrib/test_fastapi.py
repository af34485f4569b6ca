"""The FastAPI router: its page says what it does, in every form a shop may have."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Form, Request
from openapi_spec_validator import validate
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import TestClient

from imp_verify import AsyncVerifier, InvalidRequest
from imp_verify._core.reading import check_imp_uid
from imp_verify._web.answers import _TABLE, FORBIDDEN
from imp_verify.contrib.fastapi import payments
from imp_verify.contrib.starlette import payments as mountable
from imp_verify.stores.memory import MemoryStore
from tests.support.apps import Apps
from tests.support.gateway import I1, ORDER, PRICE
from tests.support.shop import WORDS, body, credentials

CLAIM = body(amount=PRICE)
FORM = f"imp_uid={I1}&merchant_uid={ORDER}".encode()
FORM_TYPE = "application/x-www-form-urlencoded"
PARTS_TYPE = "multipart/form-data; boundary=x"
PARTS = f'--x\r\nContent-Disposition: form-data; name="imp_uid"\r\n\r\n{I1}\r\n--x--\r\n'.encode()


def included(verifier: AsyncVerifier, **arguments: Any) -> FastAPI:
    app = FastAPI()
    app.include_router(payments(verifier), prefix="/pay", **arguments)
    return app


@pytest.fixture
def page(apps: Apps) -> dict[str, Any]:
    return included(apps.verifier).openapi()


def test_n10_dependencies_of_the_whole_app_reach_the_router_but_not_what_is_mounted(
    apps: Apps,
) -> None:
    def user() -> None:
        raise HTTPException(401)

    app = FastAPI(dependencies=[Depends(user)])
    app.include_router(payments(apps.verifier), prefix="/pay")
    app.mount("/payments", mountable(apps.verifier))
    for endpoint in ("webhook", "complete"):
        assert apps.ask(app, "POST", f"/pay/{endpoint}", CLAIM).status == 401
        assert apps.ask(app, "POST", f"/payments/{endpoint}", CLAIM).told == (200, "success")


def test_n11_a_foreign_check_of_csrf_tokens_has_the_three_endpoints_exempt(apps: Apps) -> None:
    reason = "starlette-csrf is not installed (group `test`)"
    foreign = pytest.importorskip("starlette_csrf", reason=reason).CSRFMiddleware
    exempt = [re.compile("^/pay/(complete|webhook|confirm)/?$")]
    for urls, status in (None, 403), (exempt, 200):
        app = included(apps.verifier)
        app.add_middleware(foreign, secret="not a secret", exempt_urls=urls)
        with TestClient(app) as client:
            for endpoint in ("webhook", "complete", "confirm", "webhook/"):
                assert client.post(f"/pay/{endpoint}", json=CLAIM).status_code == status


def words(page: dict[str, Any], path: str, method: str = "post") -> set[tuple[int, str]]:
    """Return status code and word of every answer that the page documents."""
    responses = page["paths"][path][method]["responses"]
    return {
        (int(status), word)
        for status, response in responses.items()
        for word in response["content"]["application/json"]["schema"]["properties"]["status"][
            "enum"
        ]
    }


def test_the_page_is_valid(page: dict[str, Any]) -> None:
    validate(page)


def test_the_page_has_the_documented_methods_only(page: dict[str, Any]) -> None:
    assert {path: sorted(item) for path, item in page["paths"].items()} == {
        "/pay/complete": ["get", "post"],
        "/pay/redirect": ["get"],
        "/pay/webhook": ["post"],
        "/pay/confirm": ["post"],
    }
    assert not any("422" in o["responses"] for i in page["paths"].values() for o in i.values())


def test_the_page_has_every_answer_of_the_table(page: dict[str, Any]) -> None:
    complete = {row.complete for key, row in _TABLE.items() if key != FORBIDDEN}
    assert words(page, "/pay/complete") == complete
    assert words(page, "/pay/webhook") == {row.webhook for row in _TABLE.values()}
    assert words(page, "/pay/confirm") == {
        *((200, "approved"), (409, "refused")),
        *((400, "invalid"), (413, "invalid"), (503, "unavailable")),
    }
    for path in ("/pay/complete", "/pay/redirect"):
        responses = page["paths"][path]["get"]["responses"]
        codes = {row.complete[0] for row in _TABLE.values()} - {403, 413}
        assert set(responses) == {"303", *map(str, codes)}
        assert "Location" in responses["303"]["headers"]


def test_the_pages_examples_are_answers_word_for_word(page: dict[str, Any]) -> None:
    told = {}
    for item in page["paths"].values():
        for response in item.get("post", {"responses": {}})["responses"].values():
            kind = response["content"]["application/json"]
            for word, example in kind["examples"].items():
                assert example["value"]["status"] == word
                assert example["value"].keys() == set(kind["schema"]["required"])
                told[word] = example["value"]["message"]
    assert {word: told[word] for word in WORDS} == {word: WORDS[word][1] for word in WORDS}


def test_the_page_describes_what_the_core_reads(page: dict[str, Any]) -> None:
    for path, operation in page["paths"].items():
        if "post" not in operation:
            continue
        content = operation["post"]["requestBody"]["content"]
        assert set(content) == {"application/json", FORM_TYPE, "multipart/form-data"}
        for form in content.values():
            fields = form["schema"]["properties"]
            required = set(form["schema"]["required"])
            whole = {"imp_uid", "merchant_uid", "amount"}
            assert required == (whole if path == "/pay/confirm" else {"imp_uid"})
            assert required <= form["example"].keys() <= fields.keys()
    pattern = re.compile(fields["imp_uid"]["pattern"])
    for uid in ("imp_1", "a" * 32, "A-_9", "", "a" * 33, "a/b", "é", " imp_1"):
        try:
            check_imp_uid(uid)
        except InvalidRequest:
            assert not pattern.search(uid)
        else:
            assert pattern.search(uid)


def test_the_page_of_a_shop_with_accounts_says_that_the_order_must_be_named(apps: Apps) -> None:
    store = MemoryStore(expected=lambda *_: None)
    accounts = {"kr": credentials()}
    verifier = AsyncVerifier(store, accounts=accounts, test_mode=True)
    page = included(verifier).openapi()
    validate(page)
    for path in ("/pay/complete", "/pay/webhook", "/pay/confirm"):
        body = page["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert {"imp_uid", "merchant_uid"} <= set(body["schema"]["required"])
    for path in ("/pay/complete", "/pay/redirect"):
        query = page["paths"][path]["get"]["parameters"]
        assert [each["name"] for each in query if each["required"]] == ["merchant_uid"]
        whole = included(apps.verifier).openapi()["paths"][path]["get"]["parameters"]
        assert not any(each["required"] for each in whole)


def test_a_method_that_nobody_knows_reaches_the_core(apps: Apps) -> None:
    for slash in ("", "/"):
        answer = apps.ask(included(apps.verifier), "BREW", f"/pay/complete{slash}")
        assert answer.told == (405, "invalid")


def test_an_unknown_path_is_fastapis_own_404(apps: Apps) -> None:
    answer = apps.ask(included(apps.verifier), "POST", "/pay/nothing", CLAIM)
    assert (answer.status, json.loads(answer.body)) == (404, {"detail": "Not Found"})


def test_several_verifiers_share_an_app_and_its_page(apps: Apps) -> None:
    app = FastAPI()
    app.include_router(payments(apps.verifier), prefix="/a")
    app.include_router(payments(apps.knows("ORD-2"), name="second"), prefix="/b")
    apps.gateway.has(imp_uid="imp_2", merchant_uid="ORD-2")
    assert apps.ask(app, "POST", "/a/complete", CLAIM).told == (200, "success")
    assert apps.ask(app, "POST", "/b/complete", CLAIM).told == (400, "forgery")
    other = {"imp_uid": "imp_2", "merchant_uid": "ORD-2"}
    assert apps.ask(app, "POST", "/b/complete", other).told == (200, "success")
    page = app.openapi()
    validate(page)
    ids = [o["operationId"] for item in page["paths"].values() for o in item.values()]
    assert len(ids) == len(set(ids)) == 10
    assert {i for i in ids if i.startswith("second")} == {
        f"second_{o}"
        for o in ("complete_get", "complete_post", "redirect_get", "webhook_post", "confirm_post")
    }
    assert app.url_path_for("second_webhook") == "/b/webhook"


def test_it_works_in_nested_routers_and_mounted_applications(apps: Apps) -> None:
    inner = APIRouter(prefix="/inner")
    inner.include_router(payments(apps.verifier), prefix="/pay")
    app, outer = FastAPI(), FastAPI()
    app.include_router(inner, prefix="/api")
    outer.mount("/shop", app)
    for at, prefix in ((app, ""), (outer, "/shop")):
        for slash in ("", "/"):
            path = f"{prefix}/api/inner/pay/complete{slash}"
            assert apps.ask(at, "POST", path, CLAIM).told == (200, "success")
            assert apps.ask(at, "PUT", path, CLAIM).told == (405, "invalid")
    assert "/api/inner/pay/complete" in app.openapi()["paths"]


def test_a_router_that_is_protected_protects_every_method(apps: Apps) -> None:
    def login(request: Request) -> None:
        if request.headers.get("x-key") != "right":
            raise HTTPException(401)

    app = included(apps.verifier, dependencies=[Depends(login)])
    for method, path in (("POST", "/complete"), ("PUT", "/complete"), ("POST", "/complete/")):
        assert apps.ask(app, method, f"/pay{path}", CLAIM).status == 401
    assert apps.gateway.asked == []
    answer = apps.ask(app, "POST", "/pay/complete", CLAIM, headers=[("X-Key", "right")])
    assert answer.told == (200, "success")


async def reads_the_body(request: Request) -> None:
    assert await request.body()


async def reads_the_form(request: Request) -> None:
    assert await request.form() is not None


async def takes_a_field(imp_uid: Annotated[str, Form()]) -> None:
    assert imp_uid == I1


READERS = [
    *((reads_the_body, sent, kind) for sent, kind in ((FORM, FORM_TYPE), (PARTS, PARTS_TYPE))),
    *((reads_the_form, sent, kind) for sent, kind in ((FORM, FORM_TYPE), (PARTS, PARTS_TYPE))),
    *((takes_a_field, sent, kind) for sent, kind in ((FORM, FORM_TYPE), (PARTS, PARTS_TYPE))),
    (reads_the_body, json.dumps(CLAIM).encode(), "application/json"),
]


@pytest.mark.parametrize(("reader", "sent", "content_type"), READERS)
def test_a_body_that_a_dependency_has_read_is_read_again(
    apps: Apps, reader: Any, sent: bytes, content_type: str
) -> None:
    app = included(apps.verifier, dependencies=[Depends(reader)])
    parts = [sent[:9], sent[9:]]
    assert apps.ask(app, "POST", "/pay/complete", parts, content_type).told == (200, "success")


@pytest.mark.parametrize("content_type", ["application/json", FORM_TYPE, PARTS_TYPE])
def test_a_body_that_was_not_kept_is_malformed(apps: Apps, content_type: str) -> None:
    async def eats(request: Request) -> None:
        async for _ in request.stream():
            pass

    app = included(apps.verifier, dependencies=[Depends(eats)])
    assert apps.ask(app, "POST", "/pay/complete", FORM, content_type).told == (400, "invalid")


def test_a_body_that_a_middleware_has_read_is_read_again(apps: Apps) -> None:
    async def reads(request: Request, call_next: Any) -> Any:
        assert await request.body()
        return await call_next(request)

    app = included(apps.verifier)
    app.add_middleware(BaseHTTPMiddleware, dispatch=reads)
    assert apps.ask(app, "POST", "/pay/complete", CLAIM).told == (200, "success")


def test_what_dependencies_leave_for_afterwards_is_done(apps: Apps) -> None:
    done: list[str] = []

    def leaves(tasks: BackgroundTasks) -> Iterator[None]:
        tasks.add_task(done.append, "task")
        yield
        done.append("end")

    app = included(apps.verifier, dependencies=[Depends(leaves)])
    assert apps.ask(app, "POST", "/pay/complete", CLAIM).told == (200, "success")
    assert sorted(done) == ["end", "task"]


def test_no_more_is_read_than_the_limit_needs(apps: Apps) -> None:
    app = included(apps.verifier)
    part = {"type": "http.request", "body": b"a" * 30000, "more_body": True}
    messages = [dict(part) for _ in range(9)]
    answer = apps.send(app, apps.scope("POST", "/pay/complete"), messages)
    assert answer.told == (413, "invalid")
    assert len(messages) == 6


@pytest.mark.parametrize("error", [RuntimeError("broken"), HTTPException(408)])
def test_a_body_that_breaks_off_is_not_taken_for_the_whole(apps: Apps, error: Exception) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        async def half() -> Any:
            if messages:
                return messages.pop()
            raise error

        messages = [{"type": "http.request", "body": FORM, "more_body": True}]
        with suppress(RuntimeError):
            await included(apps.verifier)(scope, half, send)

    assert apps.send(broken, apps.scope("POST", "/pay/complete"), []).status in (408, 500)
    assert apps.gateway.asked == []


def test_a_limit_of_the_shops_own_is_answered_by_the_core(apps: Apps) -> None:
    async def limited(scope: Any, receive: Any, send: Any) -> None:
        async def too_much() -> Any:
            raise HTTPException(413)

        await included(apps.verifier)(scope, too_much, send)

    assert apps.ask(limited, "POST", "/pay/complete", CLAIM).told == (413, "invalid")
    limit = "max_body_size"  # FastAPI's own, which is new, answers by itself
    if limit in inspect.signature(FastAPI).parameters:
        app = FastAPI(**{limit: 10})  # type: ignore[arg-type]
        app.include_router(payments(apps.verifier), prefix="/pay")
        for sent in ([json.dumps(CLAIM).encode()], [b"{", b" " * 20, b"}"]):
            assert apps.ask(app, "POST", "/pay/complete", sent).status == 413


def test_a_client_that_leaves_early_gets_no_answer(apps: Apps) -> None:
    app = included(apps.verifier)
    messages = [{"type": "http.request", "body": FORM, "more_body": True}]
    assert apps.send(app, apps.scope("POST", "/pay/complete"), messages).status == 0
    assert apps.gateway.asked == []


def test_a_body_that_takes_too_long_is_malformed(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imp_verify.contrib._asgi._BODY_TIME", 0.01)

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        async def never() -> Any:
            await asyncio.Event().wait()

        await included(apps.verifier)(scope, never, send)

    answer = apps.send(slow, apps.scope("POST", "/pay/complete"), [])
    assert answer.told == (400, "invalid")
