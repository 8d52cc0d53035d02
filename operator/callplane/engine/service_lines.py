"""What is particular to a ServiceLine in the pass of a line: the line wanted, the line shown."""

from __future__ import annotations

from typing import Any

from callplane.apis.service_lines import ServiceLine
from callplane.engine import gathering
from callplane.engine.claims import WantedNumber
from callplane.engine.scope import Scope
from callplane.engine.teams_users import ROUTES
from callplane.resources.lines import LOCATION, NUMBER, Line, Setting, SettingValue
from callplane.values import HolderId


async def desired(
    scope: Scope, service: ServiceLine, holder: HolderId, number: WantedNumber
) -> Line:
    """A number and, in Teams, the emergency location that goes with it. No policy, no privilege: a
    service makes no calls.
    """
    settings: dict[Setting, SettingValue] = {}
    if number.desired.managed:
        settings[NUMBER] = number.desired.number
    if service.spec.teams is not None:
        location = await gathering.teams_location_id(
            scope, service.spec.emergency_location_ref, number.location
        )
        if location is not None:
            settings[LOCATION] = location
    return Line(holder, settings, for_service=True)


def show(scope: Scope, observed: Line) -> None:
    """What the status says the service has."""
    status: dict[str, Any] = scope.status
    number = observed.number
    status["holderId"] = observed.holder.user_id
    status["phoneNumber"] = (
        {"e164": number.number.text, "type": ROUTES[number.number_type]} if number else None
    )
    status["drift"] = []
