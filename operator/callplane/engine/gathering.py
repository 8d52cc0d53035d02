"""Gather: the connection, the consents and the references of a person, or the one reason why not
yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.apis.model import Resource
from callplane.apis.reasons import Reason
from callplane.apis.references import ConnectionConsent, ManagementPolicy, ObjectRef
from callplane.desired import references
from callplane.desired.declarations import (
    PLATFORM_KINDS,
    LineObject,
    PlatformObject,
    connection_of,
    is_platform,
    system_of,
)
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.provider_incidents import freeze_of
from callplane.engine.scope import Parked, Scope
from callplane.errors import Stalled, Waiting
from callplane.status.conditions import Circumstances
from callplane.values import ObjectKey

# A dependency wakes its dependents; this is only the longest silence.
DEPENDENCY_LOOK_SECONDS = 600.0
CONNECTION_LOOK_SECONDS = 120.0
# The end of a listing wakes only who is on that connection.
LISTING_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a pass of a person stands on."""

    connection: PlatformObject
    runtime: ConnectionRuntime
    consent: tuple[ConnectionConsent, ...] | None


async def gather(scope: Scope, user: LineObject) -> Gathered:
    """Raises Waiting while something it names is missing, not ready or does not consent."""
    kind, reference = connection_of(user)
    connection = await consenting(scope, kind, reference)
    assert is_platform(connection)
    await check_call_terms(scope, user.spec)
    key = ObjectKey(kind, connection.namespace, connection.name)
    runtime = scope.engine.connections.get(key)
    if runtime is None or not runtime.is_ready:
        if starts_again(scope, key):
            raise Parked
        raise Waiting(
            Reason.DEPENDENCY_NOT_READY,
            f"{key} is not ready",
            after_seconds=CONNECTION_LOOK_SECONDS,
        )
    return Gathered(
        connection=connection,
        runtime=runtime,
        consent=await _people_consent(scope, connection),
    )


async def check_call_terms(scope: Scope, spec: object) -> None:
    """Who pays and what may be dialled: each that a spec names is there and consents. Raises
    Waiting for the first that is not; what was applied stays.
    """
    for attribute, kind in _CALL_TERMS:
        reference = getattr(spec, attribute, None)
        if isinstance(reference, ObjectRef):
            await consenting(scope, kind, reference)


_CALL_TERMS = (
    ("account_ref", "CallingAccount"),
    ("calling_plan_ref", "CallingPlan"),
    ("call_privilege_ref", "CallPrivilege"),
)


def starts_again(scope: Scope, connection: ObjectKey) -> bool:
    """Is a connection that was Ready when it last said so only not at work yet in this process?

    Then nothing is known to be wrong, and nothing is reported: the end of its first listing brings
    everybody back, and so does a Ready that is no longer True.
    """
    cached = scope.engine.cache.get(connection)
    if cached is None or cached.is_deleting or cached.ready != "True":
        return False
    runtime = scope.engine.at_work(connection)
    return runtime is None or not (runtime.health.breaker or runtime.health.lost_to)


def unlisted(scope: Scope) -> Iterator[ObjectKey]:
    """Declared platforms that this process has not seen whole yet: who has which number there is
    not known, for what the register does not say of people whom nothing declares.
    """
    for kind in PLATFORM_KINDS:
        for cached in scope.engine.cache.of_kind(kind):
            runtime = scope.engine.connections.get(cached.key)
            if runtime is None and is_platform(cached.resource):
                runtime = scope.engine.runtime_on(system_of(cached.resource))
            if runtime is None or not runtime.snapshot.complete:
                yield cached.key


def not_listed(platform: ObjectKey) -> Waiting:
    """The verdict of a pass that would take a number which somebody may have there."""
    return Waiting(
        Reason.DEPENDENCY_NOT_READY,
        f"{platform} is not listed yet: who has a number there is not known",
        after_seconds=LISTING_LOOK_SECONDS,
    )


async def consenting(
    scope: Scope, kind: str, reference: ObjectRef, *, namespace: str = ""
) -> Resource:
    """The object that a reference made in `namespace` names, if it exists, can be read and
    consents.

    Whatever is wrong, the answer is one and the same. The namespace is the object's own unless it
    inherits the reference.
    """
    namespace = namespace or scope.key.namespace
    key = references.target(kind, reference, namespace=namespace)
    cached = scope.engine.cache.get(key)
    if cached is not None and cached.resource is not None and not cached.is_deleting:
        labels = await scope.engine.labels_of(namespace)
        if references.consents(cached.resource, namespace, labels):
            return cached.resource
    raise Waiting(
        Reason.DEPENDENCY_NOT_READY,
        f"{key} does not exist or does not admit namespace {namespace}",
        after_seconds=DEPENDENCY_LOOK_SECONDS,
    )


async def _people_consent(
    scope: Scope, connection: PlatformObject
) -> tuple[ConnectionConsent, ...] | None:
    """The consents that let this namespace in; None for the connection's own, which needs none."""
    if connection.namespace == scope.key.namespace:
        return None
    labels = await scope.engine.labels_of(scope.key.namespace)
    entries = references.consenting_entries(connection, scope.key.namespace, labels)
    return tuple(entry for entry in entries if isinstance(entry, ConnectionConsent))


async def teams_location_id(
    scope: Scope, stated: ObjectRef | None, inherited: tuple[ObjectRef, str] | None
) -> str | None:
    """The tenant's id of the emergency location; None when none is declared."""
    location = await named_location(scope, stated, inherited)
    if location is None:
        return None
    found = location.spec.teams_location_id
    if found is None:
        raise Stalled(
            Reason.EMERGENCY_LOCATION_UNKNOWN,
            f"EmergencyLocation {location.namespace}/{location.name} has no teamsLocationId; "
            "create the location in Teams (New-CsOnlineLisLocation) and state its id",
        )
    return found.lower()


async def webex_location(
    scope: Scope, stated: ObjectRef | None, inherited: tuple[ObjectRef, str] | None
) -> str | None:
    """Name of the Webex location of the emergency location; None when none is declared."""
    location = await named_location(scope, stated, inherited)
    if location is None:
        return None
    if location.spec.webex_location is None:
        raise Stalled(
            Reason.EMERGENCY_LOCATION_UNKNOWN,
            f"EmergencyLocation {location.namespace}/{location.name} has no webexLocation; state "
            "the name of the Webex location with this address",
        )
    return location.spec.webex_location


async def named_location(
    scope: Scope, stated: ObjectRef | None, inherited: tuple[ObjectRef, str] | None
) -> EmergencyLocation | None:
    """The person's own reference counts, else that of the range or number (`inherited`, with the
    namespace it is made in).
    """
    if stated is not None:
        reference, namespace = stated, scope.key.namespace
    elif inherited is not None:
        reference, namespace = inherited
    else:
        return None
    location = await consenting(scope, "EmergencyLocation", reference, namespace=namespace)
    assert isinstance(location, EmergencyLocation)
    return location


def may_write(scope: Scope, user: LineObject, gathered: Gathered) -> bool:
    """Suspended and observed objects are never written; the stricter of both sides wins."""
    connection = gathered.connection
    suspended = ""
    if user.spec.suspend:
        suspended = "spec.suspend is set"
    elif connection.spec.suspend:
        suspended = f"{connection.kind} {connection.namespace}/{connection.name} is suspended"
    freeze = freeze_of(scope.engine, connection)
    scope.circumstances = Circumstances(
        suspended=suspended, incident=freeze.text if freeze is not None else ""
    )
    policies = (connection.spec.management_policy, user.spec.management_policy)
    observed_only = any(policy is not ManagementPolicy.MANAGE for policy in policies)
    return not (suspended or observed_only or gathered.runtime.health.restored)
