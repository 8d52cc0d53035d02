"""People, numbers and their settings on platforms as rows of a snapshot file, and back, for
`snapshot_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164

Row = Sequence[Any]

_LICENCES = {state.value: state for state in LicenceState}
_NUMBER_TYPES = {number_type.value: number_type for number_type in NumberType}
_ACCOUNT_TYPES = {account.value: account for account in AccountType}
_ORIGINS = {origin.value: origin for origin in PolicyOrigin}


def person_row(person: Person) -> Row:
    return (
        person.user_id,
        person.user_principal_name,
        person.usage_location,
        person.account_enabled,
        person.licence.value,
        person.deleted,
    )


def person(row: Row) -> Person:
    user_id, name, location, enabled, licence, deleted = row
    return Person(user_id, name, location, enabled, _LICENCES[licence], deleted)


def number_row(row: NumberOnPlatform) -> Row:
    return (
        row.number.text,
        row.number_type.value,
        row.holder_id,
        row.held_by_user,
        row.location_id,
        row.on_premises,
        row.assignable_to_users,
        row.settled,
        row.is_primary,
        row.managed_by,
    )


def number(row: Row) -> NumberOnPlatform:
    text, number_type, *rest = row
    return NumberOnPlatform(E164(text), _NUMBER_TYPES[number_type], *rest)


def configuration_row(row: CallingConfiguration) -> Row:
    return (
        row.user_id,
        row.account_type.value,
        row.phone_system_ready,
        row.enterprise_voice,
        [each.text for each in row.numbers],
        [(policy_type, policy.name, policy.origin.value) for policy_type, policy in row.policies],
        sorted(row.unlisted),
    )


def configuration(row: Row) -> CallingConfiguration:
    user_id, account_type, ready, voice, numbers, policies, *rest = row
    return CallingConfiguration(
        user_id,
        _ACCOUNT_TYPES[account_type],
        ready,
        voice,
        tuple(map(E164, numbers)),
        tuple(
            (policy_type, PolicyOnLine(name, _ORIGINS[origin]))
            for policy_type, name, origin in policies
        ),
        frozenset(*rest),
    )
