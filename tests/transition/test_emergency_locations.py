"""An EmergencyLocation tells who relies on it, and which numbers platforms show with it."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.engine_world import EngineWorld, Worlds, number
from callplane.testing.webex_side import WebexSide

pytestmark = pytest.mark.looptime

OFFICE = "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33"
ADDRESS = {"street": "1 Sample Street", "town": "London", "postcode": "ZZ99 9ZZ"}


async def located(worlds: Worlds, **spec: Any) -> EngineWorld:
    """A tenant and an organisation with an office that both may know."""
    world = await worlds.make()
    side = WebexSide(world)
    side.seed_people(("ann", "ben", "cid"))
    await side.seed_organization()
    content = {"address": ADDRESS, "allowedNamespaces": [{"selector": {}}], **spec}
    await world.apply("EmergencyLocation", "office", content)
    await world.settle()
    return world


async def status(world: EngineWorld) -> dict[str, Any]:
    return await world.status("EmergencyLocation", "office")


async def test_what_platforms_show_is_counted(worlds: Worlds) -> None:
    world = await located(worlds, teamsLocationId=OFFICE.upper(), webexLocation="London")
    reference = {"name": "office", "namespace": "default"}
    await world.declare("ann", emergencyLocationRef=reference, phoneNumber={"e164": number(1)})
    await WebexSide(world).declare("ben", emergencyLocationRef=reference)
    await world.settle(1300)
    found = await status(world)
    assert found["coverage"] == {"ranges": 0, "numbers": 0, "users": 2, "accepted": 2}
    assert found["webexLocation"] == "London"
    _, reason, message = await world.condition("EmergencyLocation", "office")
    assert (reason, message) == ("Succeeded", "known to Teams and Webex")


async def test_a_location_without_ids_says_so(worlds: Worlds) -> None:
    world = await located(worlds)
    assert (await status(world))["coverage"]["accepted"] == 0
    message = (await world.condition("EmergencyLocation", "office"))[2]
    assert message == "has neither teamsLocationId nor webexLocation yet"


async def test_a_number_that_loses_it_counts_no_more(worlds: Worlds) -> None:
    world = await located(worlds, teamsLocationId=OFFICE)
    reference = {"name": "office", "namespace": "default"}
    await world.declare("ann", emergencyLocationRef=reference, phoneNumber={"e164": number(1)})
    await world.settle(1300)
    assert (await status(world))["coverage"]["accepted"] == 1
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(1300)
    assert (await status(world))["coverage"]["accepted"] == 0
