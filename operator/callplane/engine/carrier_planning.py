"""What a plan says of numbers at a carrier: what would be bought, ported, set and given back there.

The steps are those of the controller's pass (`carrier_numbers`), over a carrier that stands still.
Where a carrier was not observed, only what the manifests show is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from callplane.apis.carriers import Carrier, CarrierType
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import Acquisition, PhoneNumber, ReleasePolicy
from callplane.apis.reasons import Reason
from callplane.desired import references
from callplane.engine import (
    carrier_changes,
    carrier_gathering,
    carrier_memory,
    carrier_numbers,
    carrier_orders,
    carrier_ports,
    carrier_settings,
    release_keys,
)
from callplane.engine.carrier_connections import ON_ITS_WAY
from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.planning_world import Declared, PlanningWorld
from callplane.engine.scope import Scope
from callplane.errors import Verdict, Waiting
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change
from callplane.plan.document import Level, Note, ObjectPlan, PlannedChange
from callplane.plan.gate_policy import is_gated
from callplane.providers.carrier_protocol import CarrierAction
from callplane.resources.carriers import NumberOffer, NumberOnCarrier
from callplane.store.ports import NumberRow
from callplane.values import E164, ObjectKey

AtCarrier = NumberRange | PhoneNumber


def note_of(verdict: Verdict) -> Note:
    """What a pass would report, as a note."""
    level = Level.WAITS if isinstance(verdict, Waiting) else Level.BLOCKED
    return Note(level, verdict.reason, verdict.message)


async def plan(world: PlanningWorld, declared: Declared) -> ObjectPlan:
    """The plan of an object that is no person; only numbers at a carrier have more than a name."""
    resource = declared.resource
    draft = ObjectPlan(declared.key, None, file=declared.file)
    if not isinstance(resource, NumberRange | PhoneNumber) or resource.spec.carrier_ref is None:
        return draft
    key = references.target("Carrier", resource.spec.carrier_ref, namespace=declared.key.namespace)
    scope = world.scope(declared.key)
    if key not in world.engine.carriers:
        return replace(draft, notes=tuple(_from_manifests(scope, resource, key)))
    draft = replace(draft, connection=key)
    try:
        side = await carrier_gathering.gather(scope, resource.spec.carrier_ref)
        found = await _found(world, scope, side, resource)
    except Verdict as verdict:
        return replace(draft, notes=(note_of(verdict),))
    if found.changes and not side.writable:
        said = scope.circumstances.suspended or "managementPolicy is Observe: shown, never written"
        found.notes.append(Note(Level.INFO, Reason.OBSERVE_ONLY, said))
    return replace(
        draft,
        written=side.writable,
        changes=tuple(PlannedChange.of(each, gated=is_gated(each)) for each in found.changes),
        notes=tuple(found.notes),
    )


def remarks(world: PlanningWorld, resources: Iterable[object]) -> list[str]:
    """Said once for a plan with numbers at carriers that were not observed."""
    unseen = sum(
        isinstance(each, NumberRange | PhoneNumber)
        and each.spec.carrier_ref is not None
        and references.target("Carrier", each.spec.carrier_ref, namespace=each.namespace)
        not in world.engine.carriers
        for each in resources
    )
    if not unseen:
        return []
    verb = "objects name carriers that were" if unseen > 1 else "object names a carrier that was"
    said = (
        f"{unseen} {verb} not observed, so what would be set there is not shown; callplane "
        "snapshot save observes carriers"
    )
    return [said]


@dataclass(slots=True)
class _Found:
    """Changes and notes as they are gathered."""

    changes: list[Change]
    notes: list[Note]


async def _found(
    world: PlanningWorld, scope: Scope, side: CarrierSide, resource: AtCarrier
) -> _Found:
    if isinstance(resource, NumberRange):
        found = await _of_range(world, scope, side, resource)
    else:
        found = await _of_number(world, scope, side, resource)
    try:
        takes_away = any(is_gated(change) for change in found.changes)
        if found.changes and side.writable:
            carrier_gathering.check_incident(side, takes_away=takes_away)
    except Verdict as verdict:
        found.notes.append(note_of(verdict))
    return found


# A range


async def _of_range(
    world: PlanningWorld, scope: Scope, side: CarrierSide, found: NumberRange
) -> _Found:
    if not side.runtime.can(CarrierAction.LIST):
        return _Found([], [])
    rows, missing = [], []
    for span in found.spec.spans:
        for number in span:
            row = side.runtime.known(number)
            if row is None:
                missing.append(number)
            else:
                rows.append(row)
    said = await _settings(world, scope, side, rows, found)
    if missing:
        text = carrier_numbers.missing_of_range(side, missing)
        said.notes.append(Note(Level.BLOCKED, Reason.NUMBER_NOT_OWNED, text))
    return said


async def _settings(
    world: PlanningWorld,
    scope: Scope,
    side: CarrierSide,
    rows: Sequence[NumberOnCarrier],
    resource: AtCarrier,
) -> _Found:
    """What is to be set on numbers that the account has."""
    known = [row for each in rows if (row := world.row_of(each.number)) is not None]
    wanted = await carrier_settings.wanted(scope, side, resource, known)
    changes = carrier_settings.differences(side, rows, wanted)
    unseen = sum(carrier_numbers.lacks_details(row, wanted) for row in rows)
    notes = [Note(Level.BLOCKED, Reason.ADDRESS_REFUSED, text) for text in wanted.refused]
    _, contested = carrier_settings.without_contested(scope, side, changes)
    if contested is not None:
        notes.append(note_of(contested))
    if unseen:
        text = (
            f"what is set on {unseen} numbers is not in the carrier's listing: the controller "
            "reads it one by one, and a plan does not compare it"
        )
        notes.append(Note(Level.INFO, "", text))
    return _Found(changes, notes)


# One number


async def _of_number(
    world: PlanningWorld, scope: Scope, side: CarrierSide, phone: PhoneNumber
) -> _Found:
    number = E164(phone.spec.e164)
    row = world.row_of(number)
    if not side.runtime.can(CarrierAction.LIST):
        carrier_numbers.require_what_is_asked(side, phone)
        return _Found([], [])
    observed = side.runtime.known(number)
    if observed is None:
        return _acquired(scope, side, phone, row)
    if carrier_numbers.is_pending(observed):
        said = observed.state_text or observed.state.value
        text = f"{number.masked} is not in use at the carrier yet: {said}"
        return _Found([], [Note(Level.WAITS, Reason.ORDER_PENDING, text)])
    if phone.spec.release_policy is ReleasePolicy.RELEASE:
        return _released(scope, side, phone, row)
    found = await _settings(world, scope, side, [observed], phone)
    if phone.spec.acquisition is not Acquisition.OWNED and world.is_new(scope.key):
        text = f"{number.masked} is in the account already: nothing is bought"
        found.notes.append(Note(Level.INFO, Reason.ADOPTED, text))
    return found


def _acquired(scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None) -> _Found:
    """The account does not have the number."""
    number = E164(phone.spec.e164)
    if phone.spec.release_policy is ReleasePolicy.RELEASE:
        return _Found([], [Note(Level.INFO, Reason.RELEASED, f"{number.masked} was given back")])
    acquisition = phone.spec.acquisition
    if acquisition is Acquisition.OWNED:
        text = carrier_numbers.missing_alone(side, number)
        return _Found([], [Note(Level.BLOCKED, Reason.NUMBER_NOT_OWNED, text)])
    is_asked_for = number in side.runtime.acquiring(*carrier_memory.ACQUISITIONS)
    if is_asked_for or (row is not None and row.state in ON_ITS_WAY):
        text = f"{number.masked} is on its way to us"
        return _Found([], [Note(Level.WAITS, Reason.ORDER_PENDING, text)])
    connection, terms = side.runtime.connection, phone.spec.port_in
    if acquisition is Acquisition.ORDER:
        checks: tuple[Callable[[], None], ...] = (
            lambda: carrier_gathering.require(side, CarrierAction.ORDER),
            lambda: carrier_orders.check_not_lost(side, number),
            lambda: carrier_orders.refuse_again(scope, side, number, row),
            lambda: carrier_orders.check_buys(side, number),
            lambda: carrier_orders.check_money(side),
        )
        # This very purchase counts, and the price is what the search will tell then.
        is_above = carrier_orders.is_above_limit(side, NumberOffer(number), more=1)
        change = carrier_changes.order(connection, number, is_above_limit=is_above)
    else:
        assert terms is not None
        checks = (
            lambda: carrier_gathering.require(side, CarrierAction.PORT_IN),
            lambda: carrier_orders.check_not_lost(side, number),
            lambda: carrier_orders.refuse_again(scope, side, number, row),
            lambda: carrier_orders.check_buys(side, number),
            lambda: carrier_ports.check_day(scope, terms.not_before, number),
        )
        change = carrier_changes.port_in(connection, number, losing_carrier=terms.losing_carrier)
    return _Found([change], [*_objections(checks)])


def _objections(checks: Iterable[Callable[[], None]]) -> Iterator[Note]:
    """Everything that a pass would say one at a time."""
    for check in checks:
        try:
            check()
        except Verdict as verdict:
            yield note_of(verdict)


def _released(scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None) -> _Found:
    """Both keys, the rest and the holders, as far as they can be seen without the history."""
    number = E164(phone.spec.e164)
    carrier_gathering.require(side, CarrierAction.RELEASE)
    if row is not None and row.state is NumberState.RELEASED:
        text = (
            f"{number.masked} was given back and the carrier shows it again; set releasePolicy "
            "Keep to take it back"
        )
        return _Found([], [Note(Level.BLOCKED, Reason.RELEASE_REFUSED, text)])
    notes = [*_release_keys(phone, _name(side))]
    in_the_way = release_keys.in_the_way(scope, number, row)
    if in_the_way:
        needs = "; ".join(each.what for each in in_the_way)
        text = f"{number.masked} is kept; a release needs: {needs}"
        notes.append(Note(Level.BLOCKED, Reason.RELEASE_REFUSED, text))
    return _Found([carrier_changes.release(side.runtime.connection, number)], notes)


def _release_keys(phone: PhoneNumber, carrier: str) -> Iterator[Note]:
    number = E164(phone.spec.e164).masked
    if phone.spec.release_acknowledgement is None:
        text = f"{number} is not given back: releaseAcknowledgement is missing"
        yield Note(Level.BLOCKED, Reason.RELEASE_REFUSED, text)
    else:
        text = f"{number} is given back to {carrier} for ever, after its rest and with an approval"
        yield Note(Level.WAITS, Reason.RELEASE_WAITING, text)


def _name(side: CarrierSide) -> str:
    return f"Carrier {side.carrier.namespace}/{side.carrier.name}"


# A carrier that was not observed


def _from_manifests(scope: Scope, phone: AtCarrier, key: ObjectKey) -> Iterator[Note]:
    if not isinstance(phone, PhoneNumber):
        return
    number = E164(phone.spec.e164).masked
    cached = scope.engine.cache.get(key)
    words = {
        Acquisition.ORDER: f"{number} is bought from {key}, unless the account has it already",
        Acquisition.PORT_IN: f"{number} is ported in to {key}, unless it is there already",
    }
    said = words.get(phone.spec.acquisition)
    if said is not None:
        yield _buying(said, cached.resource if cached is not None else None)
    if phone.spec.release_policy is ReleasePolicy.RELEASE:
        yield from _release_keys(phone, str(key))


def _buying(said: str, carrier: object) -> Note:
    if not isinstance(carrier, Carrier):
        return Note(Level.WAITS, Reason.DEPENDENCY_NOT_READY, said)
    if carrier.spec.type is CarrierType.BRING_YOUR_OWN:
        return Note(Level.BLOCKED, Reason.UNSUPPORTED, f"{said}: that carrier cannot be asked")
    if not carrier.spec.purchasing.enabled:
        return Note(Level.BLOCKED, Reason.PURCHASING_DISABLED, f"{said}: it does not buy")
    return Note(Level.WAITS, Reason.ORDER_PENDING, said)
