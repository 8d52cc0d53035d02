"""Does a read show what a change was to bring about, and is what it takes away still there?
Pure.
"""

from __future__ import annotations

from callplane.plan.change import Change, Operation
from callplane.plan.diff import satisfied
from callplane.resources.lines import PolicyOnLine
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform
from callplane.resources.webex import COMPANIONS


def number_shows(row: NumberOnPlatform | None, change: Change) -> bool:
    """The number's row against a number or location change."""
    if change.operation is Operation.UNASSIGN_NUMBER:
        return row is None or row.holder_id != change.subject
    if row is None or row.holder_id != change.subject:
        return False
    after = change.after or {}
    if change.operation is Operation.ASSIGN_NUMBER:
        return row.number_type.value == after.get("type")
    return (row.location_id or "") == after.get("location", "")


def policy_shows(configuration: CallingConfiguration | None, change: Change) -> bool:
    after = change.after or {}
    policies = dict(configuration.policies) if configuration is not None else {}
    name = after.get("name", "")
    return satisfied(PolicyOnLine(name) if name else None, policies.get(after.get("type", "")))


def companions_show(configuration: CallingConfiguration | None, change: Change) -> bool:
    """Does the person have what came in one change with a number or a licence?"""
    after = change.after or {}
    policies = dict(configuration.policies) if configuration is not None else {}
    return all(
        satisfied(PolicyOnLine(after[field]), policies.get(setting.detail))
        for setting, field in COMPANIONS.items()
        if field in after
    )


def still_from(
    row: NumberOnPlatform | None, configuration: CallingConfiguration | None, change: Change
) -> bool:
    """Compare before write: is what the change takes away still what it was planned on?"""
    before = change.before or {}
    if change.operation is Operation.SET_POLICY:
        policies = dict(configuration.policies) if configuration is not None else {}
        found = policies.get(before.get("type", ""))
        return found is not None and found.name == before.get("name")
    if row is None or row.holder_id != change.subject:
        return False
    if change.operation is Operation.SET_LOCATION:
        return (row.location_id or "") == before.get("location", "")
    return row.number_type.value == before.get("type")
