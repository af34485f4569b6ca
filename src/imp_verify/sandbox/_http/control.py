"""The control endpoints: what tests, demos and other languages set and see over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imp_verify.sandbox.attempt import Attempt
from imp_verify.sandbox.errors import Refused
from imp_verify.sandbox.exact import as_amount, dumps, loads
from imp_verify.sandbox.faults import Fault
from imp_verify.sandbox.guard import LARGEST_BODY, LARGEST_LIST, NOT_JSON, is_json, read_body
from imp_verify.sandbox.sandbox import Sandbox

Fields = dict[str, Any]


class Control:
    """The endpoints under /sandbox/, over one sandbox. Bodies and answers are plain JSON."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._actions: dict[str, Callable[[Any], object]] = {
            "settings": self._settings,
            "faults": self._faults,
            "clock": self._clock,
            "deliver": self._deliver,
            "open": self._open,
            "payments": self._make,
            "approve": self._move(sandbox.approve),
            "approve-later": self._approve_later,
            "decline": self._move(sandbox.decline),
            "close": self._move(sandbox.close),
            "issue": self._move(sandbox.issue_account),
            "deposit": self._deposit,
            "cancel": self._cancel,
        }

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/sandbox/{view}", self._show, methods=["GET"]),
            Route("/sandbox/{action}", self._act, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        views: dict[str, Callable[[], object]] = {
            "settings": self._sandbox.settings.as_dict,
            "clock": lambda: {"now": self._sandbox.gateway.now()},
            "payments": lambda: [a.wire() for a in self._sandbox.gateway.attempts()],
            "deliveries": lambda: [d.wire() for d in self._sandbox.webhooks.deliveries],
            "pending": lambda: [event.fields() for event in self._sandbox.webhooks.pending],
        }
        view = views.get(request.path_params["view"])
        return _json({"error": "no such view"}, 404) if view is None else _json(view())

    async def _act(self, request: Request) -> Response:
        action = self._actions.get(request.path_params["action"])
        if action is None:
            return _json({"error": "no such action"}, 404)
        if not is_json(request):
            return _json({"error": NOT_JSON}, 415)
        many = request.path_params["action"] == "payments"
        try:
            body = await read_body(request, LARGEST_LIST if many else LARGEST_BODY)
            return await run_in_threadpool(self._answer, action, body)
        except Refused as error:
            return _json({"error": error.message}, 409)
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _answer(self, action: Callable[[Any], object], body: bytes) -> Response:
        fields = loads(body or b"{}")
        if not isinstance(fields, dict) and not (isinstance(fields, list) and action == self._make):
            raise ValueError("the body is no object")
        return _json(action(fields))

    def _settings(self, fields: Fields) -> object:
        self._sandbox.settings.change(fields)
        return self._sandbox.settings.as_dict()

    def _faults(self, fields: Fields) -> object:
        self._sandbox.faults.add(Fault(**fields))
        return {}

    def _clock(self, fields: Fields) -> object:
        if "stop_at" in fields:
            self._sandbox.clock.stop_at(int(fields["stop_at"]))
        self._sandbox.clock.advance(int(fields.get("advance", 0)))
        return {"now": self._sandbox.gateway.now()}

    def _deliver(self, fields: Fields) -> object:
        return [delivery.wire() for delivery in self._sandbox.webhooks.deliver()]

    def _open(self, fields: Fields) -> object:
        return self._sandbox.open(fields).wire()

    def _make(self, wanted: Fields | list[Fields]) -> object:
        """Make one payment and show it, or a list of them and name their ids."""
        if isinstance(wanted, list):
            return [attempt.imp_uid for attempt in self._sandbox.gateway.make_all(wanted)]
        return self._sandbox.gateway.make(**wanted).wire()

    def _approve_later(self, fields: Fields) -> object:
        imp_uid, seconds = fields["imp_uid"], fields["seconds"]
        meanwhile = fields.get("meanwhile", "ready")
        return self._sandbox.approve_later(imp_uid, seconds, meanwhile=meanwhile).wire()

    def _deposit(self, fields: Fields) -> object:
        amount, depositor = _amount(fields), fields.get("depositor")
        if not isinstance(depositor, str | None):
            raise ValueError("depositor is a text or null")
        return self._sandbox.deposit(fields["imp_uid"], amount, depositor).wire()

    def _cancel(self, fields: Fields) -> object:
        amount = _amount(fields)
        return self._sandbox.cancel(fields["imp_uid"], amount, fields.get("reason")).wire()

    @staticmethod
    def _move(change: Callable[[str], Attempt]) -> Callable[[Fields], object]:
        return lambda fields: change(fields["imp_uid"]).wire()


def _amount(fields: Fields) -> Decimal | None:
    amount = None if fields.get("amount") is None else as_amount(fields["amount"])
    if amount is None and fields.get("amount") is not None:
        raise ValueError("amount is no number")
    return amount


def _json(content: object, status: int = 200) -> Response:
    return Response(dumps(content), status, media_type="application/json")
