"""What a rebuild makes of a connection's rows once the database was lost or is too old.

Pure; called by both implementations of `Register.replace_from_observation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store.ports import Move, MoveRefused, NumberRow, ObservedNumber
from callplane.values import E164, ConnectionId

UNKNOWN_HISTORY = "unknown history"
_CONTRADICTED = (
    NumberState.FREE,
    NumberState.CLAIMED,
    NumberState.ASSIGNED,
    NumberState.TRANSFERRING,
)


def moves(
    rows: Mapping[E164, NumberRow],
    observed: Iterable[ObservedNumber],
    *,
    connection: ConnectionId,
    quarantined_until: datetime,
) -> tuple[Move, ...]:
    """The moves that make `rows` agree with what is `observed`, in order of number.

    A number that nobody has is never given out at once: somebody may have had it yesterday. One
    that another connection has is left alone, and when somebody is seen with it here all the same,
    MoveRefused is raised.
    """
    ordered = []
    for seen in sorted(observed, key=lambda seen: seen.number):
        row = rows.get(seen.number)
        if row is None or row.connection == connection:
            ordered.append(seen)
        elif seen.holder is not None:
            raise MoveRefused(seen.number, row)
    return tuple(
        move
        for seen in ordered
        if (move := _move(rows.get(seen.number), seen, quarantined_until)) is not None
    )


def _move(row: NumberRow | None, seen: ObservedNumber, quarantined_until: datetime) -> Move | None:
    state = NumberState.FREE if row is None else row.state
    range_name = seen.range_name or ("" if row is None else row.range_name)
    if seen.holder is None:
        if state not in _CONTRADICTED:
            return None
        return Move(
            seen.number,
            expected=state,
            to=NumberState.QUARANTINED,
            cause=Cause.REBUILD,
            holder=None if row is None else row.holder,
            range_name=range_name,
            number_type=seen.number_type,
            quarantined_until=quarantined_until,
            reason=UNKNOWN_HISTORY,
        )
    if row is not None and state is NumberState.ASSIGNED and row.holder == seen.holder:
        return None
    return Move(
        seen.number,
        expected=state,
        to=NumberState.ASSIGNED,
        cause=Cause.REBUILD,
        holder=seen.holder,
        range_name=range_name,
        number_type=seen.number_type,
    )
