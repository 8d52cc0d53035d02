"""What lines at the SBC are called and which numbers they may have. Pure; read by the engine, by
the provider `sip` and by whoever tells call control of lines.
"""

from __future__ import annotations

from callplane.apis.number_ranges import Route
from callplane.desired.teams_users import DesiredNumber
from callplane.resources.lines import NUMBER, Line, NumberType, Setting, SettingValue
from callplane.values import HolderId

# Calls of both come over our own trunks, so a number may go from Teams to a phone and back.
NUMBER_TYPES_AT_SBC = {Route.DIRECT_ROUTING: NumberType.SIP, Route.SIP: NumberType.SIP}

_TRUNK = "trunk:"


def phone_key(username: str) -> str:
    """How the register calls a phone; user names of SIP tell capitals from small letters."""
    return f"phone:{username}"


def trunk_key(trunk: str) -> str:
    """How the register calls a PBX."""
    return f"{_TRUNK}{trunk}"


def is_trunk(user_id: str) -> bool:
    """Is this the id of a PBX?"""
    return user_id.startswith(_TRUNK)


def desired_line(holder: HolderId, *, number: DesiredNumber) -> Line:
    """A phone has a number and nothing else that is kept at the SBC."""
    settings: dict[Setting, SettingValue] = {}
    if number.managed:
        settings[NUMBER] = number.number
    return Line(holder, settings)
