"""Webex takes licence, extension and location in one request with a number: they ride along.

What rides along stands in the change itself, so that what a person reviews is all that happens.
Called by `plan`; lines of other platforms have no companions and come out as they went in.
"""

from __future__ import annotations

from dataclasses import replace

from callplane.plan.change import Change, Operation
from callplane.resources.lines import LOCATION, Line, PolicyOnLine, Setting
from callplane.resources.webex import COMPANIONS, DEFAULT_LICENCE, EXTENSION, LICENCE
from callplane.values import Platform

_BY_TYPE = {setting.detail: setting for setting in COMPANIONS}


def joined(changes: tuple[Change, ...], desired: Line, observed: Line) -> tuple[Change, ...]:
    """The changes with companions moved into the change that brings the line about."""
    if desired.holder.platform is not Platform.WEBEX or desired.for_service:
        return changes
    carrier = next((c for c in changes if c.operation is Operation.ASSIGN_NUMBER), None)
    if carrier is None and _name(observed, LICENCE) is None:
        # Without a number, a licence comes with an extension.
        carrier = next((c for c in changes if _setting(c) is not None), None)
    if carrier is None or carrier.after is None:
        return changes
    fields = dict(carrier.after)
    for setting, field in COMPANIONS.items():
        name = _name(desired, setting) or _name(observed, setting)
        if name is None and setting == LICENCE:
            name = DEFAULT_LICENCE
        if name is not None and setting != _setting(carrier):
            fields[field] = name
    location = desired.get(LOCATION)
    if isinstance(location, str):
        fields["location"] = location
    whole = replace(carrier, after=fields)
    return tuple(
        whole if change is carrier else change
        for change in changes
        if change is carrier or _setting(change) not in (LICENCE, EXTENSION)
    )


def _setting(change: Change) -> Setting | None:
    """The companion that a change sets by itself, if it is one."""
    if change.operation is not Operation.SET_POLICY:
        return None
    return _BY_TYPE.get((change.after or change.before or {}).get("type", ""))


def _name(line: Line, setting: Setting) -> str | None:
    value = line.get(setting)
    return value.name if isinstance(value, PolicyOnLine) else None
