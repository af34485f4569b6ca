"""What may watch a verifier at work, for `imp_verify.verifier.observe`; traces and metrics by
OpenTelemetry are `imp_verify.contrib.otel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Protocol

from .models import Outcome

__all__ = ["Decision", "Observer"]


@dataclass(frozen=True, slots=True)
class Decision:
    """How one request to an endpoint was decided: the fields of its line in the log.

    Attributes:
        endpoint: complete, redirect, webhook or confirm.
        verdict: A `Verdict`; for confirm approved or refused; trouble, invalid or forbidden.
        imp_uid: As fetched or found, else as the request named it.
        merchant_uid: The order that the gateway names; None where nothing was fetched.
        claimed: The order that the request names, which may be anybody's.
        reason: Why, in one word: a `Reason`, the key of confirm's refusal, or of trouble its kind.
        settled: What the store did, a `Settled`.
        milliseconds: From the request to the decision.
        gateway_milliseconds: Of those, how long the gateway was waited for.
        gateway_calls: How often it was asked, for tokens included. Both are None where nobody
            knows: a confirm that was not done in time.
    """

    endpoint: str
    verdict: str
    imp_uid: str | None
    merchant_uid: str | None
    claimed: str | None
    reason: str | None
    settled: str | None
    milliseconds: float
    gateway_milliseconds: float | None
    gateway_calls: int | None

    def fields(self) -> dict[str, object]:
        """Return all of it by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Observer(Protocol):
    """Watches verifiers, from any thread or event loop: subclass it and write what you want to
    know. It must not wait for anything: the payment waits for it. What it raises is logged by its
    class, and changes no payment.

    What a context manager gives is called with what came of it; not where an exception ends it, nor
    where the task is cancelled, which for a verification is GeneratorExit.

    It gets no secret and no token. An `Outcome` holds the buyer's data, as it does in a hook.
    """

    def verification(
        self, endpoint: str, imp_uid: str | None, claimed: str | None
    ) -> AbstractContextManager[Callable[[str, str | None, Outcome | None], object]]:
        """Around one verification or approval, however it was asked for; given its verdict (of an
        approval approved or refused), its reason, and its outcome (of an approval None)."""
        return nullcontext(_ignore)

    def gateway_call(
        self, method: str, url: str, resends: int
    ) -> AbstractContextManager[Callable[[int], object]]:
        """Around one call to the gateway; given the answer's status code.

        Args:
            url: Without its query.
            resends: How often this call was sent before.
        """
        return nullcontext(_ignore)

    def store_call(
        self, operation: str, arguments: Sequence[object]
    ) -> AbstractContextManager[Callable[[object], object]]:
        """Around one call of the store, which is one transaction; given its answer.

        Args:
            operation: The method's name, for example settle.
        """
        return nullcontext(_ignore)

    def decided(self, decision: Decision) -> object:
        """A request to an endpoint was decided."""
        return None


def _ignore(*_: object) -> None:
    pass
