"""A plan over a tenant and an organisation: both halves of a number that changes platforms."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.apis.reasons import Reason
from callplane.engine.observations import ConnectionObservation
from callplane.plan.document import Level, ObjectPlan, Plan
from callplane.plan.rendering import describe
from callplane.resources.lines import NumberType
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.store.ports import RegisterState
from callplane.testing.planning_builders import Estate, number
from callplane.values import ConnectionId, ObjectKey

ORGANIZATION = ConnectionId("webex", "00000000-0000-4000-8000-00000000cccc")
KEY = ObjectKey("WebexOrganization", "platform", "org")
BRUNO = "bruno-id"


def in_webex(estate: Estate, *, numbers: tuple[NumberOnPlatform, ...] = (), **spec: Any) -> None:
    """Bruno is declared in an organisation where he has no Calling yet."""
    secret = {"name": "webex", "key": "secret"}
    app = {"clientId": "app", "clientSecretRef": secret, "refreshTokenRef": secret}
    organization = {
        "orgId": ORGANIZATION.external_id,
        "credentials": {"serviceApp": app},
        "allowedNamespaces": [{"selector": {}}],
    }
    estate.put("WebexOrganization", "org", organization, namespace="platform")
    user = {
        "organizationRef": {"name": "org", "namespace": "platform"},
        "email": "bruno@example.com",
        "location": "London",
        **spec,
    }
    estate.put("WebexUser", "bruno", user, namespace="sales")
    estate.further.append(
        ConnectionObservation(
            key=KEY,
            connection=ORGANIZATION,
            people=(Person(BRUNO, "bruno@example.com"),),
            numbers=numbers,
            configurations=(CallingConfiguration(BRUNO, phone_system_ready=False),),
            register=RegisterState((), (), (), (), 0),
        )
    )


def of(plan: Plan, kind: str) -> ObjectPlan:
    return next(each for each in plan.objects if each.key.kind == kind)


def reasons(each: ObjectPlan, level: Level) -> list[str]:
    return [note.reason for note in each.notes if note.level is level]


@pytest.fixture
def estate() -> Estate:
    estate = Estate()
    estate.stock(range(20))
    estate.hire("bruno", index=7)
    return estate


async def test_both_halves_of_a_move_are_shown(estate: Estate) -> None:
    estate.declare("bruno", phoneNumber={"none": {}})
    in_webex(estate, phoneNumber={"e164": number(7).text}, extension="1001")
    plan = await estate.plan()
    gives, receives = of(plan, "TeamsUser"), of(plan, "WebexUser")
    (taken,) = gives.changes
    assert taken.change.operation.value == "UnassignNumber"
    assert reasons(gives, Level.INFO) == [Reason.NUMBER_IN_TRANSFER]
    (given,) = receives.changes
    assert given.change.after == {
        "number": number(7).text,
        "type": "webex",
        "location": "London",
        "licence": "Professional",
        "extension": "1001",
    }
    assert describe(given.change).effect.endswith(
        "at location London, with licence Professional, with extension 1001"
    )
    assert reasons(receives, Level.INFO) == [Reason.NUMBER_IN_TRANSFER]
    assert receives.connection == KEY
    assert {gate.connection.kind for gate in plan.gates} == {"TeamsTenant", "WebexOrganization"}


async def test_a_number_that_stays_in_teams_is_taken(estate: Estate) -> None:
    estate.declare("bruno")
    in_webex(estate, phoneNumber={"e164": number(7).text})
    receives = of(await estate.plan(), "WebexUser")
    assert reasons(receives, Level.BLOCKED) == [Reason.NUMBER_TAKEN]
    assert receives.changes == ()


async def test_a_missing_location_is_said_before_anything_is_applied(estate: Estate) -> None:
    in_webex(
        estate, location=None, phoneNumber={"rangeRef": {"name": "london", "namespace": "platform"}}
    )
    receives = of(await estate.plan(), "WebexUser")
    assert reasons(receives, Level.BLOCKED) == [Reason.LOCATION_MISSING]


async def test_who_else_manages_a_number_is_said(estate: Estate) -> None:
    managed = NumberOnPlatform(
        number(3), NumberType.WEBEX, location_id="London", managed_by="Example"
    )
    in_webex(estate, numbers=(managed,), phoneNumber={"e164": number(3).text})
    receives = of(await estate.plan(), "WebexUser")
    assert reasons(receives, Level.BLOCKED) == [Reason.UNSUPPORTED]
    assert "Example" in receives.notes[0].message


async def test_somebody_who_is_to_be_created_waits(estate: Estate) -> None:
    names = {"firstName": "Dan", "lastName": "Example"}
    in_webex(estate, email="dan@example.com", create=names, phoneNumber={"e164": number(3).text})
    awaited = of(await estate.plan(), "WebexUser")
    assert reasons(awaited, Level.WAITS) == [Reason.PROGRESSING]
    assert awaited.changes == ()
