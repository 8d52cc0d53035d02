"""What a plan says of a PBX: which numbers it would get, give up or ask for.

The steps are those of the controller's pass (`pbx_trunks`), over a register that stands still. Free
numbers of a range are counted, not listed: a PBX may have thousands, and none of them is anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.reasons import Reason
from callplane.desired.declarations import connection_key
from callplane.desired.sip_lines import trunk_key
from callplane.engine import gathering, guarding, leaving, pbx_trunks
from callplane.engine.carrier_planning import note_of
from callplane.engine.gathering import Gathered
from callplane.engine.pbx_trunks import Wanted
from callplane.engine.planning_world import Declared, PlanningWorld
from callplane.engine.scope import Scope
from callplane.errors import Verdict
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change
from callplane.plan.document import Level, Note, ObjectPlan, PlannedChange
from callplane.store.ports import NumberRow
from callplane.values import HolderId


async def plan(world: PlanningWorld, declared: Declared) -> ObjectPlan:
    """The plan of one PBX of the tree."""
    scope, trunk = world.scope(declared.key), declared.resource
    assert isinstance(trunk, PbxTrunk)
    draft = _draft(declared, trunk)
    try:
        pbx_trunks.check_rules(scope, trunk)
        gathered = await gathering.gather(scope, trunk)
        writable = gathering.may_write(scope, trunk, gathered)
        holder = gathered.runtime.holder(trunk_key(trunk.spec.trunk))
        pbx_trunks.check_declared_once(scope, gathered, holder)
        wanted = await pbx_trunks.wanted_numbers(scope, gathered, trunk)
    except Verdict as verdict:
        return replace(draft, notes=(note_of(verdict),))
    notes = [*await _gains(scope, gathered, holder, wanted), *map(note_of, wanted.problems)]
    rows = [
        row for row in pbx_trunks.held_by(gathered, holder) if pbx_trunks.is_given_up(row, wanted)
    ]
    changes = [pbx_trunks.unassignment(gathered.runtime, row) for row in rows]
    notes += _about(scope, gathered, changes, rows)
    if not writable and (changes or notes):
        notes.append(Note(Level.INFO, Reason.OBSERVE_ONLY, "shown, never written"))
    return _with(draft, changes, notes, written=writable)


async def plan_removed(world: PlanningWorld, removed: Declared) -> ObjectPlan:
    """The plan of a PBX that is gone from the tree."""
    scope, trunk = world.scope(removed.key), removed.resource
    assert isinstance(trunk, PbxTrunk)
    draft = replace(_draft(removed, trunk), removed=True)
    try:
        runtime, row = leaving.find(scope)
        if runtime is None or row is None:
            return replace(draft, notes=(Note(Level.INFO, "", "has no number of ours"),))
        other = next(pbx_trunks.others(scope, runtime, row.holder), None)
        if other is not None:
            text = f"{other.key} declares the same trunk; nothing is given up"
            return replace(draft, notes=(Note(Level.INFO, "", text),))
        gathered = leaving.ready(scope, runtime)
        if gathered is None or leaving.detaches(scope, gathered):
            text = "let go: the PBX keeps everything, and the claims have no declaring object"
            return replace(draft, notes=(Note(Level.INFO, Reason.DETACHED, text),))
        rows = pbx_trunks.held_by(gathered, row.holder)
        changes = [pbx_trunks.unassignment(runtime, each) for each in rows]
        return _with(draft, changes, _about(scope, gathered, changes, rows), written=True)
    except Verdict as verdict:
        return replace(draft, notes=(note_of(verdict),))


def _draft(declared: Declared, trunk: PbxTrunk) -> ObjectPlan:
    return ObjectPlan(
        declared.key,
        connection_key(trunk, namespace=declared.key.namespace),
        person=trunk_key(trunk.spec.trunk),
        file=declared.file,
    )


def _with(
    draft: ObjectPlan, changes: list[Change], notes: list[Note], *, written: bool
) -> ObjectPlan:
    # All of them take a number away, which the gate judges.
    planned = tuple(PlannedChange.of(change, gated=True) for change in changes)
    return replace(draft, written=written, changes=planned, notes=tuple(notes))


async def _gains(scope: Scope, gathered: Gathered, holder: HolderId, wanted: Wanted) -> list[Note]:
    rows = {
        row.number: row
        for runtime in scope.engine.connections.values()
        for row in runtime.mirror.numbers.values()
    }
    notes = []
    for stock in wanted.ranges:
        free = sum(1 for _ in pbx_trunks.free_moves(scope, holder, stock, list(rows.values())))
        if free:
            notes.append(Note(Level.INFO, "", f"gets {free} numbers of {stock.key} that are free"))
    blind = next(gathering.unlisted(scope), None)
    if notes and blind is not None:
        notes.append(note_of(gathering.not_listed(blind)))
    for number in wanted.named:
        row = rows.get(number)
        if row is None or row.state is NumberState.FREE:
            notes.append(Note(Level.INFO, "", f"gets {number.masked}"))
        elif row.holder != holder:
            notes.append(Note(Level.WAITS, "", f"asks {row.declared_by} for {number.masked}"))
    return notes


def _about(
    scope: Scope, gathered: Gathered, changes: list[Change], rows: list[NumberRow]
) -> list[Note]:
    return [*_freeze(scope, gathered, changes), *_transfers(rows)]


def _freeze(scope: Scope, gathered: Gathered, changes: list[Change]) -> Iterator[Note]:
    try:
        guarding.check_incident(scope, gathered, tuple(changes))
    except Verdict as verdict:
        yield note_of(verdict)


def _transfers(rows: list[NumberRow]) -> Iterator[Note]:
    going = sum(row.transfer_to is not None for row in rows)
    if going:
        text = f"{going} numbers go over without a rest"
        yield Note(Level.INFO, Reason.NUMBER_IN_TRANSFER, text)
