"""What is particular to a WebexUser in the pass of a person: the line wanted, the line shown."""

from __future__ import annotations

from typing import Any

from callplane.apis.call_privileges import CallPrivilege
from callplane.apis.reasons import Reason
from callplane.apis.webex_users import WebexUser
from callplane.desired.webex_permissions import outgoing_permissions
from callplane.desired.webex_users import desired_line
from callplane.engine import gathering
from callplane.engine.claims import WantedNumber
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.errors import Stalled
from callplane.resources.lines import LOCATION, Line, PolicyOnLine, Setting
from callplane.resources.webex import EXTENSION, LICENCE
from callplane.values import HolderId


async def desired(scope: Scope, user: WebexUser, holder: HolderId, number: WantedNumber) -> Line:
    """The line that the spec asks for. Emergency services are sent to the address of the location,
    so an emergency location and a location that are both stated must be one.
    """
    emergency = await gathering.webex_location(
        scope, user.spec.emergency_location_ref, number.location
    )
    stated = user.spec.location
    if emergency is not None and stated is not None and emergency != stated:
        raise Stalled(
            Reason.EMERGENCY_LOCATION_UNKNOWN,
            f"the person calls from the Webex location {stated}, and the emergency location is "
            f"that of {emergency}: help would be sent to the wrong address",
        )
    return desired_line(
        holder,
        user.spec,
        number=number.desired,
        location=stated or emergency,
        outgoing=await _outgoing(scope, user),
    )


async def _outgoing(scope: Scope, user: WebexUser) -> str | None:
    if user.spec.call_privilege_ref is None:
        return None
    found = await gathering.consenting(scope, "CallPrivilege", user.spec.call_privilege_ref)
    assert isinstance(found, CallPrivilege)
    return outgoing_permissions(found.spec)


def show(scope: Scope, gathered: Gathered, observed: Line) -> None:
    """What the status says the person has."""
    status: dict[str, Any] = scope.status
    number = observed.number
    location = observed.get(LOCATION)
    status["personId"] = observed.holder.user_id
    status["phoneNumber"] = {"e164": number.number.text, "type": "Webex"} if number else None
    status["directNumbers"] = len(gathered.runtime.snapshot.numbers_of(observed.holder.user_id))
    status["location"] = location if isinstance(location, str) else None
    status["extension"] = _name(observed, EXTENSION)
    status["licence"] = _name(observed, LICENCE)
    status["drift"] = []


def _name(observed: Line, setting: Setting) -> str | None:
    value = observed.get(setting)
    return value.name if isinstance(value, PolicyOnLine) else None
