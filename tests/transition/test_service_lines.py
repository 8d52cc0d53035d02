"""Numbers of services: inbound only, of ranges for services, and never a person's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callplane.providers.inmemory import Verb, order_fails
from callplane.resources.lines import NumberType
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.testing.engine_world import EngineWorld, Worlds, number, user_id
from callplane.testing.webex_side import WebexSide
from callplane.values import E164

pytestmark = pytest.mark.looptime

ACCOUNT = {"tenantRef": {"name": "main"}, "userPrincipalName": "desk@example.com"}
RECEPTION = {"organizationRef": {"name": "org"}, "service": "AutoAttendant", "name": "Reception"}
SERVICE_ID = "attendant-id"


async def made(worlds: Worlds) -> EngineWorld:
    """A resource account called desk, and a range of ten numbers for services."""
    world = await worlds.make(("ann", "desk"))
    row = world.platform.true.configurations[user_id("desk")]
    world.platform.put_configurations([replace(row, account_type=AccountType.RESOURCE_ACCOUNT)])
    world.platform.put_numbers(
        NumberOnPlatform(E164(number(index)), NumberType.DIRECT_ROUTING) for index in range(20, 30)
    )
    await world.seed_range("services", first=number(20), last=number(29), use="Service")
    return world


async def declare(world: EngineWorld, **spec: Any) -> None:
    merged = {"phoneNumber": {"rangeRef": {"name": "services"}}, **spec}
    await world.apply("ServiceLine", "reception", merged)


async def test_a_resource_account_gets_a_number_for_services(worlds: Worlds) -> None:
    world = await made(worlds)
    await declare(world, teams=ACCOUNT)
    await world.settle()
    assert await world.reason("reception", kind="ServiceLine") == "Succeeded"
    assert world.number_of("desk") == number(20)
    status = await world.status("ServiceLine", "reception")
    assert status["phoneNumber"] == {"e164": number(20), "type": "DirectRouting"}
    assert status["holderId"] == user_id("desk")
    (change,) = world.changes()
    assert change.after == {"number": number(20), "type": "directRouting", "use": "service"}
    await world.delete("ServiceLine", "reception")
    await world.settle(60)
    assert not await world.exists("ServiceLine", "reception")
    assert world.number_of("desk") is None
    assert await world.state(20) == "Quarantined"


async def test_a_number_for_people_is_refused(worlds: Worlds) -> None:
    world = await made(worlds)
    await declare(world, teams=ACCOUNT, phoneNumber={"rangeRef": {"name": "london"}})
    await world.settle()
    assert await world.reason("reception", kind="ServiceLine") == "False NumberUseMismatch"
    await world.declare("ann", phoneNumber={"rangeRef": {"name": "services"}})
    await world.settle()
    assert await world.reason("ann") == "False NumberUseMismatch"
    assert world.changes() == []


async def test_a_person_is_refused(worlds: Worlds) -> None:
    world = await made(worlds)
    await declare(world, teams={**ACCOUNT, "userPrincipalName": "ann@example.com"})
    await world.settle()
    assert await world.reason("reception", kind="ServiceLine") == "False UserNotEligible"
    assert world.changes() == []


async def test_a_service_in_webex_gets_a_number(worlds: Worlds) -> None:
    world = await made(worlds)
    world.webex.put_people([Person(SERVICE_ID, "AutoAttendant/Reception")])
    world.webex.put_configurations([CallingConfiguration(SERVICE_ID)])
    await WebexSide(world).seed_organization()
    await declare(world, webex=RECEPTION)
    await world.settle(60)
    (change,) = WebexSide(world).changes()
    assert change.after == {"number": number(20), "type": "webex", "use": "service"}
    assert change.subject == SERVICE_ID


async def test_a_service_that_is_not_there_is_said(worlds: Worlds) -> None:
    world = await made(worlds)
    await WebexSide(world).seed_organization()
    await declare(world, webex=RECEPTION)
    await world.settle()
    assert await world.reason("reception", kind="ServiceLine") == "False UserNotFound"


async def test_an_order_that_fails_is_tried_once_and_then_a_persons_work(worlds: Worlds) -> None:
    world = await made(worlds)
    world.fail(order_fails("not for this account"), verb=Verb.SEND)
    await declare(world, teams=ACCOUNT)
    await world.settle(600)
    status, reason, message = await world.condition("ServiceLine", "reception")
    assert (status, reason) == ("False", "Unsupported")
    assert "by hand" in message
    assert world.sent() == ["AssignNumber"]
    world.platform.administrator_assigns(E164(number(20)), user_id("desk"))
    await world.settle(120)
    assert await world.reason("reception", kind="ServiceLine") == "Succeeded"
    assert world.sent() == ["AssignNumber"]
