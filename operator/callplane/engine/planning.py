"""What the controller would do with a tree of manifests, computed without doing it.

`callplane plan` calls `compute`. Each object goes through the very steps of the controller's pass
(`gathering`, `holders`, `people.plan_line`, `guarding`, `leaving`), in a world that stands
still. What the controller would report one reason at a time is gathered here as notes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callplane.apis.parsing import parse_lenient
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.reasons import Reason
from callplane.apis.service_lines import ServiceLine
from callplane.desired.declarations import (
    PLATFORM_KINDS,
    PersonObject,
    connection_key,
    is_person,
    person_key,
)
from callplane.engine import (
    carrier_planning,
    creating,
    gathering,
    guarding,
    holders,
    intents,
    leaving,
    people,
    trunk_planning,
)
from callplane.engine.carrier_planning import note_of
from callplane.engine.connection_status import limits_of
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.gate_forecast import ProposedChanges, forecast
from callplane.engine.gathering import Gathered
from callplane.engine.observations import Observations, key_of
from callplane.engine.people import PlannedLine
from callplane.engine.planning_world import Declared, Judge, PlanningWorld
from callplane.engine.recorded_carrier import SkillsOf
from callplane.engine.scope import Scope
from callplane.errors import CallplaneError, Stalled, Verdict
from callplane.numbering.lifecycle import HELD, Cause
from callplane.plan import effects
from callplane.plan.change import Change, Operation
from callplane.plan.document import RESTS, Level, Note, ObjectPlan, Plan, PlannedChange
from callplane.plan.gate_policy import is_gated
from callplane.status.conditions import NotKnown
from callplane.values import E164, HolderId, ObjectKey


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan is made of.

    `declared` are the objects of the tree, `removed` those that a base revision had and the tree
    has not (`base` names it). Objects that only the cluster has are in the observations: they are
    referred to, and nothing is planned for them.
    """

    observations: Observations
    declared: Sequence[Declared]
    judge: Judge
    skills: SkillsOf
    removed: Sequence[Declared] = ()
    base: str = ""
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


async def compute(inputs: PlanInputs) -> Plan:
    """The plan. Same inputs, same plan; nothing is read or written but the inputs."""
    world = PlanningWorld(
        inputs.observations,
        judge=inputs.judge,
        skills=inputs.skills,
        namespace_labels=inputs.namespace_labels,
    )
    remarks = await _people_world(world, inputs)
    remarks += carrier_planning.remarks(world, (each.resource for each in inputs.declared))
    plans = [await _plan_removed(world, each) for each in _sorted(inputs.removed)]
    ordered = _in_order_of_passes(world, inputs.declared)
    plans += [await _plan_declared(world, each) for each in ordered]
    said = [_with_rest(world, each) for each in plans if each.changes or each.notes]
    gates = [
        forecast(world, key, _proposals(said, key), inputs.declared)
        for key in sorted(runtime.key for runtime in world.engine.all_at_work())
    ]
    return Plan(
        observed_at=inputs.observations.taken_at,
        observed_by=inputs.observations.taken_by,
        has_register=inputs.observations.has_register,
        base=inputs.base,
        unchanged=len(plans) - len(said),
        objects=tuple(sorted(said, key=lambda each: each.sort_key)),
        gates=tuple(gates),
        remarks=tuple(remarks),
    )


async def _people_world(world: PlanningWorld, inputs: PlanInputs) -> list[str]:
    """Put every object in and bring the connections to work; returns what is worth a remark."""
    stated = {each.key for each in (*inputs.declared, *inputs.removed)}
    for body in inputs.observations.objects:
        if key_of(body) not in stated:
            world.put(Declared(key_of(body), body, None))
    for each in inputs.declared:
        world.put(each)
    for each in inputs.removed:
        world.put(each, deleting=True)
    connections = [
        each.key
        for kind in PLATFORM_KINDS
        for each in world.engine.cache.of_kind(kind)
        if each.resource
    ]
    remarks = [
        f"{key} was not observed, so nothing is planned on it; callplane snapshot save observes it"
        for key in sorted(connections)
        if not await world.connect(key)
    ]
    for key in sorted(c.key for c in world.engine.cache.of_kind("Carrier") if c.resource):
        try:
            await world.connect_carrier(key)
        except CallplaneError as error:
            remarks.append(f"{key} cannot be planned on: {error}")
    _keep_limits(world, inputs.observations)
    if inputs.observations.connections and not inputs.observations.has_register:
        remarks.append(
            "the number register was not read, so numbers look foreign that are ours; name the "
            "database with --database-url"
        )
    return remarks


def _keep_limits(world: PlanningWorld, observations: Observations) -> None:
    """Looser limits in the tree are for later: this very plan is judged by those of the cluster."""
    for body in observations.objects:
        runtime = world.engine.at_work(key_of(body))
        if runtime is not None:
            spec: Any = getattr(parse_lenient(body).resource, "spec", None)
            if spec is not None:
                runtime.gate.reconfigure(limits_of(spec).change_limits)


def _sorted(objects: Iterable[Declared]) -> list[Declared]:
    return sorted(objects, key=lambda each: each.key)


def _in_order_of_passes(world: PlanningWorld, objects: Iterable[Declared]) -> list[Declared]:
    """Numbers that are named go before numbers that are drawn, so that no draw takes one of them;
    then the older object, then by name.
    """

    def order(each: Declared) -> tuple[bool, str, ObjectKey]:
        resource = each.resource
        source = resource.spec.phone_number if is_person(resource) else None
        draws = source is not None and source.range_ref is not None
        draws = draws or isinstance(resource, PbxTrunk)
        return draws, world.cached(each.key).created, each.key

    return sorted(objects, key=order)


# An object of the tree


async def _plan_declared(world: PlanningWorld, declared: Declared) -> ObjectPlan:
    if isinstance(declared.resource, PbxTrunk):
        return await trunk_planning.plan(world, declared)
    if not is_person(declared.resource):
        return await carrier_planning.plan(world, declared)
    scope = world.scope(declared.key)
    user = declared.resource
    draft = ObjectPlan(
        declared.key,
        connection_key(user, namespace=declared.key.namespace),
        person=person_key(user),
        file=declared.file,
    )
    try:
        gathered = await gathering.gather(scope, user)
        writable = gathering.may_write(scope, user, gathered)
        holder = await _resolved(scope, user, gathered)
        planned = await people.plan_line(scope, user, gathered, holder, writable=writable)
    except Verdict as verdict:
        return replace(draft, notes=(note_of(verdict),))
    if isinstance(planned, NotKnown):
        return replace(draft, notes=(Note(Level.WAITS, "", planned.message),))
    notes = _ownership_notes(scope, gathered, holder, planned)
    changes = planned.line_plan.changes
    if not writable:
        notes += (Note(Level.INFO, Reason.OBSERVE_ONLY, _why_not_written(scope)),) * bool(changes)
    elif changes:
        notes += await _guard(scope, gathered, holder, planned)
    return replace(
        draft,
        written=writable,
        changes=tuple(_planned(world, gathered.runtime, user, change) for change in changes),
        notes=notes,
    )


async def _resolved(scope: Scope, user: PersonObject, gathered: Gathered) -> HolderId:
    """The holder; somebody who is to be created is waited for."""
    try:
        return await holders.resolve(scope, user, gathered)
    except Stalled as stalled:
        awaited = creating.awaits(user)
        if stalled.reason == Reason.USER_NOT_FOUND and awaited is not None:
            raise awaited from None
        raise


def _why_not_written(scope: Scope) -> str:
    return scope.circumstances.suspended or "managementPolicy is Observe: shown, never written"


def _planned(
    world: PlanningWorld, runtime: ConnectionRuntime, user: PersonObject, change: Change
) -> PlannedChange:
    """A number that this plan drew is only the next one of its range, until it is claimed."""
    source, after = user.spec.phone_number, change.after
    drawn = source is not None and source.range_ref is not None and after is not None
    if drawn and after is not None and change.operation is Operation.ASSIGN_NUMBER:
        number = E164(after["number"])
        row = runtime.mirror.numbers.get(number)
        if number in world.registers[runtime.key].allocated and row is not None:
            symbolic = {key: value for key, value in after.items() if key != "number"}
            change = replace(change, after={"range": row.range_name, **symbolic})
    return PlannedChange.of(change, gated=is_gated(change))


def _ownership_notes(
    scope: Scope, gathered: Gathered, holder: HolderId, planned: PlannedLine
) -> tuple[Note, ...]:
    """What happens in the register alone: taking over and adopting write to no provider."""
    notes = []
    row = gathered.runtime.mirror.holders.get(holder)
    before = row.declared_by if row is not None else None
    if before is not None and before.key != scope.key:
        notes.append(
            Note(Level.INFO, "", f"takes the person over from {before}; nothing is written")
        )
    number = planned.observed.number
    if number is not None and planned.desired.number == number:
        moves = holders.confirmation(scope, gathered, holder, number)
        if any(move.cause == Cause.ADOPT for move in moves):
            text = f"{number.number.masked} is as declared and becomes ours; nothing is written"
            notes.append(Note(Level.INFO, Reason.ADOPTED, text))
    return tuple(notes)


async def _guard(
    scope: Scope, gathered: Gathered, holder: HolderId, planned: PlannedLine
) -> tuple[Note, ...]:
    """Everything that the guard of a pass would object, not only the first of it."""
    changes = planned.line_plan.changes
    awaited = planned.number.waits_for_transfer
    checks: tuple[Callable[[], Awaitable[None] | None], ...] = (
        lambda: guarding.check_foreign(gathered, holder, changes),
        lambda: guarding.check_managed_elsewhere(gathered, changes),
        lambda: guarding.check_contested(scope, gathered, holder, changes),
        lambda: guarding.check_incident(scope, gathered, changes),
        lambda: guarding.check_readiness(
            gathered,
            holder,
            changes,
            is_awaited=awaited is not None,
            is_service=isinstance(scope.cached.resource, ServiceLine),
        ),
    )
    notes = []
    for check in checks:
        try:
            asked = check()
            if asked is not None:
                await asked
        except Verdict as verdict:
            notes.append(note_of(verdict))
    _, unsupported = guarding.split_unsupported(gathered, changes)
    if unsupported is not None:
        notes.append(note_of(unsupported))
    if awaited is not None:
        text = f"{awaited.number.masked} goes over from {awaited.declared_by} without a rest"
        notes.append(Note(Level.INFO, Reason.NUMBER_IN_TRANSFER, text))
    return tuple(notes)


# An object that is gone from the tree


async def _plan_removed(world: PlanningWorld, removed: Declared) -> ObjectPlan:
    if isinstance(removed.resource, PbxTrunk):
        return await trunk_planning.plan_removed(world, removed)
    scope = world.scope(removed.key)
    draft = ObjectPlan(removed.key, None, file=removed.file, removed=True)
    if not is_person(removed.resource):
        return replace(draft, notes=tuple(_notes_of_unused(world, removed)))
    draft = replace(
        draft,
        connection=connection_key(removed.resource, namespace=removed.key.namespace),
        person=person_key(removed.resource),
    )
    try:
        return _plan_leaver(world, scope, draft)
    except Verdict as verdict:
        return replace(draft, notes=(note_of(verdict),))


def _plan_leaver(world: PlanningWorld, scope: Scope, draft: ObjectPlan) -> ObjectPlan:
    runtime, row = leaving.find(scope)
    if runtime is None or row is None:
        return replace(draft, notes=(Note(Level.INFO, "", "has no number of ours"),))
    successor = leaving.successor_of(scope, runtime, row)
    if successor is not None:
        text = f"{successor.key} declares the same person; nothing is written"
        return replace(draft, notes=(Note(Level.INFO, "", text),))
    gathered = leaving.ready(scope, runtime)
    if gathered is None or leaving.detaches(scope, gathered):
        text = "let go: the person keeps everything, and the claim has no declaring object"
        return replace(draft, notes=(Note(Level.INFO, Reason.DETACHED, text),))
    changes: list[PlannedChange] = []
    notes: list[Note] = []
    for number_row in runtime.mirror.rows_of(row.holder):
        if number_row.holder == row.holder and number_row.state in HELD:
            change = leaving.unassignment(runtime, row, number_row)
            if effects.number_shows(runtime.snapshot.number(number_row.number), change):
                continue
            changes.append(PlannedChange.of(change, gated=is_gated(change)))
            notes.extend(_freeze_notes(scope, gathered, change))
    return replace(draft, changes=tuple(changes), notes=tuple(notes))


def _freeze_notes(scope: Scope, gathered: Gathered, change: Change) -> list[Note]:
    try:
        guarding.check_incident(scope, gathered, (change,))
    except Verdict as verdict:
        return [note_of(verdict)]
    return []


def _with_rest(world: PlanningWorld, each: ObjectPlan) -> ObjectPlan:
    """What becomes of a number that is given up, once every pass has said what it wants."""
    runtime = world.engine.connections.get(each.connection) if each.connection else None
    if runtime is None or not each.written or each.is_blocked:
        return each
    for planned in each.changes:
        if planned.change.operation is not Operation.UNASSIGN_NUMBER:
            continue
        row = runtime.mirror.numbers.get(E164(planned.change.number or ""))
        if row is None or any(note.reason == Reason.NUMBER_IN_TRANSFER for note in each.notes):
            continue
        if row.transfer_to is not None:
            note = Note(
                Level.INFO, Reason.NUMBER_IN_TRANSFER, "the number goes over without a rest"
            )
        else:
            days = intents.quarantine_days(world.scope(each.key), row)
            note = Note(Level.INFO, RESTS, f"rests {days} days")
        return replace(each, notes=(*each.notes, note))
    return each


def _notes_of_unused(world: PlanningWorld, removed: Declared) -> Iterable[Note]:
    """Connections and ranges wait until nothing depends on them."""
    name = f"{removed.key.namespace}/{removed.key.name}"
    for runtime in world.engine.connections.values():
        held = [row for row in runtime.mirror.numbers.values() if row.state in HELD]
        if removed.key.kind in ("NumberRange", "PhoneNumber"):
            held = [row for row in held if row.range_name == name]
        elif runtime.key != removed.key:
            continue
        if held:
            text = f"stays until the {len(held)} numbers in use have been given up"
            yield Note(Level.WAITS, Reason.IN_USE, text)


# The gate


def _proposals(plans: Iterable[ObjectPlan], connection: ObjectKey) -> list[ProposedChanges]:
    """Gated changes that would come before the gate: those of objects that nothing blocks."""
    return [
        ProposedChanges(each.key, gated)
        for each in plans
        if each.connection == connection and each.written and not each.is_blocked
        if (gated := tuple(planned.change for planned in each.changes if planned.gated))
    ]
