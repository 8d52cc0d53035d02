"""What a commit must satisfy before any database is asked, and what its moves leave behind.

Pure; called by both implementations of the register, so that they cannot differ in it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime

from callplane.numbering import lifecycle
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store.ports import Commit, IllegalCommit, Move, NumberRow
from callplane.values import ConnectionId, HolderId

# By these causes a number stays with, or comes back to, the holder its row names.
_SAME_HOLDER = frozenset(
    {
        Cause.CANCEL,
        Cause.CONFIRM,
        Cause.DETACH,
        Cause.ORPHAN,
        Cause.RETURN_TO_HOLDER,
        Cause.TAKE_OVER,
    }
)


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
    if move.expected_holder not in (None, required_holder(move)):
        raise IllegalCommit(f"{move.number.masked} cannot change its holder by {move.cause}")


def _refuse_repeats(what: str, keys: Sequence[Hashable]) -> None:
    if len(keys) > 1 and len(set(keys)) != len(keys):
        raise IllegalCommit(f"the commit names one {what} twice")


def is_empty(commit: Commit) -> bool:
    """Does the commit ask for nothing but a look at the epoch?"""
    return not (
        commit.moves
        or commit.holders
        or commit.dropped_holders
        or commit.intents
        or commit.gate_rows
        or commit.gate_dropped
    )


def row_after(
    move: Move, *, connection: ConnectionId, now: datetime, version: int
) -> NumberRow | None:
    """The row that a move leaves; None when the number is free."""
    if move.to is NumberState.FREE:
        return None
    return NumberRow(
        number=move.number,
        connection=connection_after(move, connection),
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


def connection_after(move: Move, connection: ConnectionId) -> ConnectionId:
    """Whose the row is then: a number that is received goes over to its receiver's connection."""
    if move.cause == Cause.RECEIVE and move.holder is not None:
        return move.holder.connection
    return connection


def required_holder(move: Move) -> HolderId | None:
    """The holder the row must name; None where any will do."""
    return move.holder if move.cause in _SAME_HOLDER else move.expected_holder


def required_receiver(move: Move) -> HolderId | None:
    """The holder for whom a number in transfer must be kept; None where any will do."""
    return move.holder if move.cause == Cause.RECEIVE else None


def must_have_rested(move: Move) -> bool:
    """Is the move allowed only when the row's rest has a known end, and that is past?"""
    return move.cause == Cause.ELAPSE


def is_refused(
    move: Move, row: NumberRow | None, *, connection: ConnectionId, now: datetime
) -> bool:
    """Is the row other than the move needs it to be?"""
    if row is None:
        return move.expected is not NumberState.FREE
    if row.connection != connection or row.state is not move.expected:
        return True
    if required_holder(move) not in (None, row.holder):
        return True
    if required_receiver(move) not in (None, row.transfer_to):
        return True
    return must_have_rested(move) and (row.quarantined_until is None or row.quarantined_until > now)
