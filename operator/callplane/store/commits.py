"""What a commit must satisfy before any database is asked, and what its moves leave behind.

Pure; called by both implementations of the register, so that they cannot differ in it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime

from callplane.numbering import lifecycle
from callplane.numbering.lifecycle import NumberState
from callplane.store.ports import Commit, IllegalCommit, Move, NumberRow
from callplane.values import ConnectionId


def check(commit: Commit) -> None:
    """Raises IllegalCommit, which names the place and the reason."""
    for move in commit.moves:
        _check_move(move)
    _refuse_repeats("number", [move.number for move in commit.moves])
    _refuse_repeats("holder", [*(row.holder for row in commit.holders), *commit.dropped_holders])
    _refuse_repeats("intent", [intent.request_id for intent in commit.intents])
    _refuse_repeats(
        "gate row", [*(row.change_id for row in commit.gate_rows), *commit.gate_dropped]
    )


def _check_move(move: Move) -> None:
    if not lifecycle.may_move(move.expected, move.to, move.cause):
        raise IllegalCommit(
            f"{move.number.masked} cannot go from {move.expected.value} to {move.to.value} "
            f"by {move.cause}"
        )
    if move.to in lifecycle.HELD and move.holder is None:
        raise IllegalCommit(f"{move.number.masked} cannot be {move.to.value} without a holder")
    if (move.to is NumberState.TRANSFERRING) is (move.transfer_to is None):
        raise IllegalCommit(
            f"{move.number.masked} names a receiver if and only if it is Transferring"
        )


def _refuse_repeats(what: str, keys: Sequence[Hashable]) -> None:
    if len(keys) > 1 and len(set(keys)) != len(keys):
        raise IllegalCommit(f"the commit names one {what} twice")


def row_after(
    move: Move, *, connection: ConnectionId, now: datetime, version: int
) -> NumberRow | None:
    """The row that a move leaves; None when the number is free."""
    if move.to is NumberState.FREE:
        return None
    return NumberRow(
        number=move.number,
        connection=connection,
        state=move.to,
        holder=move.holder,
        declared_by=move.declared_by,
        range_name=move.range_name,
        number_type=move.number_type,
        transfer_to=move.transfer_to,
        quarantined_until=move.quarantined_until,
        reason=move.reason,
        updated_at=now,
        version=version,
    )


def is_refused(move: Move, row: NumberRow | None, connection: ConnectionId) -> bool:
    """Is the row other than the move expects?"""
    if row is None:
        return move.expected is not NumberState.FREE
    if row.connection != connection or row.state is not move.expected:
        return True
    return move.expected_holder is not None and row.holder != move.expected_holder
