"""EmergencyLocation: who relies on it, and which numbers have it. It has no finalizer; users keep
what was applied. `callplane numbers coverage` tells it number by number.
"""

from __future__ import annotations

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.desired.declarations import LINE_KINDS
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Gone, Scope
from callplane.status.conditions import Succeeded
from callplane.values import Platform

RECOUNT_SECONDS = 600.0


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
    scope.status["coverage"]["accepted"] = _accepted(scope, location)
    scope.status["teamsLocationId"] = location.spec.teams_location_id
    scope.status["webexLocation"] = location.spec.webex_location
    scope.engine.queue.add_later(scope.key, Priority.DRIFT, RECOUNT_SECONDS)
    known = {
        "Teams": location.spec.teams_location_id,
        "Webex": location.spec.webex_location,
    }
    names = [name for name, text in known.items() if text]
    lacks = "has neither teamsLocationId nor webexLocation yet"
    return Succeeded(f"known to {' and '.join(names)}" if names else lacks)


def _accepted(scope: Scope, location: EmergencyLocation) -> int:
    """Numbers in use that platforms show with this location."""
    ids = {
        Platform.TEAMS.value: (location.spec.teams_location_id or "").lower(),
        Platform.WEBEX.value: (location.spec.webex_location or "").lower(),
    }
    return sum(
        runtime.numbers_at(ids.get(runtime.connection.provider, ""))
        for runtime in scope.engine.connections.values()
    )
