"""ProviderIncident: shows somebody else's outage on what it touches and freezes our writes
meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callplane.apis.carriers import Carrier
from callplane.apis.provider_incidents import Freeze, ProviderIncident, ProviderIncidentSpec
from callplane.apis.reasons import Reason
from callplane.desired.declarations import LINE_KINDS, PlatformObject
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Scope
from callplane.status.conditions import Succeeded
from callplane.values import ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

RECOUNT_SECONDS = 60.0
_USERS = frozenset({*LINE_KINDS, "NumberRange", "PhoneNumber"})
_STRENGTH = {Freeze.NONE: 0, Freeze.DESTRUCTIVE: 1, Freeze.ALL: 2}


async def run(scope: Scope) -> Succeeded:
    """Wake what the incident touches; the objects themselves read it."""
    incident = scope.resource
    assert isinstance(incident, ProviderIncident)
    reference = incident.spec.connection_ref
    connection = ObjectKey(reference.kind.value, scope.key.namespace, reference.name)
    dependents = _users_of(scope.engine, connection)
    resolved = incident.spec.resolved_at is not None or scope.cached.is_deleting
    shown = scope.cached.status.get("affectedObjects")
    affected = 0 if resolved else len(dependents)
    if (
        shown != affected
        or scope.cached.status.get("observedGeneration") != scope.cached.generation
    ):
        for key in dependents:
            scope.engine.queue.add(key, Priority.DEPENDENCY)
    scope.status["affectedObjects"] = affected
    if resolved:
        return Succeeded("resolved", reason=Reason.INCIDENT_RESOLVED)
    scope.engine.queue.add_later(scope.key, Priority.DRIFT, RECOUNT_SECONDS)
    return Succeeded(
        f"open; {incident.spec.freeze.value} writes are frozen", reason=Reason.INCIDENT_OPEN
    )


def gone(engine: Engine, incident: ProviderIncident) -> None:
    """The object is gone, and with it what it froze."""
    reference = incident.spec.connection_ref
    connection = ObjectKey(reference.kind.value, incident.namespace, reference.name)
    for key in _users_of(engine, connection):
        engine.queue.add(key, Priority.DEPENDENCY)


def _users_of(engine: Engine, connection: ObjectKey) -> list[ObjectKey]:
    return [key for key in engine.cache.dependents(connection) if key.kind in _USERS]


def freeze_of(engine: Engine, connection: PlatformObject | Carrier) -> ProviderIncidentSpec | None:
    """The open incident of this connection, in its own namespace, that freezes most."""
    found: ProviderIncidentSpec | None = None
    for cached in engine.cache.of_kind("ProviderIncident"):
        incident = cached.resource
        if not isinstance(incident, ProviderIncident) or cached.is_deleting:
            continue
        spec = incident.spec
        named = (cached.key.namespace, spec.connection_ref.kind.value, spec.connection_ref.name)
        if named != (connection.namespace, connection.kind, connection.name):
            continue
        if spec.resolved_at is not None:
            continue
        if found is None or _STRENGTH[spec.freeze] > _STRENGTH[found.freeze]:
            found = spec
    return found
