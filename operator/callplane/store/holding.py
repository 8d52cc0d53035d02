"""Who may work a connection: the rule by which it is taken, kept, or refused as held elsewhere.

Pure; called by both implementations of `Register.hold_connection`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from callplane.store.ports import ConnectionRow, HeldElsewhere
from callplane.values import ConnectionId, DeclaringObject


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """The arguments of `Register.hold_connection`."""

    connection: ConnectionId
    declared_by: DeclaringObject
    now: datetime
    stale_after_seconds: float
    new_epoch: bool
    force: bool


def decide(
    request: HoldRequest, row: ConnectionRow | None, *, released: bool
) -> ConnectionRow | HeldElsewhere:
    """The row as it is to be, or who has it. A `released` row only gives its epoch."""
    if row is None or released:
        return _taken(request, epoch=1 if row is None else row.epoch + 1)
    if _is_same_object(row, request.declared_by):
        epoch = row.epoch + 1 if request.new_epoch else row.epoch
        return replace(_taken(request, epoch=epoch), mirrored=_still_mirrored(row, request))
    age_seconds = (request.now - row.heartbeat_at).total_seconds()
    if request.force or age_seconds > request.stale_after_seconds:
        return _taken(request, epoch=row.epoch + 1)
    return HeldElsewhere(row)


def changes_hands(before: ConnectionRow | None, after: ConnectionRow) -> bool:
    """Must the one who worked the connection be told?"""
    return before is not None and not _is_same_object(before, after.declared_by)


def _is_same_object(row: ConnectionRow, declared_by: DeclaringObject) -> bool:
    # The UID is left out: an object of the same name in the same cluster has replaced the old one.
    return row.installation == declared_by.installation and row.declared_by.key == declared_by.key


def _still_mirrored(row: ConnectionRow, request: HoldRequest) -> int:
    """An object made anew starts with an empty status; the very same object does not."""
    return row.mirrored if row.declared_by.uid == request.declared_by.uid else 0


def _taken(request: HoldRequest, *, epoch: int) -> ConnectionRow:
    return ConnectionRow(
        connection=request.connection,
        installation=request.declared_by.installation,
        declared_by=request.declared_by,
        epoch=epoch,
        heartbeat_at=request.now,
    )
