"""A change read as one typed order, so that every provider understands its fields in the same way.

Providers call `order_of` first in `send`; the shapes of `before` and `after` are those of
`plan.change`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from callplane.plan.change import Change, Operation
from callplane.resources.lines import NumberType
from callplane.values import E164


@dataclass(frozen=True, slots=True)
class UnassignNumber:
    user_id: str
    number: E164
    number_type: NumberType


@dataclass(frozen=True, slots=True)
class AssignNumber:
    """`location_id` is None where the order says nothing of a location. Licence and extension come
    with a number on platforms that take them together.
    """

    user_id: str
    number: E164
    number_type: NumberType
    location_id: str | None
    licence: str | None = None
    extension: str | None = None
    for_service: bool = False


@dataclass(frozen=True, slots=True)
class SetLocation:
    """`location_id` None clears the location."""

    user_id: str
    number: E164
    location_id: str | None


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """`name` None takes the direct assignment away. What comes with it: see AssignNumber."""

    user_id: str
    policy_type: str
    name: str | None
    location_id: str | None = None
    licence: str | None = None
    extension: str | None = None


Order = UnassignNumber | AssignNumber | SetLocation | SetPolicy


def order_of(change: Change) -> Order:
    """What the change asks for. Raises ValueError naming the field that is missing or malformed."""
    before: Mapping[str, str] = change.before or {}
    after: Mapping[str, str] = change.after or {}
    try:
        match change.operation:
            case Operation.UNASSIGN_NUMBER:
                return UnassignNumber(
                    change.subject, E164(before["number"]), NumberType(before["type"])
                )
            case Operation.ASSIGN_NUMBER:
                return AssignNumber(
                    change.subject,
                    E164(after["number"]),
                    NumberType(after["type"]),
                    after.get("location") or None,
                    after.get("licence") or None,
                    after.get("extension") or None,
                    after.get("use") == "service",
                )
            case Operation.SET_LOCATION:
                number = after["number"] if "number" in after else before["number"]
                return SetLocation(change.subject, E164(number), after.get("location") or None)
            case Operation.SET_POLICY:
                policy_type = after["type"] if "type" in after else before["type"]
                return SetPolicy(
                    change.subject,
                    policy_type,
                    after.get("name") or None,
                    after.get("location") or None,
                    after.get("licence") or None,
                    after.get("extension") or None,
                )
            case _:
                raise ValueError(f"{change.operation.value} is not for a calling platform")
    except KeyError as missing:
        raise ValueError(
            f"a change {change.operation.value} needs the field {missing.args[0]!r}"
        ) from missing
