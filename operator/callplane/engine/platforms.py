"""The pass of a connection to a calling platform: sign in, hold the connection in the register,
keep it at work, say how it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callplane.apis.reasons import Reason
from callplane.desired.declarations import (
    LINE_KINDS,
    WORDS,
    PlatformObject,
    connection_key,
    is_line,
    is_platform,
    system_of,
)
from callplane.engine import change_plans, connection_passes, connection_status
from callplane.engine.connection_passes import Workplace
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import DETACH, CachedObject
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Scope
from callplane.errors import Waiting
from callplane.numbering.lifecycle import HELD
from callplane.providers.protocol import Family
from callplane.providers.registry import Ingredients
from callplane.status.conditions import Circumstances, NotKnown, Succeeded
from callplane.store.ports import NumberRow
from callplane.values import ConnectionId, ObjectKey, Platform

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

CREDENTIALS_WARNING = timedelta(days=14)


async def run(scope: Scope) -> Succeeded | NotKnown:
    """Start the connection when it is not at work, restart it when its credentials changed, report
    it.
    """
    platform = scope.resource
    assert is_platform(platform)
    if not scope.cached.is_deleting:
        await ensure_finalizer(scope)
    scope.circumstances = _circumstances(scope, platform)
    if scope.cached.is_deleting and not _needs_credentials(scope):
        await _leave(scope, scope.engine.connections.get(scope.key))
    runtime = await _at_work(scope, platform)
    if scope.cached.is_deleting:
        await _leave(scope, runtime)
    runtime.reconfigure(connection_status.limits_of(platform.spec))
    scope.circumstances = _circumstances(scope, platform)
    await change_plans.publish(scope, runtime)
    _show(scope, runtime)
    return _end(scope, runtime)


def _circumstances(scope: Scope, platform: PlatformObject) -> Circumstances:
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
    suspended = "spec.suspend is set" if platform.spec.suspend else ""
    return Circumstances(suspended=suspended, credentials=warning)


def _needs_credentials(scope: Scope) -> bool:
    """Is there anybody left who would have to be taken away before a deleted connection goes?"""
    if connection_passes.is_forced(scope):
        return False
    return any(key.kind in LINE_KINDS for key in scope.engine.cache.dependents(scope.key))


async def _at_work(scope: Scope, platform: PlatformObject) -> ConnectionRuntime:
    """The runtime for the credentials as they are now."""
    system = system_of(platform)

    def make(ingredients: Ingredients, mirror: RegisterMirror) -> ConnectionRuntime:
        provider = scope.engine.provider_factory(system.provider, ingredients)
        limits = connection_status.limits_of(platform.spec)
        return ConnectionRuntime(
            scope.engine, scope.key, provider=provider, mirror=mirror, limits=limits
        )

    place = Workplace(scope.engine.connections, system, _word(system), make)
    return await connection_passes.bring_to_work(scope, platform, place)


def _word(connection: ConnectionId) -> str:
    return WORDS[Platform(connection.provider)].connection


def _claims_here(scope: Scope, runtime: ConnectionRuntime) -> list[NumberRow]:
    """Claims that objects of this cluster declare: what keeps the connection. Claims whose objects
    are gone have nobody to wait for, and stay in the register as they are; so do those of objects
    that name another connection, which takes this one's place.
    """
    return [
        row
        for row in runtime.mirror.numbers.values()
        if row.state in HELD
        and row.declared_by is not None
        and _names_this(scope, scope.engine.cache.by_uid(row.declared_by.uid))
    ]


def _names_this(scope: Scope, declaring: CachedObject | None) -> bool:
    if declaring is None:
        return False
    line = declaring.resource
    return not is_line(line) or connection_key(line, namespace=declaring.key.namespace) == scope.key


async def _leave(scope: Scope, runtime: ConnectionRuntime | None) -> None:
    """The connection goes when nothing depends on it. Raises Waiting InUse, or Gone when it has
    gone.
    """
    if runtime is not None and not connection_passes.is_forced(scope):
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
                after_seconds=connection_passes.IN_USE_LOOK_SECONDS,
            )
    await connection_passes.let_go(scope, scope.engine.connections)


async def vanished(engine: Engine, key: ObjectKey) -> None:
    """The object is gone without our finalizer having been asked: nothing works the connection any
    more.
    """
    await connection_passes.stop(engine.connections, key)


def _show(scope: Scope, runtime: ConnectionRuntime) -> None:
    """Counts and freshness; the time of observation is written once a listing at most."""
    health, mirror = runtime.health, runtime.mirror
    dependents = scope.engine.cache.dependents(scope.key)
    users = [k for k in dependents if k.kind in LINE_KINDS and k.kind != "ServiceLine"]
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


def _end(scope: Scope, runtime: ConnectionRuntime) -> Succeeded | NotKnown:
    problem = connection_passes.how_it_is(scope, runtime, word=_word(runtime.connection))
    if problem is not None:
        return problem
    return Succeeded(f"{scope.status['users']} users, {scope.status['claims']} numbers in use")
