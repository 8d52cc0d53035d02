"""A line: what one holder has on a calling platform, as a set of named settings.

Desired and observed lines share this type, so a difference is inequality of two values. A setting
that is absent from a *desired* line is not managed; one that is absent from an *observed* line is
empty (`None`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from callplane.values import E164, HolderId


class NumberType(Enum):
    """How calls of a number reach the platform (Graph `numberType`; the others are platforms of
    their own).
    """

    DIRECT_ROUTING = "directRouting"
    CALLING_PLAN = "callingPlan"
    OPERATOR_CONNECT = "operatorConnect"
    WEBEX = "webex"
    SIP = "sip"


class SettingKind(Enum):
    NUMBER = "number"
    LOCATION = "emergencyLocation"
    POLICY = "policy"


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """The name of a setting; `detail` is the policy type where the kind is a policy, else empty."""

    kind_text: str
    detail: str = ""

    @property
    def kind(self) -> SettingKind:
        return SettingKind(self.kind_text)

    def __str__(self) -> str:
        return f"{self.kind_text}/{self.detail}" if self.detail else self.kind_text


NUMBER = Setting(SettingKind.NUMBER.value)
LOCATION = Setting(SettingKind.LOCATION.value)


def policy_setting(policy_type: str) -> Setting:
    return Setting(SettingKind.POLICY.value, policy_type)


@dataclass(frozen=True, slots=True)
class LineNumber:
    """A number as a line has it."""

    number: E164
    number_type: NumberType

    def to_json(self) -> dict[str, str]:
        return {"number": self.number.text, "type": self.number_type.value}


class PolicyOrigin(Enum):
    """Where an effective policy comes from; an absent policy is the tenant's global default."""

    DIRECT = "direct"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class PolicyOnLine:
    name: str
    origin: PolicyOrigin = PolicyOrigin.DIRECT


# What a setting can hold: a number, a location id, a policy, or nothing.
SettingValue = LineNumber | PolicyOnLine | str | None


@dataclass(frozen=True, slots=True)
class Line:
    """The settings of one holder; `for_service`: of a service, which only receives calls."""

    holder: HolderId
    settings: Mapping[Setting, SettingValue]
    for_service: bool = False

    def get(self, setting: Setting) -> SettingValue:
        return self.settings.get(setting)

    @property
    def number(self) -> LineNumber | None:
        value = self.settings.get(NUMBER)
        return value if isinstance(value, LineNumber) else None
