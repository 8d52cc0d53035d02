"""What is set on our numbers at the carrier: route to the SBC, emergency address, deletion lock.

Each is set where it differs, read back, and left alone where the manifests do not manage it or the
carrier cannot do it. A route that replaces another one goes through the gate; first settings do
not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from callplane.apis.emergency_locations import CivicAddress, EmergencyLocation
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.engine import (
    carrier_changes,
    carrier_drift,
    carrier_memory,
    carrier_orders,
    carrier_writing,
    holder_locations,
    intents,
)
from callplane.engine.carrier_gathering import CarrierSide, check_incident
from callplane.engine.gathering import consenting
from callplane.engine.guarding import UNDONE_LIMIT
from callplane.engine.holder_locations import HolderLocations
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Scope
from callplane.errors import Failed, Stalled, Waiting
from callplane.plan.change import Cause, Change, Operation
from callplane.plan.gate_policy import is_gated
from callplane.providers.carrier_protocol import CarrierAction, CarrierRefused
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    EmergencyAddress,
    NumberOnCarrier,
    TrunkRoute,
)
from callplane.store.ports import Commit, Intent, IntentState, NumberRow
from callplane.values import E164

MARKER_PREFIX = "cp-"
MARKER_CHARACTERS = 40
CONTESTED_SHOWN = 10
CONTESTED_LOOK_SECONDS = 3600.0
REFUSED_SHOWN = 10
#: What is set on a number, as against how it comes and goes.
OPERATIONS = frozenset(
    {Operation.SET_ROUTE, Operation.SET_EMERGENCY_ADDRESS, Operation.SET_DELETION_LOCK}
)


@dataclass(frozen=True, slots=True)
class WantedSettings:
    """What the manifests say of numbers at the carrier; None: not managed.

    `own` are addresses of holders by number, which count before `address`. The address of numbers
    that are `unknown` is not changed where there is one. `refused` says which locations of holders
    the carrier would not take, and why; those numbers are unknown.
    """

    route: TrunkRoute | None
    address: EmergencyAddress | None
    lock: bool
    own: Mapping[E164, EmergencyAddress] = field(default_factory=dict)
    unknown: Collection[E164] = ()
    refused: tuple[str, ...] = ()

    def address_of(self, number: E164) -> EmergencyAddress | None:
        return self.own.get(number, self.address)

    def check(self) -> None:
        """Raises Stalled for locations that the carrier would not take."""
        if self.refused:
            raise Stalled(Reason.ADDRESS_REFUSED, "; ".join(self.refused[:REFUSED_SHOWN]))


async def wanted(
    scope: Scope,
    side: CarrierSide,
    owner: NumberRange | PhoneNumber,
    rows: Iterable[NumberRow],
    *,
    releases: bool = False,
) -> WantedSettings:
    """The settings of the owner's numbers, in the form in which the carrier shows them; `rows` are
    what the register knows of them. Raises Stalled where it never could.
    """
    provider, runtime = side.runtime.provider, side.runtime
    location = owner.spec.emergency_location_ref
    route = address = None
    if runtime.can(CarrierAction.ROUTE):
        route = carrier_orders.wanted_route(side.carrier, owner)
    try:
        if route is not None:
            route = provider.canonical_route(route)
        if location is not None and runtime.can(CarrierAction.EMERGENCY_ADDRESS):
            found = await consenting(scope, "EmergencyLocation", location)
            assert isinstance(found, EmergencyLocation)
            address = _canonical(side, found)
    except CarrierRefused as refused:
        raise Stalled(carrier_orders.reason_of(refused.obstacle), str(refused)) from refused
    can_lock = runtime.can(CarrierAction.DELETION_LOCK)
    settings = WantedSettings(
        route, address, side.carrier.spec.deletion_lock and can_lock and not releases
    )
    if not runtime.can(CarrierAction.EMERGENCY_ADDRESS):
        return settings
    return _with_own(side, settings, await holder_locations.look(scope, rows))


def _with_own(
    side: CarrierSide, settings: WantedSettings, locations: HolderLocations
) -> WantedSettings:
    own, unknown, said = {}, set(locations.unknown), []
    for number, location in locations.named.items():
        try:
            own[number] = _canonical(side, location)
        except CarrierRefused as refused:
            unknown.add(number)
            name = f"EmergencyLocation {location.namespace}/{location.name}"
            said.append(f"{name}, where {number.masked} is: {refused}")
    return replace(settings, own=own, unknown=unknown, refused=tuple(said))


def _canonical(side: CarrierSide, location: EmergencyLocation) -> EmergencyAddress:
    spec = location.spec
    return side.runtime.provider.canonical_address(address_of(spec.address, spec.place or ""))


def address_of(civic: CivicAddress, place: str) -> EmergencyAddress:
    """The address of an EmergencyLocation as carriers take it."""
    return EmergencyAddress(
        street=civic.street,
        town=civic.town,
        postcode=civic.postcode,
        country=civic.country,
        organisation=civic.organisation or "",
        building=civic.building or "",
        locality=civic.locality or "",
        place=place,
    )


def differences(
    side: CarrierSide, rows: Sequence[NumberOnCarrier], settings: WantedSettings
) -> list[Change]:
    """What is to be changed, number by number. What a read does not show is not changed."""
    connection, mirror = side.runtime.connection, side.runtime.mirror
    changes: list[Change] = []
    for row in rows:
        if row.state is not CarrierNumberState.ACTIVE:
            continue
        if settings.route is not None and row.route not in (settings.route, NOT_SHOWN):
            changes.append(carrier_changes.route(connection, row, settings.route))
        shown = row.emergency_address
        address = settings.address_of(row.number)
        if row.number in settings.unknown and shown is not None:
            address = None
        if address is not None and shown not in (address, NOT_SHOWN):
            changes.append(carrier_changes.emergency_address(connection, row, address))
        if settings.lock and row.deletion_locked is False:
            changes.append(carrier_changes.deletion_lock(connection, row))
    return [carrier_memory.with_cause(mirror, change) for change in changes]


async def keep(
    scope: Scope, side: CarrierSide, rows: Sequence[NumberOnCarrier], settings: WantedSettings
) -> tuple[str, ...]:
    """Make the carrier match. Returns what differs and must not be written; raises Waiting after
    the first write, so that it is read back before anything else is planned on it.
    """
    changes = differences(side, rows, settings)
    if not changes:
        await side.runtime.gate.withdraw(scope.key)
        carrier_drift.show(scope, ())
        return ()
    if not side.writable:
        carrier_drift.show(scope, changes)
        return tuple(f"{carrier_changes.describe(change)}" for change in changes)
    left, contested = without_contested(scope, side, changes)
    if contested is not None:
        # Nobody wakes an object whose number looks as it did; the day of the count ends by itself.
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, CONTESTED_LOOK_SECONDS)
    carrier_drift.show(scope, [change for change in changes if change not in left])
    check_incident(side, takes_away=any(is_gated(change) for change in left))
    await carrier_writing.pass_gate(scope, side, left)
    for change in left:
        await write(scope, side, change, settings)
    if contested is not None:
        raise contested
    raise Waiting(Reason.PROGRESSING, "changes were made and are read back", after_seconds=0.0)


def without_contested(
    scope: Scope, side: CarrierSide, changes: Sequence[Change]
) -> tuple[list[Change], Stalled | None]:
    """Somebody else keeps undoing us: after the third time in 24 hours that setting is left alone,
    and what else differs is written all the same.
    """
    now = scope.engine.clock.now()
    left, said = [], []
    for change in changes:
        row = carrier_memory.row_of(side.runtime.mirror, E164(change.subject))
        _, undone = intents.count_undone(row, change, now=now)
        if change.cause is Cause.DRIFT and undone >= UNDONE_LIMIT:
            name = carrier_changes.setting_name(change)
            said.append(f"{name} of {E164(change.subject).masked} {undone} times")
        else:
            left.append(change)
    if not said:
        return left, None
    more = f" and {len(said) - CONTESTED_SHOWN} more" if len(said) > CONTESTED_SHOWN else ""
    return left, Stalled(
        Reason.CONTESTED,
        f"undone by others in 24 hours: {', '.join(said[:CONTESTED_SHOWN])}{more}; find out who "
        "else writes it at the carrier, then change this object or the setting",
    )


async def write(scope: Scope, side: CarrierSide, change: Change, settings: WantedSettings) -> None:
    """Send one setting and see it. Raises Stalled when it is refused, Waiting until it is seen."""
    call = _call(scope, side, change, settings)
    try:
        intent, _ = await carrier_writing.send(
            scope, side, carrier_writing.Write(change), lambda _: call()
        )
    except CarrierRefused as refused:
        reason = carrier_orders.reason_of(refused.obstacle, Reason.PROVIDER_REFUSED)
        detail = carrier_orders.words(str(refused), refused.code)
        raise Stalled(reason, f"{carrier_changes.describe(change)}: {detail}") from refused
    if change.cause is Cause.DRIFT:
        await _count_undone(scope, side, change)
    await settle(scope, side, intent)


async def _count_undone(scope: Scope, side: CarrierSide, change: Change) -> None:
    """A repair that was taken counts as one more time that others undid our write."""
    mirror, now = side.runtime.mirror, scope.engine.clock.now()
    row = carrier_memory.row_of(mirror, E164(change.subject))
    counted, _ = intents.count_undone(row, change, now=now)
    await mirror.commit(Commit(holders=(counted,)), now=now)


def _call(
    scope: Scope, side: CarrierSide, change: Change, settings: WantedSettings
) -> Callable[[], Awaitable[None]]:
    provider, number = side.runtime.provider, E164(change.subject)
    if change.operation is Operation.SET_ROUTE:
        route = settings.route
        assert route is not None
        return lambda: provider.set_route(number, route, marker=marker_of(scope))
    if change.operation is Operation.SET_EMERGENCY_ADDRESS:
        return lambda: provider.set_emergency_address(number, settings.address_of(number))
    return lambda: provider.set_deletion_lock(number, locked=True)


def marker_of(scope: Scope) -> str:
    """A short mark on the number at the carrier: which object looks after it. Names of objects
    would be too long, and say too much there.
    """
    return f"{MARKER_PREFIX}{scope.cached.uid}"[:MARKER_CHARACTERS]


async def settle(scope: Scope, side: CarrierSide, intent: Intent) -> None:
    """Is the effect to be seen? Raises Waiting while it may still come."""
    change = Change.from_json(intent.change)
    number = E164(change.subject)
    try:
        observed = await side.runtime.read_number(number)
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"read-back failed: {error}") from error
    if carrier_changes.shows(observed, change):
        if observed is not None:
            # The read shows the effect of the very write: no older state does.
            side.runtime.believe(observed)
        await carrier_writing.confirm(scope, side, intent)
        return
    seconds = scope.engine.settings.unknown_outcome_seconds
    if scope.engine.clock.now() < intent.sent_at + timedelta(seconds=seconds):
        lag_seconds = side.runtime.provider.capabilities.read_after_write_lag_seconds
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"{carrier_changes.describe(change)} was sent and is not seen yet",
            after_seconds=max(lag_seconds, 0.5),
        )
    done = replace(intent, detail="never seen")
    await carrier_writing.close(scope, side, done, IntentState.ABANDONED, detail="never seen")
