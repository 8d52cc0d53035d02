"""The pass of a Carrier: sign in, hold the account in the register, keep it at work, say how it
is.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callplane.apis.carriers import Carrier, CarrierSpec
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.apis.references import ManagementPolicy, SecretKeyRef
from callplane.cluster import finalizers
from callplane.cluster.secret_reading import SecretFound, SecretMissing
from callplane.engine import (
    carrier_changes,
    carrier_numbers,
    carrier_releases,
    carrier_settings,
    change_plans,
    connection_status,
    restorations,
    secrets_in_use,
    writing,
)
from callplane.engine.carrier_connections import ON_ITS_WAY, CarrierRuntime
from callplane.engine.carrier_gathering import CarrierSide, incident_of
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import FORCE_DELETE
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Gone, Parked, Scope
from callplane.errors import Stalled, Verdict, Waiting
from callplane.plan.change import Change
from callplane.providers.carrier_protocol import CarrierAction
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.status.conditions import Circumstances, NotKnown, Succeeded
from callplane.store.ports import ConnectionRow, HeldElsewhere
from callplane.values import E164, ConnectionId, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

log = logging.getLogger(__name__)

SECRET_LOOK_SECONDS = 15.0
IN_USE_LOOK_SECONDS = 30.0
HELD_ELSEWHERE_LOOK_SECONDS = 30.0
LONG_INTERVALS = 2


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
            runtime.taken_off.pop(number, None)
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
    if _is_forced(scope):
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
    connection = ConnectionId(provider_name(carrier.spec), carrier.spec.account)
    for row in await scope.engine.register.connections():
        if row.connection == connection and row.declared_by == scope.declaring:
            return row
    return None


def _is_forced(scope: Scope) -> bool:
    return scope.cached.annotations.get(FORCE_DELETE) == scope.cached.uid


def provider_name(spec: CarrierSpec) -> str:
    """The name under which the registry knows the carrier's provider."""
    return spec.type.value.lower()


async def _at_work(scope: Scope, carrier: Carrier) -> CarrierRuntime:
    """The runtime for the credentials as they are now."""
    runtime = scope.engine.carriers.get(scope.key)
    secrets, fingerprint = await _credentials(scope, carrier, runtime)
    dropped: list[SecretKeyRef] = []
    if runtime is not None and (runtime.health.lost_to or runtime.fingerprint != fingerprint):
        if runtime.fingerprint != fingerprint:
            named = {reference.name for reference in secrets}
            dropped = [old for old in runtime.secrets if old.name not in named]
        await _stop(scope.engine, scope.key)
        runtime = None
    if runtime is None:
        runtime = await _start(scope, carrier, secrets, fingerprint)
    if dropped:
        await secrets_in_use.free(scope, dropped)
    return runtime


async def _credentials(
    scope: Scope, carrier: Carrier, runtime: CarrierRuntime | None
) -> tuple[dict[SecretKeyRef, bytes], str]:
    """Secrets the spec names, read by name, and a fingerprint of them and of where they are sent.

    A Secret that has gone while its connection works leaves the connection as it is.
    """
    spec = carrier.spec
    values: dict[SecretKeyRef, bytes] = {}
    parts = [part.model_dump_json() for part in (spec.credentials, spec.endpoint) if part]
    for reference in secrets_in_use.refs_of(carrier):
        reading = await scope.engine.secrets.read(
            namespace=scope.key.namespace, name=reference.name, key=reference.key
        )
        if not isinstance(reading, SecretFound):
            if runtime is not None and not runtime.health.breaker:
                return {}, runtime.fingerprint
            is_missing = isinstance(reading, SecretMissing)
            lacks = "does not exist" if is_missing else f"has no key {reference.key}"
            raise Waiting(
                Reason.SECRET_NOT_FOUND,
                f"Secret {scope.key.namespace}/{reference.name} {lacks}",
                after_seconds=SECRET_LOOK_SECONDS,
            )
        content = reading.value.reveal()
        values[reference] = content
        parts.append(hashlib.sha256(content).hexdigest())
    return values, hashlib.sha256("|".join(parts).encode()).hexdigest()


async def _start(
    scope: Scope, carrier: Carrier, secrets: dict[SecretKeyRef, bytes], fingerprint: str
) -> CarrierRuntime:
    engine = scope.engine
    name = provider_name(carrier.spec)
    connection = ConnectionId(name, carrier.spec.account)
    # A leader that was paused and overtaken must not take the connection back from its successor.
    writing.check_fence(scope)
    held = await engine.register.hold_connection(
        connection,
        declared_by=scope.declaring,
        now=engine.clock.now(),
        stale_after_seconds=engine.settings.heartbeat_stale_seconds,
        new_epoch=True,
    )
    if isinstance(held, HeldElsewhere):
        engine.queue.add_later(scope.key, Priority.RETRY, HELD_ELSEWHERE_LOOK_SECONDS)
        raise Stalled(
            Reason.CONNECTION_HELD_ELSEWHERE,
            f"{held.row.declared_by} works this account (last seen "
            f"{held.row.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC); it is taken over when that "
            "heartbeat ends",
        )
    mirror = RegisterMirror(engine.register, connection, held.epoch, moved=engine.numbers_moved)
    await mirror.load()
    try:
        provider = engine.carrier_factory(
            name,
            Ingredients(
                spec=carrier.spec,
                clock=engine.clock,
                secrets=secrets,
                observer=engine.called,
                show_numbers=engine.settings.show_numbers,
            ),
        )
    except LookupError as error:
        raise Stalled(Reason.UNSUPPORTED, f"no provider for {carrier.spec.type.value}") from error
    except AuthenticationFailed as error:
        raise Waiting(
            Reason.AUTHENTICATION_FAILED, str(error), after_seconds=SECRET_LOOK_SECONDS
        ) from error
    runtime = CarrierRuntime(
        engine,
        scope.key,
        provider=provider,
        mirror=mirror,
        limits=connection_status.limits_of(carrier.spec),
    )
    runtime.fingerprint = fingerprint
    runtime.secrets = tuple(secrets)
    runtime.known_shown = held.mirrored
    runtime.health.restored = _restored(scope, runtime)
    await secrets_in_use.keep(scope, secrets)
    engine.carriers[scope.key] = runtime
    runtime.start()
    return runtime


def _restored(scope: Scope, runtime: CarrierRuntime) -> str:
    return restorations.problem(
        scope, runtime.mirror, known_shown=runtime.known_shown, what="account"
    )


async def _leave(scope: Scope, carrier: Carrier) -> None:
    """The account goes when no object names it and nothing is under way there. Nothing is given
    back. Raises Waiting InUse, or Gone.
    """
    runtime = scope.engine.carriers.get(scope.key)
    if not _is_forced(scope):
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
                after_seconds=IN_USE_LOOK_SECONDS,
            )
    if runtime is not None:
        epoch = runtime.mirror.epoch
        await _stop(scope.engine, scope.key)
        await scope.engine.register.release_connection(runtime.connection, epoch=epoch)
    elif (row := await _held_row(scope, carrier)) is not None:
        # A leader that was overtaken must not let go of what its successor works.
        writing.check_fence(scope)
        await scope.engine.register.release_connection(row.connection, epoch=row.epoch)
    await secrets_in_use.free(scope, secrets_in_use.refs_of(carrier))
    await finalizers.remove(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )
    raise Gone


async def _stop(engine: Engine, key: ObjectKey) -> None:
    runtime = engine.carriers.pop(key, None)
    if runtime is not None:
        await runtime.stop()


async def vanished(engine: Engine, key: ObjectKey) -> None:
    """The object is gone without our finalizer having been asked."""
    await _stop(engine, key)


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


def _said_ready(scope: Scope) -> bool:
    generation = scope.cached.status.get("observedGeneration")
    return scope.cached.ready == "True" and generation == scope.cached.generation


def _end(scope: Scope, runtime: CarrierRuntime) -> Succeeded | NotKnown:
    health = runtime.health
    if health.breaker:
        raise Waiting(
            Reason.AUTHENTICATION_FAILED, health.breaker, after_seconds=SECRET_LOOK_SECONDS
        )
    if health.restored:
        health.restored = _restored(scope, runtime)
    if health.restored:
        raise Stalled(Reason.REGISTER_RESTORED, health.restored)
    if health.register_problem:
        raise Waiting(
            Reason.REGISTER_UNAVAILABLE,
            f"the number register does not answer: {health.register_problem}",
            after_seconds=5.0,
        )
    if not runtime.is_observed:
        if not health.listing_problem and _said_ready(scope):
            # A restart is no news; the end of the first listing brings this object back.
            raise Parked
        problem = f": {health.listing_problem}" if health.listing_problem else ""
        raise Waiting(
            Reason.SNAPSHOT_PENDING,
            f"the first listing is not complete yet{problem}",
            after_seconds=SECRET_LOOK_SECONDS,
        )
    if health.listing_problem:
        listed_at = health.last_complete_listing
        interval = timedelta(seconds=runtime.limits.drift_interval_seconds * LONG_INTERVALS)
        is_long = listed_at is None or scope.engine.clock.now() - listed_at > interval
        return NotKnown(health.listing_problem, is_long=is_long)
    if not runtime.can(CarrierAction.LIST):
        return Succeeded("numbers are as declared; this carrier is not asked")
    return Succeeded(f"{runtime.owned} numbers, {runtime.on_its_way} on their way")
