"""What Graph cannot do, and the Teams PowerShell line that does it instead. Pure.

A manual step is shown in status and in plans. It names the number in full only where the settings
allow full numbers to be shown; otherwise it holds a placeholder that an administrator can fill in.
"""

from __future__ import annotations

from callplane.plan.change import Change
from callplane.providers.orders import (
    AssignNumber,
    Order,
    SetLocation,
    SetPolicy,
    UnassignNumber,
    order_of,
)
from callplane.providers.protocol import Unsupported
from callplane.resources.lines import NumberType
from callplane.values import E164, Platform

# Hosts of Graph in clouds whose metadata lacks number and policy administration.
OTHER_CLOUDS = frozenset(
    {
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
        "graph.microsoft.de",
        "graph.svc.sovcloud.fr",
        "graph.svc.sovcloud.de",
        "graph.microsoft.eaglex.ic.gov",
        "graph.microsoft.scloud",
    }
)

_CMDLET_TYPES = {
    NumberType.DIRECT_ROUTING: "DirectRouting",
    NumberType.CALLING_PLAN: "CallingPlan",
    NumberType.OPERATOR_CONNECT: "OperatorConnect",
}
# Where the cmdlet's noun is not `Cs` and the policy type.
_GRANT_NOUNS = {"OnlineDialOutPolicy": "DialoutPolicy"}


def judge(change: Change, *, other_cloud: bool, show_numbers: bool) -> Unsupported | None:
    """Why this change cannot be carried out through Graph, or None when it can. Raises ValueError
    for a malformed change.
    """
    order = order_of(change)
    reason = _reason(change, order, other_cloud=other_cloud)
    if reason is None:
        return None
    if change.platform is not Platform.TEAMS or _number_type(change, order) not in _CMDLET_TYPES:
        return Unsupported(reason, "")
    if isinstance(order, SetLocation) and _is_operators(change):
        return Unsupported(reason, "Ask the operator to change the emergency address.")
    return Unsupported(reason, command(order, show_numbers=show_numbers))


def command(order: Order, *, show_numbers: bool) -> str:
    """The Teams PowerShell command that does what the order says."""
    match order:
        case AssignNumber():
            text = (
                f"Set-CsPhoneNumberAssignment -Identity {_quoted(order.user_id)}"
                f" -PhoneNumber {_number(order.number, show_numbers)}"
                f" -PhoneNumberType {_CMDLET_TYPES[order.number_type]}"
            )
            return f"{text} -LocationId {_quoted(order.location_id)}" if order.location_id else text
        case UnassignNumber():
            return (
                f"Remove-CsPhoneNumberAssignment -Identity {_quoted(order.user_id)}"
                f" -PhoneNumber {_number(order.number, show_numbers)}"
                f" -PhoneNumberType {_CMDLET_TYPES[order.number_type]}"
            )
        case SetLocation():
            location = _quoted(order.location_id) if order.location_id else "null"
            return (
                f"Set-CsPhoneNumberAssignment -PhoneNumber {_number(order.number, show_numbers)}"
                f" -LocationId {location}"
            )
        case SetPolicy():
            noun = _GRANT_NOUNS.get(order.policy_type, order.policy_type)
            name = _quoted(order.name) if order.name else "$null"
            return f"Grant-Cs{noun} -Identity {_quoted(order.user_id)} -PolicyName {name}"


def _reason(change: Change, order: Order, *, other_cloud: bool) -> str | None:
    if change.platform is not Platform.TEAMS:
        return f"a {change.platform.value} line is not in Microsoft Teams"
    if other_cloud:
        return "Microsoft Graph has no number and policy administration in this cloud"
    number_type = _number_type(change, order)
    if number_type not in _CMDLET_TYPES:
        return f"Teams has no numbers of type {number_type.value}"
    if isinstance(order, SetLocation):
        if number_type is NumberType.OPERATOR_CONNECT:
            return "the emergency address of an Operator Connect number belongs to the operator"
        if number_type is NumberType.CALLING_PLAN and order.location_id is None:
            return "the emergency location of a Calling Plan number can be changed, not removed"
    return None


def _is_operators(change: Change) -> bool:
    return _stated_type(change) is NumberType.OPERATOR_CONNECT


def _number_type(change: Change, order: Order) -> NumberType:
    if isinstance(order, AssignNumber | UnassignNumber):
        return order.number_type
    if isinstance(order, SetLocation):
        return _stated_type(change) or NumberType.DIRECT_ROUTING
    return NumberType.DIRECT_ROUTING


def _stated_type(change: Change) -> NumberType | None:
    """The type of the number that a location change is about, where the change says it."""
    for side in (change.after, change.before):
        if side is not None and "type" in side:
            return NumberType(side["type"])
    return None


def _number(number: E164, show_numbers: bool) -> str:
    return _quoted(number.text) if show_numbers else f"<number ending {number.text[-4:]}>"


def _quoted(text: str) -> str:
    """A literal string of PowerShell."""
    return "'" + text.replace("'", "''") + "'"
