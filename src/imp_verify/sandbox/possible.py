"""What can be done to a payment as it stands, by the names that control calls and pages use."""

from __future__ import annotations

from imp_verify.sandbox.attempt import Attempt


def moves_of(attempt: Attempt) -> tuple[str, ...]:
    """Name what its state allows, the usual one first."""
    vbank = attempt.pay_method == "vbank"
    moves: list[str] = []
    if attempt.in_window:
        moves += ["issue"] if vbank else ["approve", "approve-late"]
        moves += ["decline", "close"]
    elif attempt.status in ("failed", "pending") and not vbank:
        moves.append("approve-late")
    if attempt.waits_for_deposit or attempt.unlimited:
        moves.append("deposit")
    if attempt.waits_for_deposit:
        moves.append("expire")
    whole = attempt.status == "paid" and not attempt.cancellations
    if whole and attempt.vbank is not None and not attempt.unlimited:
        moves.append("take-back")
    if attempt.remaining:
        moves.append("cancel")
    return tuple(moves)
