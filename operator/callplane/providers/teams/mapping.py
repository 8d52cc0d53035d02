"""Rows of Graph as our own nouns: pure, total, and cheap enough for ten thousand users.

Every function takes one decoded JSON object and returns the row, or None where the object cannot be
read. None is counted as a bad row by the caller: a row that was misread would be acted upon. Enum
members that are not listed anywhere are accepted and read as the cautious one of the members we
know.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164

PERSON_FIELDS = "id,userPrincipalName,usageLocation,accountEnabled,assignedPlans"
CONFIGURATION_FIELDS = (
    "id,accountType,isEnterpriseVoiceEnabled,featureTypes,telephoneNumbers,"
    "effectivePolicyAssignments"
)

# Service plan MCOEV, "Microsoft 365 Phone System"; SKUs contain it under many names.
PHONE_SYSTEM_PLAN = "4828c8ec-dc2e-4779-b502-87ac9ce28ab7"
PHONE_SYSTEM_FEATURE = "PhoneSystem"
TAG = "Tag:"
# The name under which a global default would show; a type that follows it counts as absent.
GLOBAL_POLICY = "Global"
NO_LOCATION = "00000000-0000-0000-0000-000000000000"

_NUMBER_TYPES = {
    "directrouting": NumberType.DIRECT_ROUTING,
    "callingplan": NumberType.CALLING_PLAN,
    "operatorconnect": NumberType.OPERATOR_CONNECT,
}
_ACCOUNT_TYPES = {
    "user": AccountType.USER,
    "resourceAccount": AccountType.RESOURCE_ACCOUNT,
    "guest": AccountType.GUEST,
    "ineligibleUser": AccountType.INELIGIBLE,
}
# Entries whose state is Deleted stay in the list for good; what else there is means a grace period.
_LICENCES = {
    "Enabled": LicenceState.ENABLED,
    "Warning": LicenceState.WARNING,
    "Suspended": LicenceState.WARNING,
    "LockedOut": LicenceState.WARNING,
}
_UNSETTLED = frozenset({"assignmentPending", "updatePending"})
# A user's own line; `private` and `alternate` lines are further lines beside it.
_OWN_LINE = frozenset({"", "primary", "unknownFutureValue"})

Row = TypeVar("Row")
Json = Mapping[str, Any]


def rows(objects: Iterable[Any], read: Callable[[Json], Row | None]) -> tuple[list[Row], int]:
    """All rows that can be read, and how many cannot."""
    good: list[Row] = []
    bad = 0
    for item in objects:
        row = read(item) if isinstance(item, dict) else None
        if row is None:
            bad += 1
        else:
            good.append(row)
    return good, bad


def person(item: Json, *, deleted: bool = False) -> Person | None:
    """A directory user. `assignedPlans` must have been selected; a deleted user may lack it."""
    user_id, name, plans = item.get("id"), item.get("userPrincipalName"), item.get("assignedPlans")
    if not (isinstance(user_id, str) and user_id and isinstance(name, str) and name):
        return None
    if not isinstance(plans, list):
        if not deleted:
            return None
        plans = []
    user_id, name = user_id.lower(), name.lower()
    if deleted:
        # Entra ID puts the id before the name of a deleted user, so that the name is free again.
        name = name.removeprefix(user_id.replace("-", ""))
    usage_location = item.get("usageLocation")
    return Person(
        user_id=user_id,
        user_principal_name=name,
        usage_location=usage_location.upper() if isinstance(usage_location, str) else "",
        account_enabled=item.get("accountEnabled") is not False,
        licence=_licence(plans),
        deleted=deleted,
    )


def number(item: Json) -> NumberOnPlatform | None:
    """A row of the telephone number inventory. A type that is not known makes the row
    unreadable.
    """
    text, type_text = item.get("telephoneNumber"), item.get("numberType")
    if not (isinstance(text, str) and isinstance(type_text, str)):
        return None
    number_type = _NUMBER_TYPES.get(type_text.lower())
    e164 = _e164(text)
    if number_type is None or e164 is None:
        return None
    holder_id, held_by_user = _holder(item)
    capabilities = item.get("capabilities")
    return NumberOnPlatform(
        number=e164,
        number_type=number_type,
        holder_id=holder_id,
        held_by_user=held_by_user,
        location_id=location_id(item.get("locationId")),
        on_premises=item.get("numberSource") == "onPremises",
        assignable_to_users=not isinstance(capabilities, list) or "userAssignment" in capabilities,
        settled=_text(item.get("activationState")) not in _UNSETTLED,
    )


def configuration(item: Json) -> CallingConfiguration | None:
    """What Teams knows of a user. A number that cannot be read makes the row unreadable: a user
    must not seem to be without a number.
    """
    user_id = item.get("id")
    if not isinstance(user_id, str) or not user_id:
        return None
    numbers: list[E164] = []
    for entry in _list(item.get("telephoneNumbers")):
        if not isinstance(entry, dict):
            return None
        if _text(entry.get("assignmentCategory")) not in _OWN_LINE:
            continue
        text = entry.get("telephoneNumber")
        e164 = _e164(text) if isinstance(text, str) else None
        if e164 is None:
            return None
        numbers.append(e164)
    return CallingConfiguration(
        user_id=user_id.lower(),
        account_type=_ACCOUNT_TYPES.get(_text(item.get("accountType")), AccountType.OTHER),
        phone_system_ready=PHONE_SYSTEM_FEATURE in _list(item.get("featureTypes")),
        enterprise_voice=item.get("isEnterpriseVoiceEnabled") is True,
        numbers=tuple(numbers),
        policies=_policies(_list(item.get("effectivePolicyAssignments"))),
    )


def location_id(value: Any) -> str | None:
    """An emergency location; null, the empty string and the all-zero id all mean that there is
    none.
    """
    if not isinstance(value, str) or not value:
        return None
    value = value.lower()
    return None if value == NO_LOCATION else value


def policy_name(text: str) -> str:
    """The name without the tag that Teams puts before names of policies a tenant made itself."""
    return text.removeprefix(TAG)


def _text(value: Any) -> str:
    """The text, or nothing for whatever is none."""
    return value if isinstance(value, str) else ""


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _e164(text: str) -> E164 | None:
    try:
        return E164.from_provider(text)
    except ValueError:
        return None


def _licence(plans: Iterable[Any]) -> LicenceState:
    best = LicenceState.ABSENT
    for plan in plans:
        if not isinstance(plan, dict) or plan.get("servicePlanId") != PHONE_SYSTEM_PLAN:
            continue
        state = _LICENCES.get(_text(plan.get("capabilityStatus")))
        # Two subscriptions may both bring the plan; the better one counts.
        if state is LicenceState.ENABLED:
            return state
        if state is not None:
            best = state
    return best


def _holder(item: Json) -> tuple[str | None, bool]:
    """Who holds a number, and whether it is a user's own line.

    A number whose status is anything but unassigned is held, also when nobody is named: it must
    never look free.
    """
    target, status = _text(item.get("assignmentTargetId")), _text(item.get("assignmentStatus"))
    if target == NO_LOCATION:
        target = ""
    if status == "unassigned" or (not status and not target):
        return None, True
    own_line = _text(item.get("assignmentCategory")) in _OWN_LINE
    is_user = status in ("userAssigned", "") and bool(target)
    return target.lower() or f"({status})", is_user and own_line


def _policies(entries: Iterable[Any]) -> tuple[tuple[str, PolicyOnLine], ...]:
    found: list[tuple[str, PolicyOnLine]] = []
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        policy_type, assignment = entry.get("policyType"), entry.get("policyAssignment")
        if not isinstance(policy_type, str) or not isinstance(assignment, dict):
            continue
        policy = _policy(
            _text(assignment.get("displayName")), assignment.get("assignmentType") == "group"
        )
        if policy is not None:
            found.append((policy_type, policy))
    found.sort(key=operator.itemgetter(0))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def _policy(shown: str, from_group: bool) -> PolicyOnLine | None:
    """One value for all who have the policy: a tenant has few policies and many people."""
    name = policy_name(shown)
    if not name or name == GLOBAL_POLICY:
        return None
    return PolicyOnLine(name, PolicyOrigin.GROUP if from_group else PolicyOrigin.DIRECT)
