"""What the Webex API cannot do, and what an administrator does instead. Pure."""

from __future__ import annotations

from callplane.plan.change import Change, Operation
from callplane.providers.orders import SetLocation, order_of
from callplane.providers.protocol import Unsupported
from callplane.values import Platform

MOVE_PERSON = (
    "in Control Hub move the person to the location (Users, the person, Calling, Move location), "
    "with the number"
)


def judge(change: Change) -> Unsupported | None:
    """Why this change cannot be carried out through the API, or None when it can. Raises
    ValueError for a malformed change.
    """
    if change.platform is not Platform.WEBEX:
        return Unsupported(f"a {change.platform.value} line is not in Webex", "")
    if change.operation is Operation.CREATE_PERSON:
        return None
    if isinstance(order_of(change), SetLocation):
        reason = "Webex cannot change the location of somebody who has Calling"
        return Unsupported(reason, MOVE_PERSON)
    return None
