"""`plan`: desired and observed line in, sorted changes out. Pure, small, and tested hardest of all.

desired        observed       change
(absent)       anything       none: not managed
X              X              none
X              nothing        assign / set X
X              Y              number: unassign Y, then assign X; location and policy: set X
nothing        Y              number: unassign Y; location: clear; policy: back to the default
nothing        group policy   none: nothing is assigned directly
X              group X        none: satisfied by the group, and its origin is shown
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from callplane.plan import companions
from callplane.plan.change import Cause, Change, Fields, Operation
from callplane.resources.lines import (
    LOCATION,
    NUMBER,
    Line,
    LineNumber,
    PolicyOnLine,
    PolicyOrigin,
    Setting,
    SettingKind,
    SettingValue,
)
from callplane.values import ConnectionId


@dataclass(frozen=True, slots=True)
class LinePlan:
    """Changes of one holder in the order in which they are carried out, and the settings that
    differ.
    """

    changes: tuple[Change, ...]
    differing: tuple[Setting, ...]

    @property
    def is_empty(self) -> bool:
        return not self.changes


def plan(
    connection: ConnectionId,
    desired: Line,
    observed: Line,
    last_applied: Mapping[Setting, SettingValue],
) -> LinePlan:
    """What has to change so that `observed` satisfies every managed setting of `desired`.

    `last_applied` only tells drift (the system moved) from a declaration that moved; it plans
    nothing.
    """
    changes: list[Change] = []
    differing: list[Setting] = []
    for setting in sorted(desired.settings):
        wanted, found = desired.settings[setting], observed.get(setting)
        if satisfied(wanted, found):
            continue
        is_drift = setting in last_applied and last_applied[setting] == wanted
        steps = _steps(setting, desired, observed)
        if steps:
            differing.append(setting)
        cause = Cause.DRIFT if is_drift else Cause.DECLARED
        for operation, before, after in steps:
            changes.append(
                Change(
                    connection=connection,
                    operation=operation,
                    platform=desired.holder.platform,
                    subject=desired.holder.user_id,
                    before=before,
                    after=after,
                    cause=cause,
                )
            )
    ordered = tuple(sorted(changes, key=lambda change: change.sort_key))
    ordered = companions.joined(ordered, desired, observed)
    return LinePlan(changes=ordered, differing=tuple(differing))


def satisfied(wanted: SettingValue, found: SettingValue) -> bool:
    """Does what was found meet what is wanted? Only policies have an origin that matters."""
    if isinstance(found, PolicyOnLine):
        if wanted is None:
            return found.origin is PolicyOrigin.GROUP
        return isinstance(wanted, PolicyOnLine) and wanted.name.casefold() == found.name.casefold()
    return wanted == found


_Step = tuple[Operation, Fields | None, Fields | None]


def _steps(setting: Setting, desired: Line, observed: Line) -> list[_Step]:
    kind = setting.kind
    if kind is SettingKind.NUMBER:
        return _number_steps(desired, observed)
    if kind is SettingKind.LOCATION:
        return _location_steps(desired, observed)
    return _policy_steps(setting, desired.settings[setting], observed.get(setting))


def _number_steps(desired: Line, observed: Line) -> list[_Step]:
    steps: list[_Step] = []
    if observed.number is not None:
        steps.append((Operation.UNASSIGN_NUMBER, observed.number.to_json(), None))
    if desired.number is not None:
        after = desired.number.to_json()
        location = desired.settings.get(LOCATION)
        if isinstance(location, str):
            after["location"] = location
        if desired.for_service:
            after["use"] = "service"
        steps.append((Operation.ASSIGN_NUMBER, None, after))
    return steps


def _location_steps(desired: Line, observed: Line) -> list[_Step]:
    """A location belongs to a number: it is set with the assignment, or later on the number that
    stays.
    """
    number = observed.number
    stays = number is not None and (
        NUMBER not in desired.settings or satisfied(desired.settings[NUMBER], number)
    )
    if number is None or not stays:
        return []
    before, after = observed.get(LOCATION), desired.settings[LOCATION]
    return [
        (
            Operation.SET_LOCATION,
            _location_fields(number, before if isinstance(before, str) else None),
            _location_fields(number, after if isinstance(after, str) else ""),
        )
    ]


def _location_fields(number: LineNumber, location: str | None) -> Fields | None:
    if location is None:
        return None
    return {**number.to_json(), "location": location}


def _policy_steps(setting: Setting, wanted: SettingValue, found: SettingValue) -> list[_Step]:
    before = (
        {"type": setting.detail, "name": found.name} if isinstance(found, PolicyOnLine) else None
    )
    name = wanted.name if isinstance(wanted, PolicyOnLine) else ""
    if before is None and not name:
        return []
    return [(Operation.SET_POLICY, before, {"type": setting.detail, "name": name})]
