"""A number that one live holder gives up and another names goes over without quarantine, also from
one platform to another.

The giver goes first; the receiver waits, and keeps its own number until the new one is free. In a
cycle (two people who swap) somebody has to go first: the smallest holder in sorted order. A crash
at any point leaves the number kept for the receiver.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.reasons import Reason
from callplane.desired import references
from callplane.desired.declarations import (
    PLATFORM_KINDS,
    PersonObject,
    is_person,
    is_platform,
    system_of,
)
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.gathering import Gathered
from callplane.engine.holders import claim_of_holder
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import CachedObject
from callplane.engine.scope import Scope
from callplane.errors import Waiting
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change, Operation
from callplane.resources.lines import NumberType
from callplane.store.ports import Commit, Move, NumberRow
from callplane.values import E164, DeclaringObject, HolderId, ObjectKey, Platform

ASKING_LOOK_SECONDS = 0.2
AWAY_LOOK_SECONDS = 15.0


async def begin(scope: Scope, gathered: Gathered, row: NumberRow, *, receiver: HolderId) -> bool:
    """Mark the number for the receiver when its holder's live object no longer wants it."""
    if row.state not in (NumberState.ASSIGNED, NumberState.CLAIMED) or row.declared_by is None:
        return False
    giver = scope.engine.live(row.declared_by.uid)
    if giver is None or not gives_up(scope, giver, row.number):
        return False
    giving = scope.engine.runtime_on(row.connection)
    if giving is None:
        return False
    rows, moves = claim_of_holder(scope, gathered, receiver)
    transfer = _move(row, NumberState.TRANSFERRING, Cause.TRANSFER, receiver)
    now = scope.engine.clock.now()
    if giving is gathered.runtime:
        await giving.mirror.commit(Commit(moves=(*moves, transfer), holders=rows), now=now)
    else:
        # The receiver is known to the register before anything is kept for them.
        if rows or moves:
            await gathered.runtime.mirror.commit(Commit(moves=moves, holders=rows), now=now)
        await giving.mirror.commit(Commit(moves=(transfer,)), now=now)
    scope.engine.queue.add(giver.key, Priority.DEPENDENCY)
    return True


def let_receivers_ask(scope: Scope, gathered: Gathered, changes: Sequence[Change]) -> None:
    """A number that is about to be given up goes to whoever states it. In a flood of edits their
    pass may still wait for its turn, and a number that nobody has asked for would rest: they go
    first. Raises Waiting.
    """
    for change in changes:
        if change.operation is not Operation.UNASSIGN_NUMBER or change.number is None:
            continue
        number = E164(change.number)
        row = gathered.runtime.mirror.numbers.get(number)
        if row is None or row.state is NumberState.TRANSFERRING or scope.cached.is_deleting:
            continue
        queue = scope.engine.queue
        asking = [
            key
            for key in scope.engine.cache.stating(number)
            if key != scope.key and queue.is_asked_for(key)
        ]
        for key in asking:
            queue.add(key, Priority.USER)
        if asking:
            raise Waiting(
                Reason.PROGRESSING,
                f"{number.masked} is stated by {asking[0]}, which has not asked for it yet",
                after_seconds=ASKING_LOOK_SECONDS,
            )


async def cancel(scope: Scope, gathered: Gathered, row: NumberRow) -> None:
    """The holder wants its number after all."""
    move = _move(row, NumberState.ASSIGNED, Cause.CANCEL, None)
    await gathered.runtime.mirror.commit(Commit(moves=(move,)), now=scope.engine.clock.now())


def _move(row: NumberRow, to: NumberState, cause: Cause, receiver: HolderId | None) -> Move:
    return Move(
        number=row.number,
        expected=row.state,
        to=to,
        cause=cause,
        expected_holder=row.holder,
        holder=row.holder,
        declared_by=row.declared_by,
        range_name=row.range_name,
        number_type=row.number_type,
        transfer_to=receiver,
    )


def gives_up(scope: Scope, cached: CachedObject, number: E164) -> bool:
    """Does a live object's declaration no longer allow this number? An unmanaged number is kept."""
    user = cached.resource
    if isinstance(user, PbxTrunk):
        # What it only has by a range goes to whoever names it.
        return number.text not in user.spec.numbers
    if not is_person(user) or user.spec.phone_number is None:
        return False
    declared = user.spec.phone_number
    if declared.none is not None:
        return True
    if declared.e164 is not None:
        return declared.e164 != number.text
    return not _inside(scope, cached.key, user, number)


def _inside(scope: Scope, key: ObjectKey, user: PersonObject, number: E164) -> bool:
    """Is the number one of what the declaration refers to? Unknown counts as yes."""
    for target in references.targets(user):
        found = scope.engine.cache.get(target)
        if target.kind == "NumberRange":
            resource = found.resource if found is not None else None
            spans = getattr(getattr(resource, "spec", None), "spans", None)
            return spans is None or any(number in span for span in spans)
        if target.kind == "PhoneNumber":
            resource = found.resource if found is not None else None
            stated = getattr(getattr(resource, "spec", None), "e164", None)
            return stated is None or stated == number.text
    return True


def goes_first(scope: Scope, holder: HolderId, awaited: NumberRow) -> bool:
    """May the holder give its own number up before the awaited one is free? Only to break a cycle,
    and only when nobody else in it stands still: who goes first has no number for a while.
    """
    cycle = [holder]
    current = awaited.holder
    while current is not None and current not in cycle:
        cycle.append(current)
        current = _awaited_by(scope, current)
    if current != holder:
        return False
    if min(cycle, key=lambda member: member.sort_key) != holder:
        return False
    return not any(_is_stalled(scope, member) for member in cycle if member != holder)


def _is_stalled(scope: Scope, holder: HolderId) -> bool:
    runtime = scope.engine.runtime_on(holder.connection)
    row = runtime.mirror.holders.get(holder) if runtime is not None else None
    owner = row.declared_by if row is not None else None
    cached = scope.engine.live(owner.uid) if owner is not None else None
    conditions = cached.status.get("conditions", ()) if cached is not None else ()
    return any(condition.get("type") == "Stalled" for condition in conditions)


def _awaited_by(scope: Scope, holder: HolderId) -> HolderId | None:
    """Whoever has the number that this holder waits for, on whichever platform."""
    for runtime in scope.engine.connections.values():
        for row in runtime.mirror.rows_of(holder):
            if row.transfer_to == holder and row.state is NumberState.TRANSFERRING:
                return row.holder
    return None


def after_unassign(
    scope: Scope, gathered: Gathered, row: NumberRow, *, quarantine_days: int
) -> tuple[Move, ObjectKey | None]:
    """The move of a number that its holder has no more: to whom it is kept for, or to rest."""
    receiver = row.transfer_to
    claimant = live_claimant(scope, gathered, receiver)
    if row.state is NumberState.TRANSFERRING and receiver is not None and claimant is not None:
        move = Move(
            number=row.number,
            expected=row.state,
            to=NumberState.CLAIMED,
            cause=Cause.RECEIVE,
            expected_holder=row.holder,
            holder=receiver,
            declared_by=claimant,
            range_name=row.range_name,
            number_type=_type_for(receiver, row),
        )
        return move, claimant.key
    until = scope.engine.clock.now() + timedelta(days=quarantine_days)
    move = Move(
        number=row.number,
        expected=row.state,
        to=NumberState.QUARANTINED,
        cause=Cause.ABANDON if row.state is NumberState.TRANSFERRING else Cause.UNASSIGN,
        expected_holder=row.holder,
        holder=row.holder,
        range_name=row.range_name,
        number_type=row.number_type,
        quarantined_until=until,
    )
    return move, None


def _type_for(receiver: HolderId, row: NumberRow) -> str:
    """What the number is to the receiver: only numbers of our own trunks change platforms."""
    if row.holder is not None and row.holder.platform is receiver.platform:
        return row.number_type
    return _TYPES_OF_OUR_TRUNKS[receiver.platform].value


_TYPES_OF_OUR_TRUNKS = {
    Platform.TEAMS: NumberType.DIRECT_ROUTING,
    Platform.WEBEX: NumberType.WEBEX,
    Platform.SIP: NumberType.SIP,
}


def live_claimant(
    scope: Scope, gathered: Gathered, receiver: HolderId | None
) -> DeclaringObject | None:
    """The object that declares the receiver, while it lives. Raises Waiting while the receiver's
    platform is declared and not at work, for then nobody can tell.
    """
    if receiver is None:
        return None
    runtime: ConnectionRuntime | None = gathered.runtime
    if receiver.connection != gathered.runtime.connection:
        runtime = scope.engine.runtime_on(receiver.connection)
    if runtime is None:
        _check_away(scope, receiver)
        return None
    row = runtime.mirror.holders.get(receiver)
    if row is None or row.declared_by is None:
        return None
    return row.declared_by if scope.engine.live(row.declared_by.uid) is not None else None


def _check_away(scope: Scope, receiver: HolderId) -> None:
    for kind in PLATFORM_KINDS:
        for cached in scope.engine.cache.of_kind(kind):
            platform = cached.resource
            if is_platform(platform) and system_of(platform) == receiver.connection:
                raise Waiting(
                    Reason.DEPENDENCY_NOT_READY,
                    f"the number is kept for somebody on {cached.key}, which is not at work",
                    after_seconds=AWAY_LOOK_SECONDS,
                )
