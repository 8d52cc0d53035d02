"""What is particular to a TeamsUser in the pass of a person: the line wanted, the line shown."""

from __future__ import annotations

from typing import Any

from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.desired.teams_users import desired_line
from callplane.engine import gathering
from callplane.engine.claims import WantedNumber
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.resources.lines import (
    LOCATION,
    Line,
    NumberType,
    PolicyOnLine,
    SettingKind,
)
from callplane.values import HolderId


async def desired(
    scope: Scope, user: TeamsUser, gathered: Gathered, holder: HolderId, number: WantedNumber
) -> Line:
    """The line that the spec asks for, with the tenant's default policies."""
    assert isinstance(gathered.connection, TeamsTenant)
    return desired_line(
        holder,
        user.spec,
        number=number.desired,
        default_policies=gathered.connection.spec.default_policies,
        location_id=await gathering.teams_location_id(
            scope, user.spec.emergency_location_ref, number.location
        ),
    )


def show(scope: Scope, observed: Line, desired: Line) -> None:
    """What the status says the person has, with the origin of every managed policy."""
    status: dict[str, Any] = scope.status
    status["userId"] = observed.holder.user_id
    number = observed.number
    status["phoneNumber"] = (
        {"e164": number.number.text, "type": ROUTES[number.number_type]} if number else None
    )
    location = observed.get(LOCATION)
    status["emergencyLocationId"] = location if isinstance(location, str) else None
    policies = []
    for setting in sorted(desired.settings):
        if setting.kind is not SettingKind.POLICY:
            continue
        found = observed.get(setting)
        if isinstance(found, PolicyOnLine):
            origin = found.origin.value.capitalize()
            policies.append({"type": setting.detail, "name": found.name, "origin": origin})
        else:
            policies.append({"type": setting.detail, "name": "", "origin": "Global"})
    status["policies"] = policies
    status["drift"] = []


ROUTES = {
    NumberType.DIRECT_ROUTING: "DirectRouting",
    NumberType.CALLING_PLAN: "CallingPlan",
    NumberType.OPERATOR_CONNECT: "OperatorConnect",
    NumberType.WEBEX: "Webex",
    NumberType.SIP: "Sip",
}
