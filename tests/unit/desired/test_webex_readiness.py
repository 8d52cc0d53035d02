"""What stands in the way of a number in Webex, each with a reason of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callplane.apis.reasons import Reason
from callplane.desired.teams_readiness import Candidate
from callplane.desired.webex_readiness import preflight
from callplane.resources.lines import LineNumber, NumberType
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164

NUMBER = E164("+442079460001")
FREE = NumberOnPlatform(NUMBER, NumberType.WEBEX, location_id="London")
PLAIN = Candidate(
    person=Person("anna-id", "anna@example.org"),
    configuration=CallingConfiguration("anna-id"),
    wanted=LineNumber(NUMBER, NumberType.WEBEX),
    row=FREE,
    location_id="London",
)


def reasons(**changes: object) -> list[Reason]:
    return [each.reason for each in preflight(replace(PLAIN, **changes))]  # type: ignore[arg-type]


def test_nothing_stands_in_the_way() -> None:
    assert reasons() == []
    # A number that the organisation does not have is added.
    assert reasons(row=None) == []


def test_whoever_has_the_number_already_is_asked_nothing() -> None:
    assert reasons(row=replace(FREE, holder_id="anna-id"), location_id=None) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"person": None}, Reason.USER_NOT_FOUND),
        ({"row": replace(FREE, holder_id="ben-id")}, Reason.FOREIGN),
        ({"row": replace(FREE, assignable_to_users=False)}, Reason.NUMBER_USE_MISMATCH),
        ({"location_id": "Leeds"}, Reason.CONFLICT),
        (
            {"configuration": CallingConfiguration("anna-id", account_type=AccountType.OTHER)},
            Reason.USER_NOT_ELIGIBLE,
        ),
        (
            {
                "configuration": CallingConfiguration("anna-id", phone_system_ready=False),
                "location_id": None,
            },
            Reason.LOCATION_MISSING,
        ),
        ({"configuration": None, "location_id": None}, Reason.LOCATION_MISSING),
    ],
)
def test_each_obstacle_has_its_reason(changes: dict[str, object], reason: Reason) -> None:
    assert reasons(**changes) == [reason]
