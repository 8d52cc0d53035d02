"""The line that a TeamsUser asks for. Absent fields stay out of it: they are not managed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callplane.apis.number_ranges import FOREIGN_ROUTES, Route
from callplane.apis.teams_tenants import PolicyAssignment
from callplane.apis.teams_users import TeamsUserSpec
from callplane.resources.lines import (
    LOCATION,
    NUMBER,
    Line,
    LineNumber,
    NumberType,
    PolicyOnLine,
    Setting,
    SettingValue,
    policy_setting,
)
from callplane.values import HolderId

NUMBER_TYPES = {
    Route.DIRECT_ROUTING: NumberType.DIRECT_ROUTING,
    Route.CALLING_PLAN: NumberType.CALLING_PLAN,
    Route.OPERATOR_CONNECT: NumberType.OPERATOR_CONNECT,
    Route.FOREIGN_DIRECT_ROUTING: NumberType.DIRECT_ROUTING,
    Route.WEBEX: NumberType.WEBEX,
    Route.SIP: NumberType.SIP,
}
NUMBER_TYPES_IN_TEAMS = {
    route: NUMBER_TYPES[route] for route in (Route.DIRECT_ROUTING, *sorted(FOREIGN_ROUTES))
}


@dataclass(frozen=True, slots=True)
class DesiredNumber:
    """The number part of a declaration: not managed, or managed and this number (None: no
    number).
    """

    managed: bool
    number: LineNumber | None = None


def desired_line(
    holder: HolderId,
    spec: TeamsUserSpec,
    *,
    number: DesiredNumber,
    default_policies: Iterable[PolicyAssignment],
    location_id: str | None,
) -> Line:
    """`location_id` is the tenant's id of the declared emergency location; None when none is
    declared.
    """
    settings: dict[Setting, SettingValue] = {}
    if number.managed:
        settings[NUMBER] = number.number
    if location_id is not None:
        settings[LOCATION] = location_id
    named = {policy.type: policy.name for policy in default_policies}
    named.update({policy.type: policy.name for policy in spec.policies})
    for policy_type, name in named.items():
        settings[policy_setting(policy_type)] = PolicyOnLine(name) if name else None
    return Line(holder, settings)


def person_key(spec: TeamsUserSpec) -> str:
    """What the spec calls the person: the user id, or the user principal name in lower case."""
    if spec.user_id is not None:
        return spec.user_id.lower()
    return (spec.user_principal_name or "").lower()
