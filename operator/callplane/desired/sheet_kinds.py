"""What a spreadsheet may be a list of, and what a good row of it becomes.

People of a Teams tenant, people of a Webex organisation, or numbers of a carrier: the fields that
columns may be named for, which of them every row must have, and the spec that comes of the cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callplane.apis import fields
from callplane.apis.number_ranges import NumberUse, Route
from callplane.numbering import plan_table
from callplane.values import E164

USER = "userPrincipalName"
EMAIL = "email"
NUMBER = "number"
LOCATION = "location"
POLICY = "policy."

Cells = Mapping[str, str]
Body = dict[str, Any]
#: Cells, the number in them, and the reference to the connection.
SpecOf = Callable[[Cells, E164, Body], Body]


@dataclass(frozen=True, slots=True)
class SheetKind:
    """One sort of sheet: the kind of object that a row becomes, on a connection of which kind.

    `subject` is the field that says who it is; where it is the number, that is all there is.
    """

    kind: str
    connection: str
    subject: str
    fields: tuple[str, ...]
    spec: SpecOf
    has_policies: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        return (self.subject,) if self.subject == NUMBER else (self.subject, NUMBER)

    @property
    def folder(self) -> str:
        """Where its files go, below the folder of the connection."""
        return "numbers" if self.subject == NUMBER else "people"

    @property
    def field_names(self) -> str:
        """Everything that a column may be named for, for messages."""
        policy = f" or {POLICY}TYPE" if self.has_policies else ""
        return ", ".join(self.fields) + policy

    def has_field(self, name: str) -> bool:
        if name in self.fields:
            return True
        policy_type = name.removeprefix(POLICY)
        is_policy = self.has_policies and name.startswith(POLICY)
        return is_policy and re.fullmatch(fields.POLICY_TYPE_PATTERN, policy_type) is not None


def _in_teams(cells: Cells, number: E164, connection: Body) -> Body:
    spec: Body = {
        "tenantRef": connection,
        "userPrincipalName": cells[USER].lower(),
        "phoneNumber": {"e164": number.text},
        **_emergency_location(cells, LOCATION),
    }
    policies = [
        {"type": name.removeprefix(POLICY), "name": text}
        for name, text in sorted(cells.items())
        if name.startswith(POLICY) and text
    ]
    return {**spec, "policies": policies} if policies else spec


def _in_webex(cells: Cells, number: E164, connection: Body) -> Body:
    stated = {name: cells[name] for name in ("location", "licence") if cells.get(name)}
    extension = {"extension": cells["extension"]} if cells.get("extension") else {}
    return {
        "organizationRef": connection,
        "email": cells[EMAIL].lower(),
        **stated,
        "phoneNumber": {"e164": number.text},
        **extension,
        **_emergency_location(cells, "emergencyLocation"),
    }


def _at_carrier(cells: Cells, number: E164, connection: Body) -> Body:
    plan = next(each for each in plan_table.PLANS.values() if each.covers(number))
    described = {"description": cells["description"]} if cells.get("description") else {}
    return {
        "e164": number.text,
        "carrierRef": connection,
        "route": cells.get("route") or Route.DIRECT_ROUTING.value,
        "use": cells.get("use") or NumberUse.USER.value,
        "country": plan.country,
        **_emergency_location(cells, "emergencyLocation"),
        **described,
    }


def _emergency_location(cells: Cells, name: str) -> Body:
    return {"emergencyLocationRef": {"name": cells[name]}} if cells.get(name) else {}


TEAMS_PEOPLE = SheetKind(
    "TeamsUser", "TeamsTenant", USER, (USER, NUMBER, LOCATION), _in_teams, has_policies=True
)
WEBEX_PEOPLE = SheetKind(
    "WebexUser",
    "WebexOrganization",
    EMAIL,
    (EMAIL, NUMBER, LOCATION, "licence", "extension", "emergencyLocation"),
    _in_webex,
)
NUMBERS = SheetKind(
    "PhoneNumber",
    "Carrier",
    NUMBER,
    (NUMBER, "route", "use", "emergencyLocation", "description"),
    _at_carrier,
)
#: By the kind of the connection.
SHEETS: Mapping[str, SheetKind] = {
    each.connection: each for each in (TEAMS_PEOPLE, WEBEX_PEOPLE, NUMBERS)
}
