"""Each precondition of an assignment has a reason of its own, found before any write."""

from __future__ import annotations

import dataclasses

import pytest

from callplane.apis.reasons import Reason
from callplane.desired.teams_readiness import Candidate, Obstacle, blocking, preflight
from callplane.resources.lines import LineNumber, NumberType
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164

NUMBER = E164("+442079460001")
OTHER = E164("+442079460002")
ANNA = Person("anna-id", "anna@example.org", usage_location="GB")
READY = CallingConfiguration("anna-id")
FREE = NumberOnPlatform(NUMBER, NumberType.DIRECT_ROUTING)
PLAIN = Candidate(
    person=ANNA,
    configuration=READY,
    wanted=LineNumber(NUMBER, NumberType.DIRECT_ROUTING),
    row=FREE,
    countries=frozenset({"GB"}),
)
CALLING_PLAN = dataclasses.replace(
    PLAIN,
    person=dataclasses.replace(ANNA, usage_location="US"),
    wanted=LineNumber(NUMBER, NumberType.CALLING_PLAN),
    row=NumberOnPlatform(NUMBER, NumberType.CALLING_PLAN),
    countries=frozenset({"US"}),
)


def candidate(**changes: object) -> Candidate:
    return dataclasses.replace(PLAIN, **changes)  # type: ignore[arg-type]


def person(**changes: object) -> Candidate:
    return candidate(person=dataclasses.replace(ANNA, **changes))  # type: ignore[arg-type]


def configuration(**changes: object) -> Candidate:
    return candidate(configuration=dataclasses.replace(READY, **changes))  # type: ignore[arg-type]


def row(**changes: object) -> Candidate:
    return candidate(row=dataclasses.replace(FREE, **changes))  # type: ignore[arg-type]


def test_nothing_stands_in_the_way_of_an_ordinary_case() -> None:
    assert preflight(PLAIN) == ()


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (candidate(person=None), Reason.USER_NOT_FOUND),
        (person(deleted=True), Reason.USER_DELETED),
        (person(account_enabled=False), Reason.USER_DISABLED),
        (person(licence=LicenceState.ABSENT), Reason.USER_NOT_LICENSED),
        (person(licence=LicenceState.WARNING), Reason.LICENCE_IN_GRACE),
        (person(usage_location="DE"), Reason.USAGE_LOCATION_MISMATCH),
        (person(usage_location=""), Reason.USAGE_LOCATION_MISMATCH),
        (configuration(account_type=AccountType.RESOURCE_ACCOUNT), Reason.USER_NOT_ELIGIBLE),
        (configuration(account_type=AccountType.OTHER), Reason.USER_NOT_ELIGIBLE),
        (
            candidate(held=(NumberOnPlatform(OTHER, NumberType.DIRECT_ROUTING, on_premises=True),)),
            Reason.NUMBER_ON_PREMISES,
        ),
        (row(on_premises=True), Reason.NUMBER_ON_PREMISES),
        (row(assignable_to_users=False), Reason.NUMBER_USE_MISMATCH),
        (row(holder_id="ben-id"), Reason.FOREIGN),
        (row(holder_id="(policyAssigned)", held_by_user=False), Reason.FOREIGN),
        (row(number_type=NumberType.OPERATOR_CONNECT), Reason.NUMBER_NOT_IN_INVENTORY),
        (dataclasses.replace(CALLING_PLAN, row=None), Reason.NUMBER_NOT_IN_INVENTORY),
        (CALLING_PLAN, Reason.EMERGENCY_LOCATION_MISSING),
    ],
)
def test_a_human_has_to_act(case: Candidate, reason: Reason) -> None:
    obstacles = preflight(case)
    assert [obstacle.reason for obstacle in obstacles] == [reason]
    assert not obstacles[0].waits
    assert not obstacles[0].warns
    assert NUMBER.text not in obstacles[0].message


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (candidate(configuration=None), Reason.LICENCE_PENDING),
        (configuration(phone_system_ready=False), Reason.LICENCE_PENDING),
        (configuration(account_type=AccountType.INELIGIBLE), Reason.LICENCE_PENDING),
        (row(settled=False), Reason.OPERATION_RUNNING),
        (configuration(numbers=(OTHER,)), Reason.NUMBER_ON_PREMISES),
    ],
)
def test_it_may_pass_by_itself(case: Candidate, reason: Reason) -> None:
    assert [(obstacle.reason, obstacle.waits) for obstacle in preflight(case)] == [(reason, True)]


def test_a_direct_routing_number_that_was_not_uploaded_is_tried() -> None:
    (obstacle,) = preflight(candidate(row=None))
    assert (obstacle.reason, obstacle.warns) == (Reason.NUMBER_NOT_IN_INVENTORY, True)
    assert blocking((obstacle,)) is None


def test_who_holds_the_number_already_is_left_alone() -> None:
    case = dataclasses.replace(
        person(licence=LicenceState.WARNING, account_enabled=False, usage_location="DE"),
        row=dataclasses.replace(FREE, holder_id="anna-id"),
    )
    assert preflight(case) == ()


def test_a_location_that_the_number_has_already_is_enough() -> None:
    located = NumberOnPlatform(NUMBER, NumberType.CALLING_PLAN, location_id="loc-1")
    assert preflight(dataclasses.replace(CALLING_PLAN, row=located)) == ()
    assert preflight(dataclasses.replace(CALLING_PLAN, location_id="loc-2")) == ()


def test_without_a_known_country_no_location_is_compared() -> None:
    case = dataclasses.replace(person(usage_location="DE"), countries=frozenset())
    assert preflight(case) == ()


def test_what_a_human_must_clear_is_reported_before_what_passes() -> None:
    waits = Obstacle(Reason.LICENCE_PENDING, "…", waits=True)
    acts = Obstacle(Reason.FOREIGN, "…")
    warns = Obstacle(Reason.NUMBER_NOT_IN_INVENTORY, "…", warns=True)
    assert blocking((warns, waits, acts)) is acts
    assert blocking((warns, waits)) is waits
