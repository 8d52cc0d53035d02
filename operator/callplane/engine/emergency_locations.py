"""EmergencyLocation: who relies on it. It has no finalizer; users keep what was applied."""

from __future__ import annotations

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.desired.declarations import LINE_KINDS
from callplane.engine.scope import Gone, Scope
from callplane.status.conditions import Succeeded


async def run(scope: Scope) -> Succeeded:
    """Count who names the location."""
    if scope.cached.is_deleting:
        raise Gone
    location = scope.resource
    assert isinstance(location, EmergencyLocation)
    kinds = [key.kind for key in scope.engine.cache.dependents(scope.key)]
    scope.status["coverage"] = {
        "ranges": kinds.count("NumberRange"),
        "numbers": kinds.count("PhoneNumber"),
        "users": sum(kind in LINE_KINDS for kind in kinds),
    }
    scope.status["teamsLocationId"] = location.spec.teams_location_id
    where = "known to Teams" if location.spec.teams_location_id else "has no teamsLocationId yet"
    return Succeeded(where)
