"""What the register remembers of a number at a carrier, so that a restart forgets nothing: what we
last set on it, who undid that, that it has just become ours, what a release took off it, and what
the carrier has refused.

One holder row a number, whose holder is the number itself. `carrier_writing` commits it with the
intent that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from callplane.engine import carrier_changes
from callplane.engine.register_mirror import RegisterMirror
from callplane.plan.change import Cause, Change, Operation
from callplane.resources.carriers import EmergencyAddress
from callplane.store.ports import Commit, HolderRow
from callplane.values import E164, HolderId, Platform

#: The number is ours, and no read has shown it yet.
ARRIVED = "arrived"
#: What hung on the number before a release took it off.
TAKEN_OFF = "takenOff"
#: What was refused at once, for which spec of which object: it is not asked for again.
REFUSED = "refused"
#: For which object (its UID) the number was ours first: it is not bought or ported a second time.
HAD_FOR = "hadFor"
ACQUISITIONS = frozenset({Operation.ORDER_NUMBER, Operation.PORT_NUMBER_IN})


@dataclass(frozen=True, slots=True)
class TakenOff:
    """What a release took off its number: it is put back when the number is kept."""

    address: EmergencyAddress | None = None
    locked: bool = False


def arrived(mirror: RegisterMirror) -> set[E164]:
    """Numbers that have become ours and that no read had shown."""
    return {E164(row.holder.user_id) for row in _rows(mirror) if ARRIVED in row.applied}


def taken_off(mirror: RegisterMirror) -> dict[E164, TakenOff]:
    """By number, what releases that were not finished took off."""
    return {
        E164(row.holder.user_id): _read(row.applied[TAKEN_OFF])
        for row in _rows(mirror)
        if TAKEN_OFF in row.applied
    }


def refused(mirror: RegisterMirror) -> dict[E164, str]:
    """By number, what the carrier refused last."""
    return {
        E164(row.holder.user_id): str(row.applied[REFUSED])
        for row in _rows(mirror)
        if REFUSED in row.applied
    }


def _rows(mirror: RegisterMirror) -> Iterable[HolderRow]:
    return (row for row in mirror.holders.values() if row.holder.platform is Platform.CARRIER)


def _read(content: Mapping[str, Any]) -> TakenOff:
    address = content.get("address")
    return TakenOff(EmergencyAddress(**address) if address else None, bool(content.get("locked")))


def row_of(mirror: RegisterMirror, number: E164) -> HolderRow:
    """The row of a number; a new one where nothing is remembered of it."""
    holder = carrier_changes.subject(mirror.connection, number)
    known = mirror.holders.get(holder)
    return known or HolderRow(holder, mirror.connection, None, "", {}, {})


def is_drift(mirror: RegisterMirror, change: Change) -> bool:
    """Did we set this very value before, so that the carrier moved and not the declaration?"""
    row = row_of(mirror, E164(change.subject))
    last = row.applied.get(carrier_changes.setting_name(change))
    return change.after is not None and last == dict(change.after)


def with_cause(mirror: RegisterMirror, change: Change) -> Change:
    """The change, told apart from one that a manifest asks for."""
    return replace(change, cause=Cause.DRIFT) if is_drift(mirror, change) else change


@dataclass(frozen=True, slots=True)
class Remembered:
    """The part of a commit that says what is remembered from now on."""

    holders: tuple[HolderRow, ...] = ()
    dropped: tuple[HolderId, ...] = ()


def after(mirror: RegisterMirror, change: Change, *, now: datetime) -> Remembered:
    """What is remembered of the number once the change is seen to have happened."""
    row = row_of(mirror, E164(change.subject))
    if change.operation is Operation.RELEASE_NUMBER:
        return _kept(mirror, replace(row, applied={}, undone={}))
    applied = dict(row.applied)
    if change.operation in ACQUISITIONS:
        applied.pop(REFUSED, None)
        applied[ARRIVED] = now.isoformat()
    elif change.after is None:
        applied.pop(carrier_changes.setting_name(change), None)
    else:
        applied[carrier_changes.setting_name(change)] = dict(change.after)
    return _kept(mirror, replace(row, applied=applied))


async def seen(mirror: RegisterMirror, number: E164, *, now: datetime) -> None:
    """A read shows a number that had just become ours."""
    await _forget(mirror, number, ARRIVED, now=now)


async def remember_taken_off(
    mirror: RegisterMirror, number: E164, what: TakenOff, *, now: datetime
) -> None:
    """Committed before it is taken off, so that no crash forgets it."""
    row = row_of(mirror, number)
    address = asdict(what.address) if what.address is not None else None
    content = {"address": address, "locked": what.locked}
    if row.applied.get(TAKEN_OFF) != content:
        row = replace(row, applied={**row.applied, TAKEN_OFF: content})
        await mirror.commit(Commit(holders=(row,)), now=now)


async def remember_refusal(
    mirror: RegisterMirror, number: E164, text: str, *, now: datetime
) -> None:
    """A restart must not ask again: asking for a release takes the emergency address off first."""
    row = row_of(mirror, number)
    if row.applied.get(REFUSED) != text:
        row = replace(row, applied={**row.applied, REFUSED: text})
        await mirror.commit(Commit(holders=(row,)), now=now)


def was_had(mirror: RegisterMirror, number: E164) -> bool:
    """Was the number bought or ported before, for whichever object? Objects are made anew, with new
    UIDs, in another namespace and in another cluster.
    """
    return HAD_FOR in row_of(mirror, number).applied


async def remember_had(mirror: RegisterMirror, number: E164, uid: str, *, now: datetime) -> None:
    """A number that was bought or ported for an object is there."""
    row = row_of(mirror, number)
    if HAD_FOR not in row.applied:
        row = replace(row, applied={**row.applied, HAD_FOR: uid})
        await mirror.commit(Commit(holders=(row,)), now=now)


async def forget_had(mirror: RegisterMirror, number: E164, *, now: datetime) -> None:
    """Its object asks for the number no more; when it does again, that is another wish."""
    await _forget(mirror, number, HAD_FOR, now=now)


async def put_back(mirror: RegisterMirror, number: E164, *, now: datetime) -> None:
    """Nothing of the number is off any more, or nothing can be done about it."""
    await _forget(mirror, number, TAKEN_OFF, now=now)


async def _forget(mirror: RegisterMirror, number: E164, name: str, *, now: datetime) -> None:
    row = row_of(mirror, number)
    if name in row.applied:
        applied = {key: value for key, value in row.applied.items() if key != name}
        kept = _kept(mirror, replace(row, applied=applied))
        await mirror.commit(Commit(holders=kept.holders, dropped_holders=kept.dropped), now=now)


def _kept(mirror: RegisterMirror, row: HolderRow) -> Remembered:
    """A row that says nothing is not kept."""
    if row.applied or row.undone:
        return Remembered(holders=(row,))
    return Remembered(dropped=(row.holder,) if row.holder in mirror.holders else ())
