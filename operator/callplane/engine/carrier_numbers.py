"""The carrier's side of a PhoneNumber and of a NumberRange: what its pass does where the number
comes from, beside what it does where the number is used.

settle what is under way → look → acquire or adopt → release, where asked → settings
"""

from __future__ import annotations

from collections.abc import Sequence

from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import Acquisition, PhoneNumber, ReleasePolicy
from callplane.apis.reasons import Reason
from callplane.engine import (
    carrier_changes,
    carrier_gathering,
    carrier_memory,
    carrier_moves,
    carrier_orders,
    carrier_ports,
    carrier_releases,
    carrier_settings,
)
from callplane.engine.carrier_connections import ON_ITS_WAY, UNLISTED_AGE_SECONDS
from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Parked, Scope
from callplane.errors import Failed, Stalled, Waiting
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change, Operation
from callplane.providers.carrier_protocol import CarrierAction
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    EmergencyAddress,
    NumberOnCarrier,
    Price,
    TrunkRoute,
)
from callplane.status.conditions import Succeeded
from callplane.store.ports import Commit, Intent, Move, NumberRow
from callplane.tracing import step
from callplane.values import E164

PENDING_LOOK_SECONDS = 60.0
RANGE_MISSING_SHOWN = 10
DETAILS_A_PASS = 20
#: Fields of a number at a carrier that manifests may manage.
_SETTINGS = frozenset({"route", "emergency_address", "deletion_locked"})


async def row_of(scope: Scope, number: E164) -> NumberRow | None:
    """The register's row, whichever connection has it."""
    rows = await scope.engine.register.numbers_in(number, number)
    return rows[0] if rows else None


async def look_after(scope: Scope, phone: PhoneNumber) -> Succeeded | None:
    """The carrier's side of a PhoneNumber; None where there is nothing more to say of it."""
    reference = phone.spec.carrier_ref
    if reference is None:
        return None
    with step("gather"):
        side = await carrier_gathering.gather(scope, reference)
    number = E164(phone.spec.e164)
    try:
        return await _look_after(scope, side, phone, number)
    finally:
        scope.status.update(side.runtime.progress.get(number, {}))


async def _look_after(
    scope: Scope, side: CarrierSide, phone: PhoneNumber, number: E164
) -> Succeeded | None:
    with step("settle"):
        await _settle(scope, side, phone, number)
    if side.writable:
        _clear(scope, "drift")
    if not side.runtime.can(CarrierAction.LIST):
        require_what_is_asked(side, phone)
        return None
    with step("observe"):
        observed = await _look(scope, side, number)
    _show(scope, observed)
    row = await row_of(scope, number)
    if observed is None:
        return await _acquire(scope, side, phone, row)
    await carrier_memory.seen(side.runtime.mirror, number, now=scope.engine.clock.now())
    if row is not None and row.state in ON_ITS_WAY and not is_pending(observed):
        # A crash between the carrier's answer and ours, or an order placed by hand.
        move = carrier_moves.activate(scope, number, row.state)
        await side.runtime.mirror.commit(Commit(moves=(move,)), now=scope.engine.clock.now())
    if is_pending(observed):
        said = observed.state_text or observed.state.value
        raise Waiting(
            Reason.ORDER_PENDING,
            f"{number.masked} is not in use at the carrier yet: {said}",
            after_seconds=PENDING_LOOK_SECONDS,
        )
    await _take_back(scope, side, phone, row)
    if phone.spec.acquisition is not Acquisition.OWNED and side.writable:
        await carrier_memory.remember_had(
            side.runtime.mirror, number, scope.cached.uid, now=scope.engine.clock.now()
        )
    _clear(scope, "candidates")
    releases = phone.spec.release_policy is ReleasePolicy.RELEASE
    if releases:
        return await carrier_releases.advance(scope, side, phone, row, observed)
    _clear(scope, "releaseNeeds")
    if number in side.runtime.taken_off and side.writable:
        await carrier_releases.put_back(scope, side, phone, number, row)
        text = "the release was called off; looking at the number"
        raise Waiting(Reason.PROGRESSING, text, after_seconds=0.5)
    settings = await carrier_settings.wanted(scope, side, phone, [row] if row is not None else [])
    unwritten = await carrier_settings.keep(scope, side, [observed], settings)
    settings.check()
    return Succeeded("", differences=unwritten) if unwritten else None


def is_pending(observed: NumberOnCarrier) -> bool:
    return observed.state in (CarrierNumberState.PENDING, CarrierNumberState.UNKNOWN)


async def _acquire(
    scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None
) -> Succeeded:
    """The number is not in the account."""
    number = E164(phone.spec.e164)
    if phone.spec.release_policy is ReleasePolicy.RELEASE:
        # Whatever became of the register: what is to be given back is never bought.
        await side.runtime.gate.withdraw(scope.key)
        _clear(scope, "releaseNeeds")
        return Succeeded(f"{number.masked} was given back", reason=Reason.RELEASED)
    _wait_for_reads(side, number)
    acquisition = phone.spec.acquisition
    if acquisition is Acquisition.ORDER:
        return await carrier_orders.advance(scope, side, phone, row)
    if acquisition is Acquisition.PORT_IN:
        return await carrier_ports.advance(scope, side, phone, row)
    await side.runtime.gate.withdraw(scope.key)
    await carrier_memory.forget_had(side.runtime.mirror, number, now=scope.engine.clock.now())
    raise Stalled(Reason.NUMBER_NOT_OWNED, missing_alone(side, number))


def _wait_for_reads(side: CarrierSide, number: E164) -> None:
    """What a carrier has just given us, its reads may not show yet: it is not asked for again.
    Raises Waiting until a read shows the number, or may be believed.
    """
    runtime = side.runtime
    is_dirty = runtime.numbers.is_dirty(number)
    if not is_dirty and number not in runtime.arrived:
        return
    lag_seconds = max(runtime.provider.capabilities.read_after_write_lag_seconds, 0.5)
    raise Waiting(
        Reason.ORDER_PENDING,
        f"{number.masked} is ours, and the carrier does not show it yet"
        if number in runtime.arrived
        else f"{number.masked} was written to; looking again when the carrier shows it",
        after_seconds=lag_seconds if is_dirty else PENDING_LOOK_SECONDS,
    )


def require_what_is_asked(side: CarrierSide, phone: PhoneNumber) -> None:
    """A carrier that cannot be asked: the manifest is the evidence, and the rest is by hand. Raises
    Stalled with the step for what it asks for.
    """
    needed = {
        Acquisition.ORDER: CarrierAction.ORDER,
        Acquisition.PORT_IN: CarrierAction.PORT_IN,
    }.get(phone.spec.acquisition)
    if needed is not None:
        carrier_gathering.require(side, needed)
    if phone.spec.release_policy is ReleasePolicy.RELEASE:
        carrier_gathering.require(side, CarrierAction.RELEASE)


async def _settle(scope: Scope, side: CarrierSide, phone: PhoneNumber, number: E164) -> None:
    """Our own writes that have not been seen to end come before anything new."""
    subject = carrier_changes.subject(side.runtime.connection, number)
    for intent in side.runtime.mirror.open_intents(subject):
        await settle_one(scope, side, phone, intent)


async def settle_one(
    scope: Scope, side: CarrierSide, phone: PhoneNumber | None, intent: Intent
) -> None:
    """Has this write come to its end? `phone` is None where its object is gone."""
    match Change.from_json(intent.change).operation:
        case Operation.ORDER_NUMBER:
            await carrier_orders.settle(scope, side, intent)
        case Operation.PORT_NUMBER_IN:
            await carrier_ports.settle(scope, side, phone, intent)
        case Operation.RELEASE_NUMBER:
            await carrier_releases.settle(scope, side, intent)
        case _:
            await carrier_settings.settle(scope, side, intent)


async def _look(scope: Scope, side: CarrierSide, number: E164) -> NumberOnCarrier | None:
    """What the carrier says of the number, asked for where a listing is not enough."""
    known = side.runtime.known(number)
    is_user = scope.priority <= Priority.DEPENDENCY
    is_shown = known is not None and NOT_SHOWN not in (known.route, known.emergency_address)
    is_old = side.runtime.details_are_old(number, _SETTINGS)
    try:
        if not is_shown or is_user or is_old:
            known = await side.runtime.read_number(number)
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"reading {number.masked}: {error}") from error
    _look_again(scope, side, [number])
    return known


def _look_again(scope: Scope, side: CarrierSide, numbers: Sequence[E164]) -> None:
    """What no listing shows is read again after a while, so that drift of it is seen."""
    unlisted = side.runtime.unlisted
    if any(not unlisted.get(number, frozenset()).isdisjoint(_SETTINGS) for number in numbers):
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, UNLISTED_AGE_SECONDS)


async def _take_back(
    scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None
) -> None:
    """A number that was thought to be gone is in the account: it is ours again, without a write."""
    if row is None or row.state not in (NumberState.RELEASED, NumberState.RELEASE_PENDING):
        return
    if phone.spec.release_policy is ReleasePolicy.RELEASE:
        return
    released = row.state is NumberState.RELEASED
    move = Move(
        number=row.number,
        expected=row.state,
        to=NumberState.FREE if released else NumberState.QUARANTINED,
        cause=Cause.ACTIVATE if released else Cause.KEEP,
        range_name=row.range_name,
        quarantined_until=None if released else scope.engine.clock.now(),
    )
    await side.runtime.mirror.commit(Commit(moves=(move,)), now=scope.engine.clock.now())


def _clear(scope: Scope, field: str) -> None:
    """A list in status that has come to an end; one that never was is not written."""
    if scope.cached.status.get(field):
        scope.status[field] = []


def _show(scope: Scope, observed: NumberOnCarrier | None) -> None:
    if observed is None:
        scope.status["carrier"] = {"state": "NotOwned"}
        return
    route, address = observed.route, observed.emergency_address
    locked, fee = observed.deletion_locked, observed.monthly_fee
    shown: dict[str, object] = {"state": observed.state.value.capitalize()}
    if observed.state_text:
        shown["stateText"] = observed.state_text
    if isinstance(route, TrunkRoute):
        shown["trunk"] = route.trunk or route.foreign or ", ".join(route.endpoints)
    if address is not NOT_SHOWN:
        shown["emergencyAddress"] = isinstance(address, EmergencyAddress)
    if locked is not NOT_SHOWN:
        shown["deletionLocked"] = bool(locked)
    if isinstance(fee, Price):
        shown["monthlyFee"] = str(fee)
    scope.status["carrier"] = shown


# A range


async def look_after_range(
    scope: Scope, found: NumberRange, known: Sequence[NumberRow]
) -> Succeeded | None:
    """The carrier's side of a NumberRange: its numbers are there, and set as declared. `known` are
    the register's rows of them.
    """
    reference = found.spec.carrier_ref
    if reference is None:
        return None
    side = await carrier_gathering.gather(scope, reference)
    if not side.runtime.can(CarrierAction.LIST):
        return None
    for number in _own_numbers(scope, side, found):
        subject = carrier_changes.subject(side.runtime.connection, number)
        for intent in side.runtime.mirror.open_intents(subject):
            # Orders, ports and releases are those of a PhoneNumber, which sees to their end.
            if Change.from_json(intent.change).operation in carrier_settings.OPERATIONS:
                await carrier_settings.settle(scope, side, intent)
    rows, missing = _of_range(side, found)
    scope.status["atCarrier"] = len(rows)
    settings = await carrier_settings.wanted(scope, side, found, known)
    detailed = await _all_detailed(scope, side, rows, settings)
    unwritten = await carrier_settings.keep(scope, side, detailed, settings)
    settings.check()
    if missing:
        raise Stalled(Reason.NUMBER_NOT_OWNED, missing_of_range(side, missing))
    return Succeeded("", differences=unwritten[:RANGE_MISSING_SHOWN]) if unwritten else None


def missing_of_range(side: CarrierSide, missing: Sequence[E164]) -> str:
    """What is said of numbers that the carrier of their range does not have."""
    shown = ", ".join(number.masked for number in missing[:RANGE_MISSING_SHOWN])
    name = f"Carrier {side.carrier.namespace}/{side.carrier.name}"
    return f"{name} does not have {len(missing)} of these numbers for us: {shown}"


def missing_alone(side: CarrierSide, number: E164) -> str:
    """What is said of a number that is Owned by its manifest and not at the carrier."""
    name = f"Carrier {side.carrier.namespace}/{side.carrier.name}"
    return (
        f"{name} does not have {number.masked} for us; state acquisition Order or PortIn, or "
        "correct carrierRef"
    )


def _own_numbers(scope: Scope, side: CarrierSide, found: NumberRange) -> Sequence[E164]:
    """Numbers of the range with writes of ours that have not been seen to end."""
    subjects = {E164(intent.holder.user_id) for intent in side.runtime.mirror.all_open_intents()}
    spans = found.spec.spans
    return sorted(number for number in subjects if any(number in span for span in spans))


def _of_range(side: CarrierSide, found: NumberRange) -> tuple[list[NumberOnCarrier], list[E164]]:
    """Rows of the range, and numbers that the carrier does not have. An absence counts only where
    a complete listing says so.
    """
    rows, missing = [], []
    for span in found.spec.spans:
        for number in span:
            row = side.runtime.known(number)
            if row is not None:
                rows.append(row)
            elif side.runtime.numbers.known_absent(number):
                missing.append(number)
    return rows, missing


async def _all_detailed(
    scope: Scope,
    side: CarrierSide,
    rows: Sequence[NumberOnCarrier],
    settings: carrier_settings.WantedSettings,
) -> list[NumberOnCarrier]:
    """The rows with what is managed and a listing does not show: some in each pass, so that a large
    range neither floods the carrier nor keeps a worker.
    """
    unseen = [row for row in rows if lacks_details(row, settings)]
    read = {row.number: await _read(side, row) for row in unseen[:DETAILS_A_PASS]}
    left = len(unseen) - len(read)
    if left <= 0:
        read |= await _again(scope, side, rows, settings, most=DETAILS_A_PASS - len(read))
        return [read.get(row.number, row) for row in rows]
    seconds = DETAILS_A_PASS / side.runtime.limits.drift_reads_per_second
    if scope.cached.ready == "True":
        # Looking is no news.
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, seconds)
        raise Parked
    text = f"what is set on {left} numbers is still to be read"
    raise Waiting(Reason.PROGRESSING, text, after_seconds=seconds)


async def _again(
    scope: Scope,
    side: CarrierSide,
    rows: Sequence[NumberOnCarrier],
    settings: carrier_settings.WantedSettings,
    *,
    most: int,
) -> dict[E164, NumberOnCarrier]:
    """What no listing shows and was read long ago, the oldest first, some in each pass."""
    managed = _managed(settings)
    runtime = side.runtime
    old = [row for row in rows if runtime.details_are_old(row.number, managed)]
    old.sort(key=lambda row: (runtime.detailed_at.get(row.number, 0.0), row.number))
    read = {row.number: await _read(side, row) for row in old[: max(most, 0)]}
    if len(old) > len(read):
        seconds = DETAILS_A_PASS / runtime.limits.drift_reads_per_second
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, seconds)
    else:
        _look_again(scope, side, [row.number for row in rows])
    return read


def _managed(settings: carrier_settings.WantedSettings) -> frozenset[str]:
    """The fields that these settings manage."""
    wanted = {
        "route": settings.route is not None,
        "emergency_address": settings.address is not None or bool(settings.own),
        "deletion_locked": settings.lock,
    }
    return frozenset(name for name, is_managed in wanted.items() if is_managed)


def lacks_details(row: NumberOnCarrier, settings: carrier_settings.WantedSettings) -> bool:
    unseen_route = settings.route is not None and row.route is NOT_SHOWN
    has_address = settings.address_of(row.number) is not None
    return unseen_route or (has_address and row.emergency_address is NOT_SHOWN)


async def _read(side: CarrierSide, row: NumberOnCarrier) -> NumberOnCarrier:
    try:
        return await side.runtime.read_number(row.number) or row
    except ProviderError as error:
        text = f"reading {row.number.masked}: {error}"
        raise Failed(Reason.PROVIDER_UNAVAILABLE, text) from error
