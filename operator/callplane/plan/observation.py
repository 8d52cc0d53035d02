"""Join what was read of a tenant into one observed line per holder.

Knowledge has three values. A fact that was read is itself, also when it is "nothing"; what was not
read, or not read reliably, is `Unknown`, and nothing is ever planned on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callplane.resources.lines import (
    LOCATION,
    NUMBER,
    Line,
    LineNumber,
    Setting,
    SettingValue,
    policy_setting,
)
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform
from callplane.values import HolderId


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not known, with the sentence that says why."""

    message: str


def observed_line(
    holder: HolderId,
    configuration: CallingConfiguration | None,
    numbers: Iterable[NumberOnPlatform],
) -> Line | Unknown:
    """The line of a person.

    `numbers` are the inventory rows whose holder is the user. The inventory decides which number
    the user has; a number that only the configuration shows is one that synchronisation from
    on-premises put there.
    """
    own = sorted((row for row in numbers if row.is_primary), key=lambda row: row.number)
    if len(own) > 1:
        shown = ", ".join(row.number.masked for row in own)
        return Unknown(f"the tenant shows more than one primary number for this user: {shown}")
    settings: dict[Setting, SettingValue] = {}
    if own:
        settings[NUMBER] = LineNumber(own[0].number, own[0].number_type)
        settings[LOCATION] = own[0].location_id
    if configuration is not None:
        for policy_type, policy in configuration.policies:
            settings[policy_setting(policy_type)] = policy
    return Line(holder, settings)
