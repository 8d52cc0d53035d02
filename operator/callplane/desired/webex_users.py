"""The line that a WebexUser asks for. Absent fields stay out of it: they are not managed."""

from __future__ import annotations

from callplane.apis.number_ranges import Route
from callplane.apis.webex_users import CallerId, WebexUserSpec
from callplane.desired.teams_users import DesiredNumber
from callplane.resources.lines import (
    LOCATION,
    NUMBER,
    Line,
    NumberType,
    PolicyOnLine,
    Setting,
    SettingValue,
)
from callplane.resources.webex import CALLER_ID, EXTENSION, LICENCE, OUTGOING, short_licence
from callplane.values import HolderId

# Calls of both come over our own trunks: to the platform they are numbers of one kind.
NUMBER_TYPES_IN_WEBEX = {
    Route.DIRECT_ROUTING: NumberType.WEBEX,
    Route.WEBEX: NumberType.WEBEX,
}

CALLER_IDS = {
    CallerId.DIRECT_LINE: "DIRECT_LINE",
    CallerId.LOCATION_NUMBER: "LOCATION_NUMBER",
}


def desired_line(
    holder: HolderId,
    spec: WebexUserSpec,
    *,
    number: DesiredNumber,
    location: str | None,
    outgoing: str | None = None,
) -> Line:
    """`location` is the name of the Webex location that the person calls from, `outgoing` what
    their privilege makes of outgoing permissions.
    """
    settings: dict[Setting, SettingValue] = {}
    if number.managed:
        settings[NUMBER] = number.number
    if location is not None:
        settings[LOCATION] = location
    if spec.licence is not None:
        settings[LICENCE] = PolicyOnLine(short_licence(spec.licence))
    if spec.extension is not None:
        settings[EXTENSION] = PolicyOnLine(spec.extension)
    if spec.caller_id is not None:
        settings[CALLER_ID] = PolicyOnLine(CALLER_IDS[spec.caller_id])
    if outgoing is not None:
        settings[OUTGOING] = PolicyOnLine(outgoing)
    return Line(holder, settings)


def unlisted_types(spec: WebexUserSpec) -> frozenset[str]:
    """The managed settings that no listing shows: they are read person by person."""
    managed = {CALLER_ID.detail} if spec.caller_id is not None else set()
    if spec.call_privilege_ref is not None:
        managed.add(OUTGOING.detail)
    return frozenset(managed)


def person_key(spec: WebexUserSpec) -> str:
    """What the spec calls the person: the id, or the address in lower case. Ids of Webex tell
    capitals from small letters.
    """
    if spec.person_id is not None:
        return spec.person_id
    return (spec.email or "").lower()
