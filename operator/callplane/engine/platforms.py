"""The pass of a connection to a calling platform: sign in, hold the connection in the register,
keep it at work, say how it is.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callplane.apis.reasons import Reason
from callplane.apis.references import SecretKeyRef
from callplane.cluster import finalizers
from callplane.cluster.secret_reading import SecretFound, SecretMissing
from callplane.desired.declarations import (
    PERSON_KINDS,
    WORDS,
    PlatformObject,
    is_platform,
    secret_refs,
    system_of,
)
from callplane.engine import change_plans, connection_status, restorations, secrets_in_use, writing
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.evidence import is_stale_long
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import DETACH, FORCE_DELETE
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Gone, Parked, Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering.lifecycle import HELD
from callplane.providers.protocol import AuthenticationFailed, Family
from callplane.providers.registry import Ingredients
from callplane.status.conditions import Circumstances, NotKnown, Succeeded
from callplane.store.ports import HeldElsewhere, NumberRow
from callplane.values import ConnectionId, ObjectKey, Platform

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

SECRET_LOOK_SECONDS = 15.0
IN_USE_LOOK_SECONDS = 30.0
HELD_ELSEWHERE_LOOK_SECONDS = 30.0
CREDENTIALS_WARNING = timedelta(days=14)


async def run(scope: Scope) -> Succeeded | NotKnown:
    """Start the connection when it is not at work, restart it when its credentials changed, report
    it.
    """
    tenant = scope.resource
    assert is_platform(tenant)
    if not scope.cached.is_deleting:
        await ensure_finalizer(scope)
    scope.circumstances = _circumstances(scope, tenant)
    if scope.cached.is_deleting and not _needs_credentials(scope):
        await _leave(scope, scope.engine.connections.get(scope.key))
    runtime = await _at_work(scope, tenant)
    if scope.cached.is_deleting:
        await _leave(scope, runtime)
    if runtime is None:
        raise Waiting(Reason.PROGRESSING, "starting", after_seconds=HELD_ELSEWHERE_LOOK_SECONDS)
    runtime.reconfigure(connection_status.limits_of(tenant.spec))
    scope.circumstances = _circumstances(scope, tenant)
    await change_plans.publish(scope, runtime)
    _show(scope, runtime)
    return _end(scope, runtime)


def _circumstances(scope: Scope, tenant: PlatformObject) -> Circumstances:
    """Suspension, and credentials that are about to end: a person has two weeks to renew them."""
    runtime = scope.engine.connections.get(scope.key)
    ends_at = runtime.provider.credentials_end_at if runtime is not None else None
    left = ends_at - scope.engine.clock.now() if ends_at is not None else None
    warning = ""
    if ends_at is not None and left is not None and left < CREDENTIALS_WARNING:
        warning = (
            f"the credentials end at {ends_at:%Y-%m-%d %H:%M} UTC; authorise anew and put the new "
            "refresh token into the Secret"
        )
    suspended = "spec.suspend is set" if tenant.spec.suspend else ""
    return Circumstances(suspended=suspended, credentials=warning)


def _needs_credentials(scope: Scope) -> bool:
    """Is there anybody left who would have to be taken away before a deleted connection goes?"""
    if scope.cached.annotations.get(FORCE_DELETE) == scope.cached.uid:
        return False
    return any(key.kind in PERSON_KINDS for key in scope.engine.cache.dependents(scope.key))


async def _at_work(scope: Scope, tenant: PlatformObject) -> ConnectionRuntime | None:
    """The runtime for the credentials as they are now."""
    runtime = scope.engine.connections.get(scope.key)
    secrets, fingerprint = await _credentials(scope, tenant, runtime)
    if runtime is not None and runtime.health.lost_to:
        await _stop(scope.engine, scope.key)
        runtime = None
    dropped: list[SecretKeyRef] = []
    if runtime is not None and runtime.fingerprint != fingerprint:
        dropped = [old for old in runtime.secrets if old.name not in {new.name for new in secrets}]
        await _stop(scope.engine, scope.key)
        runtime = None
    if runtime is None:
        runtime = await _start(scope, tenant, secrets, fingerprint)
    if dropped:
        await secrets_in_use.free(scope, dropped)
    return runtime


async def _credentials(
    scope: Scope, tenant: PlatformObject, runtime: ConnectionRuntime | None
) -> tuple[dict[SecretKeyRef, bytes], str]:
    """Secrets the spec names, read by name, and a fingerprint of them and of where they are sent.

    A Secret that has gone while its connection works leaves the connection as it is: its token may
    still be valid, and a deletion may depend on it.
    """
    values: dict[SecretKeyRef, bytes] = {}
    parts = [tenant.spec.credentials.model_dump_json(), tenant.spec.endpoint.model_dump_json()]
    for reference in secret_refs(tenant):
        reading = await scope.engine.secrets.read(
            namespace=scope.key.namespace, name=reference.name, key=reference.key
        )
        if not isinstance(reading, SecretFound):
            if runtime is not None and not runtime.health.breaker:
                return {}, runtime.fingerprint
            missing = (
                "does not exist"
                if isinstance(reading, SecretMissing)
                else (f"has no key {reference.key}")
            )
            reason = (
                Reason.CREDENTIALS_GONE if scope.cached.is_deleting else Reason.SECRET_NOT_FOUND
            )
            raise Waiting(
                reason,
                f"Secret {scope.key.namespace}/{reference.name} {missing}",
                after_seconds=SECRET_LOOK_SECONDS,
            )
        content = reading.value.reveal()
        values[reference] = content
        parts.append(hashlib.sha256(content).hexdigest())
    return values, hashlib.sha256("|".join(parts).encode()).hexdigest()


async def _start(
    scope: Scope, tenant: PlatformObject, secrets: dict[SecretKeyRef, bytes], fingerprint: str
) -> ConnectionRuntime:
    engine = scope.engine
    connection = system_of(tenant)
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
        await _held_elsewhere(scope, held)
    else:
        mirror = RegisterMirror(
            engine.register,
            connection,
            held.epoch,
            moved=engine.numbers_moved,
            handed=engine.number_handed,
        )
        await mirror.load()
        try:
            provider = engine.provider_factory(
                connection.provider,
                Ingredients(
                    spec=tenant.spec,
                    clock=engine.clock,
                    secrets=secrets,
                    observer=engine.called,
                    token_file=engine.settings.federated_token_file or None,
                    token_folders=engine.settings.token_folders,
                    show_numbers=engine.settings.show_numbers,
                ),
            )
        except AuthenticationFailed as error:
            raise Waiting(
                Reason.AUTHENTICATION_FAILED, str(error), after_seconds=SECRET_LOOK_SECONDS
            ) from error
        runtime = ConnectionRuntime(
            engine,
            scope.key,
            provider=provider,
            mirror=mirror,
            limits=connection_status.limits_of(tenant.spec),
        )
        runtime.fingerprint = fingerprint
        runtime.secrets = tuple(secrets)
        runtime.known_shown = held.mirrored
        runtime.health.restored = _restored(scope, mirror, held.mirrored)
        await secrets_in_use.keep(scope, secrets)
        engine.connections[scope.key] = runtime
        runtime.start()
        return runtime
    raise AssertionError("a connection held elsewhere raises")


def _restored(scope: Scope, mirror: RegisterMirror, known_shown: int) -> str:
    """Why nothing is written: register or cluster is older than what they said to each other. Empty
    when neither is.

    `known_shown` is the sequence that this object's status is known to have held.
    """
    what = _word(mirror.connection)
    return restorations.problem(scope, mirror, known_shown=known_shown, what=what)


def _word(connection: ConnectionId) -> str:
    return WORDS[Platform(connection.provider)].connection


async def _held_elsewhere(scope: Scope, held: HeldElsewhere) -> None:
    """Look again on our own, without a human: the other side's heartbeat may end."""
    owner = held.row.declared_by
    where = (
        "this cluster"
        if owner.installation == scope.engine.installation
        else (f"installation {owner.installation}")
    )
    scope.engine.queue.add_later(scope.key, Priority.RETRY, HELD_ELSEWHERE_LOOK_SECONDS)
    seen = f"{held.row.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC"
    raise Stalled(
        Reason.CONNECTION_HELD_ELSEWHERE,
        f"{owner} of {where} works this {_word(held.row.connection)} (last seen {seen}); it is "
        "taken over when that heartbeat ends, or by callplane connections take",
    )


def _claims_here(scope: Scope, runtime: ConnectionRuntime) -> list[NumberRow]:
    """Claims that objects of this cluster declare: what keeps the connection. Claims whose objects
    are gone have nobody to wait for, and stay in the register as they are.
    """
    return [
        row
        for row in runtime.mirror.numbers.values()
        if row.state in HELD
        and row.declared_by is not None
        and scope.engine.cache.by_uid(row.declared_by.uid) is not None
    ]


async def _leave(scope: Scope, runtime: ConnectionRuntime | None) -> None:
    """The connection goes when nothing depends on it. Raises Waiting InUse, or Gone when it has
    gone.
    """
    forced = scope.cached.annotations.get(FORCE_DELETE) == scope.cached.uid
    if runtime is not None and not forced:
        claims = _claims_here(scope, runtime)
        if claims and scope.cached.annotations.get(DETACH):
            for key in scope.engine.cache.dependents(scope.key):
                scope.engine.queue.add(key, Priority.USER)
        if claims:
            first = ", ".join(str(row.declared_by) for row in claims[:10])
            await change_plans.publish(scope, runtime)
            more = f" and {len(claims) - 10} more" if len(claims) > 10 else ""
            raise Waiting(
                Reason.IN_USE,
                f"{len(claims)} claims depend on this connection: {first}{more}; delete their "
                f'objects and answer what is held, or annotate this object {DETACH}: "<reason>" '
                "to let them all go as they are",
                after_seconds=IN_USE_LOOK_SECONDS,
            )
    if runtime is not None:
        epoch = runtime.mirror.epoch
        await _stop(scope.engine, scope.key)
        await scope.engine.register.release_connection(runtime.connection, epoch=epoch)
    await secrets_in_use.free(scope, secrets_in_use.refs_of(scope.cached.resource))
    await finalizers.remove(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )
    raise Gone


async def _stop(engine: Engine, key: ObjectKey) -> None:
    runtime = engine.connections.pop(key, None)
    if runtime is not None:
        await runtime.stop()


async def vanished(engine: Engine, key: ObjectKey) -> None:
    """The object is gone without our finalizer having been asked: nothing works the connection any
    more.
    """
    await _stop(engine, key)


def _show(scope: Scope, runtime: ConnectionRuntime) -> None:
    """Counts and freshness; the time of observation is written once a listing at most."""
    health, mirror = runtime.health, runtime.mirror
    dependents = scope.engine.cache.dependents(scope.key)
    users = [k for k in dependents if k.kind in PERSON_KINDS and k.kind != "ServiceLine"]
    status: dict[str, Any] = scope.status
    status["snapshot"] = {
        "users": health.rows.get(Family.PEOPLE, 0),
        "numbers": health.rows.get(Family.NUMBERS, 0),
        "userConfigurations": health.rows.get(Family.CONFIGURATIONS, 0),
        "complete": runtime.snapshot.complete and not health.listing_problem,
    }
    status["users"] = len(users)
    status["claims"] = mirror.claims()
    status["foreign"] = sum(
        1
        for row in runtime.snapshot.numbers.rows()
        if row.holder_id is not None and row.number not in mirror.numbers
    )
    status["orphaned"] = sum(
        1
        for row in mirror.numbers.values()
        if row.state in HELD
        and (row.declared_by is None or scope.engine.cache.by_uid(row.declared_by.uid) is None)
    )
    ends_at = runtime.provider.credentials_end_at
    if ends_at is not None:
        # The day is enough: it moves with every token, and a status is written when it differs.
        status["credentialsExpireAt"] = ends_at.strftime("%Y-%m-%dT00:00:00Z")
    connection_status.show(scope, runtime)


def _said_ready(scope: Scope) -> bool:
    generation = scope.cached.status.get("observedGeneration")
    return scope.cached.ready == "True" and generation == scope.cached.generation


def _end(scope: Scope, runtime: ConnectionRuntime) -> Succeeded | NotKnown:
    health = runtime.health
    if health.breaker:
        raise Waiting(
            Reason.AUTHENTICATION_FAILED, health.breaker, after_seconds=SECRET_LOOK_SECONDS
        )
    if health.restored:
        health.restored = _restored(scope, runtime.mirror, runtime.known_shown)
    if health.restored:
        raise Stalled(Reason.REGISTER_RESTORED, health.restored)
    if health.register_problem:
        raise Waiting(
            Reason.REGISTER_UNAVAILABLE,
            f"the number register does not answer: {health.register_problem}",
            after_seconds=5.0,
        )
    if not runtime.snapshot.complete:
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
        return NotKnown(health.listing_problem, is_long=is_stale_long(scope, runtime))
    return Succeeded(f"{scope.status['users']} users, {scope.status['claims']} numbers in use")
