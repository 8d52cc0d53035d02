"""The pass of a Carrier: sign in, hold the account in the register, keep it at work, say how it
is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from callplane.apis.carriers import Carrier, CarrierSpec
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.apis.references import ManagementPolicy
from callplane.desired.declarations import carrier_system
from callplane.engine import (
    carrier_changes,
    carrier_numbers,
    carrier_releases,
    carrier_settings,
    change_plans,
    connection_passes,
    connection_status,
)
from callplane.engine.carrier_connections import ON_ITS_WAY, CarrierRuntime
from callplane.engine.carrier_gathering import CarrierSide, incident_of
from callplane.engine.connection_passes import Workplace
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Verdict, Waiting
from callplane.plan.change import Change
from callplane.providers.carrier_protocol import CarrierAction
from callplane.providers.registry import Ingredients
from callplane.status.conditions import Circumstances, NotKnown, Succeeded
from callplane.store.ports import ConnectionRow
from callplane.values import E164, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

log = logging.getLogger(__name__)

#: What messages call the connection.
WORD = "account"


async def run(scope: Scope) -> Succeeded | NotKnown:
    """Start the connection when it is not at work, restart it when its credentials changed, report
    it.
    """
    carrier = scope.resource
    assert isinstance(carrier, Carrier)
    if scope.cached.is_deleting and not await _has_writes_under_way(scope, carrier):
        await _leave(scope, carrier)
    if not scope.cached.is_deleting:
        await ensure_finalizer(scope)
    if carrier.spec.suspend:
        scope.circumstances = Circumstances(suspended="spec.suspend is set")
    runtime = await _at_work(scope, carrier)
    runtime.reconfigure(connection_status.limits_of(carrier.spec))
    await change_plans.publish(scope, runtime)
    if runtime.is_ready:
        await _settle_writes_of_nobody(scope, carrier, runtime)
    if scope.cached.is_deleting:
        await _leave(scope, carrier)
    _show(scope, carrier, runtime)
    return _end(scope, runtime)


async def _settle_writes_of_nobody(scope: Scope, carrier: Carrier, runtime: CarrierRuntime) -> None:
    """A write whose object was deleted goes on at the carrier: what becomes of it is seen from
    here, so that the number is not lost.
    """
    side = CarrierSide(carrier, runtime, incident=None, writable=False)
    for intent in list(runtime.mirror.all_open_intents()):
        if _is_looked_after(scope, Change.from_json(intent.change)):
            continue
        try:
            await carrier_numbers.settle_one(scope, side, None, intent)
        except Verdict as verdict:
            log.info("%s: a write of nobody: %s", scope.key, verdict.message)
    await _put_back_of_nobody(scope, carrier, runtime)


async def _put_back_of_nobody(scope: Scope, carrier: Carrier, runtime: CarrierRuntime) -> None:
    """An object that was deleted between the steps of its release keeps the number: what was taken
    off goes back on.
    """
    manages = carrier.spec.management_policy is ManagementPolicy.MANAGE
    writable = manages and not (carrier.spec.suspend or runtime.health.restored)
    side = CarrierSide(carrier, runtime, incident_of(scope, carrier), writable=writable)
    for number in list(runtime.taken_off):
        release = carrier_changes.release(runtime.connection, number)
        subject = carrier_changes.subject(runtime.connection, number)
        if _is_looked_after(scope, release) or runtime.mirror.open_intents(subject):
            continue
        try:
            await carrier_releases.put_back(scope, side, None, number)
        except Stalled as stalled:
            # Nobody is there to change anything: once is enough.
            await carrier_releases.forget_taken_off(scope, side, number)
            log.warning("%s: %s was not put right: %s", scope.key, number.masked, stalled.message)
        except Verdict as verdict:
            log.info("%s: a number of nobody: %s", scope.key, verdict.message)


def _is_looked_after(scope: Scope, change: Change) -> bool:
    """Does any object of this carrier still see to the end of this write?"""
    known = (scope.engine.cache.get(key) for key in scope.engine.cache.dependents(scope.key))
    for resource in (cached.resource for cached in known if cached is not None):
        if isinstance(resource, PhoneNumber) and resource.spec.e164 == change.subject:
            return True
        is_setting = change.operation in carrier_settings.OPERATIONS
        if isinstance(resource, NumberRange) and is_setting:
            number = E164(change.subject)
            if any(number in span for span in resource.spec.spans):
                return True
    return False


async def _has_writes_under_way(scope: Scope, carrier: Carrier) -> bool:
    """Must a deleted carrier stay at work, or be at work again after a restart, to see what becomes
    of its orders, ports and releases? Asked of the register, because credentials that never worked
    must not keep an object.
    """
    if connection_passes.is_forced(scope):
        return False
    runtime = scope.engine.carriers.get(scope.key)
    if runtime is not None:
        return runtime.under_way > 0
    row = await _held_row(scope, carrier)
    if row is None:
        return False
    state = await scope.engine.register.load(row.connection)
    return bool(state.open_intents) or any(each.state in ON_ITS_WAY for each in state.numbers)


async def _held_row(scope: Scope, carrier: Carrier) -> ConnectionRow | None:
    """The register's row of this carrier's account, where this very object has it."""
    system = carrier_system(carrier)
    for row in await scope.engine.register.connections():
        if row.connection == system and row.declared_by == scope.declaring:
            return row
    return None


def provider_name(spec: CarrierSpec) -> str:
    """The name under which the registry knows the carrier's provider."""
    return spec.type.value.lower()


async def _at_work(scope: Scope, carrier: Carrier) -> CarrierRuntime:
    """The runtime for the credentials as they are now."""

    def make(ingredients: Ingredients, mirror: RegisterMirror) -> CarrierRuntime:
        provider = scope.engine.carrier_factory(provider_name(carrier.spec), ingredients)
        limits = connection_status.limits_of(carrier.spec)
        return CarrierRuntime(
            scope.engine, scope.key, provider=provider, mirror=mirror, limits=limits
        )

    place = Workplace(scope.engine.carriers, carrier_system(carrier), WORD, make)
    return await connection_passes.bring_to_work(scope, carrier, place)


async def _leave(scope: Scope, carrier: Carrier) -> None:
    """The account goes when no object names it and nothing is under way there. Nothing is given
    back. Raises Waiting InUse, or Gone.
    """
    runtime = scope.engine.carriers.get(scope.key)
    if not connection_passes.is_forced(scope):
        users = [
            key
            for key in scope.engine.cache.dependents(scope.key)
            if key.kind in ("NumberRange", "PhoneNumber")
        ]
        under_way = runtime.under_way if runtime is not None else 0
        if users or under_way:
            first = ", ".join(str(key) for key in users[:10])
            raise Waiting(
                Reason.IN_USE,
                f"{len(users)} objects name this carrier ({first}), and {under_way} numbers are on "
                "their way in or out; delete those objects first",
                after_seconds=connection_passes.IN_USE_LOOK_SECONDS,
            )
    row = await _held_row(scope, carrier) if runtime is None else None
    await connection_passes.let_go(scope, scope.engine.carriers, row)


async def vanished(engine: Engine, key: ObjectKey) -> None:
    """The object is gone without our finalizer having been asked."""
    await connection_passes.stop(engine.carriers, key)


def _show(scope: Scope, carrier: Carrier, runtime: CarrierRuntime) -> None:
    """Counts, money and freshness; the time of observation is written once a listing at most."""
    status: dict[str, Any] = scope.status
    status["owned"] = runtime.owned if runtime.can(CarrierAction.LIST) else None
    status["ordering"] = runtime.on_its_way
    status["commercial"] = carrier.spec.who_pays.value
    status["unsupported"] = sorted(
        action.value for action in runtime.provider.capabilities.unsupported
    )
    if runtime.balance is not None:
        status["balance"] = str(runtime.balance.spendable)
    connection_status.show(scope, runtime)


def _end(scope: Scope, runtime: CarrierRuntime) -> Succeeded | NotKnown:
    problem = connection_passes.how_it_is(scope, runtime, word=WORD)
    if problem is not None:
        return problem
    if not runtime.can(CarrierAction.LIST):
        return Succeeded("numbers are as declared; this carrier is not asked")
    return Succeeded(f"{runtime.owned} numbers, {runtime.on_its_way} on their way")
