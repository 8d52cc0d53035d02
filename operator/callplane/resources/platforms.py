"""What is read from a tenant of Teams or an organisation of Webex, provider details removed.

Three families are listed in bulk, each with its own pages: people (Entra ID), numbers (the
telephone number inventory) and configurations (Teams users). `observed_line` in `plan.observation`
joins the last two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.values import E164


class LicenceState(Enum):
    """State of the Phone System service plan (MCOEV) in Entra ID."""

    ENABLED = "Enabled"
    WARNING = "Warning"
    ABSENT = "Absent"


class AccountType(Enum):
    """Graph `accountType`; members not listed read as OTHER."""

    USER = "user"
    RESOURCE_ACCOUNT = "resourceAccount"
    GUEST = "guest"
    INELIGIBLE = "ineligibleUser"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Person:
    """One directory user. `user_principal_name` is lower case."""

    user_id: str
    user_principal_name: str
    usage_location: str = ""
    account_enabled: bool = True
    licence: LicenceState = LicenceState.ENABLED
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class NumberOnPlatform:
    """One row of the inventory. `holder_id` is whatever holds it: a user, a service or a policy.

    `is_primary` is False for a further number of somebody who has several; `managed_by` names who
    else manages the number, and then it is never written.
    """

    number: E164
    number_type: NumberType
    holder_id: str | None = None
    held_by_user: bool = True
    location_id: str | None = None
    on_premises: bool = False
    assignable_to_users: bool = True
    settled: bool = True
    is_primary: bool = True
    managed_by: str = ""


@dataclass(frozen=True, slots=True)
class CallingConfiguration:
    """What the platform itself knows of a user. `phone_system_ready` is the sign that it has taken
    the licence in (on Teams the feature type PhoneSystem); `numbers` includes numbers that are
    synchronised from on-premises. `unlisted` are the policy types that this row says nothing of,
    because it comes from a listing that leaves them out."""

    user_id: str
    account_type: AccountType = AccountType.USER
    phone_system_ready: bool = True
    enterprise_voice: bool = False
    numbers: tuple[E164, ...] = ()
    policies: tuple[tuple[str, PolicyOnLine], ...] = ()
    unlisted: frozenset[str] = frozenset()

    def completed_by(self, known: CallingConfiguration | None) -> CallingConfiguration:
        """This row with what it says nothing of as it was known before."""
        if known is None or not self.unlisted:
            return self
        kept = tuple(policy for policy in known.policies if policy[0] in self.unlisted)
        unlisted = self.unlisted & known.unlisted
        return replace(self, policies=(*self.policies, *kept), unlisted=unlisted)
