"""The V1 REST API as a function: a request in, an answer out, over one sandbox; no network.

Every call goes the same way: a fault may take its place; what is no call is 501, or 405 with the
methods that there are; then the token, the parameters, the handler; and all of it is written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import parse_qs

from imp_verify.sandbox import calls, journal
from imp_verify.sandbox._api.barrier import Barrier
from imp_verify.sandbox._api.call import Call
from imp_verify.sandbox._api.declare import ApiCall
from imp_verify.sandbox._api.shown import shown_answer, shown_body, shown_query
from imp_verify.sandbox.calls import Found
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import read_fields
from imp_verify.sandbox.faults import Fault, Target
from imp_verify.sandbox.journal import cut
from imp_verify.sandbox.sandbox import Sandbox
from imp_verify.sandbox.wire import LONGEST_BODY, ApiAnswer, ApiRequest, envelope, refusal

_UNREADABLE = "요청 본문을 읽을 수 없습니다."


class Api:
    """Answers the calls of one sandbox, from any thread. It may block while a shop answers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._barrier = Barrier(sandbox.settings, sandbox.clock)
        sandbox.when_reset.append(self._barrier.clear)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """Answer one call; what becomes of the answer on its way is the caller's to do."""
        self._sandbox.clock.run_due()
        return self.answer_now(request)

    def answer_now(self, request: ApiRequest) -> ApiAnswer:
        """Answer without running what is due: then a GET waits for no shop."""
        sandbox, coming = self._sandbox, _Coming(self._sandbox, request)
        fault = sandbox.faults.take(coming.target(sandbox)) if sandbox.faults else None
        answer = self._faulty(coming, fault) if fault else self._carry_out(coming, sandbox)
        self._write_down(coming, answer, fault)
        return answer

    def _faulty(self, coming: _Coming, fault: Fault) -> ApiAnswer:
        if fault.revoke:
            self._sandbox.gateway.revoke(coming.request.header("authorization"))
        answer = fault.instead()
        if answer is not None:
            return answer
        past = fault.stale is not None
        sandbox = self._sandbox.as_of(fault.stale or 0) if past else self._sandbox
        return fault.afterwards(self._carry_out(coming, sandbox))

    def _carry_out(self, coming: _Coming, sandbox: Sandbox) -> ApiAnswer:
        found, request = coming.found, coming.request
        name = f"{request.method} {request.path}"
        if found.methods:
            message = f"{name}: Method Not Allowed"
            answer = envelope(None, code=-1, message=message, status=405)
            return answer.with_header("Allow", ", ".join(found.methods))
        if found.call is None:
            message = f"{name}: 샌드박스에 없는 API입니다. (not in the sandbox)"
            return envelope(None, code=-1, message=message, status=501)
        settings = self._sandbox.settings
        try:
            self._barrier.check(found.call, coming.account)
            told = found.call.handle(self._call(coming, found.call, sandbox))
        except Refused as error:
            return refusal(error)
        code = settings.code_207 if told.status == 207 else 0
        return envelope(settings.written(told.response), code=code, status=told.status)

    def _call(self, coming: _Coming, call: ApiCall, sandbox: Sandbox) -> Call:
        request, account = coming.request, ""
        if not call.open:
            account = sandbox.gateway.account_of(request.header("authorization")).key
        if len(request.body) > LONGEST_BODY:
            raise Refused(_UNREADABLE, code=-1, status=413)
        if call.has_body and coming.body is None:
            raise Refused(_UNREADABLE, code=-1, status=400)
        values = call.read(coming.found.path, coming.query, coming.body or {})
        return Call(sandbox, account, request.header("tier") or None, values)

    def _write_down(self, coming: _Coming, answer: ApiAnswer, fault: Fault | None) -> None:
        request, hide = coming.request, self._sandbox.gateway.hide_secrets
        self._sandbox.journal.add(
            journal.API,
            imp_uid=coming.named("imp_uid"),
            merchant_uid=coming.named("merchant_uid"),
            call=coming.found.call.name if coming.found.call else None,
            method=request.method,
            path=cut(hide(request.path)),
            query=shown_query(request.query, hide),
            account=coming.account,
            tier=request.header("tier") or None,
            body=shown_body(request.body, coming.body, hide),
            status=answer.status,
            answer=shown_answer(answer.body, hide),
            fault=fault.did() if fault else None,
        )


class _Coming:
    """A request as it comes in, taken apart, whatever it is; nothing is refused here."""

    def __init__(self, sandbox: Sandbox, request: ApiRequest) -> None:
        self.request = request
        self.found: Found = calls.find(request.method, sandbox.settings.path(request.path))
        self.account = sandbox.gateway.key_of(request.header("authorization"))
        self.query = parse_qs(request.query, keep_blank_values=True) if request.query else {}
        self.body: Mapping[str, object] | None = {}
        if request.body:
            try:
                self.body = read_fields(request.body, request.header("content-type"))
            except ValueError:
                self.body = None

    def named(self, name: str) -> str | None:
        """Return the payment or the order that it names, in its path or its body."""
        value = self.found.path.get(name) or (self.body or {}).get(name)
        return value if isinstance(value, str) else None

    def target(self, sandbox: Sandbox) -> Target:
        """Return it as faults see it: by a payment's id its order is named too."""
        imp_uid, order = self.named("imp_uid"), self.named("merchant_uid")
        if imp_uid and not order:
            with suppress(Refused):
                order = sandbox.gateway.attempt(imp_uid).merchant_uid
        return Target(
            self.found.call.name if self.found.call else "",
            self.request.method,
            self.request.path,
            self.account or self.named("imp_key"),
            imp_uid,
            order,
        )
