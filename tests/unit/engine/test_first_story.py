"""One user through every layer: declared, ready, deleted, resting, back with the same number."""

from __future__ import annotations

import pytest

from callplane.testing.engine_world import EngineWorld

pytestmark = pytest.mark.looptime


async def make(people: tuple[str, ...] = ("ann", "ben", "cid")) -> EngineWorld:
    world = EngineWorld()
    world.seed_people(people)
    world.seed_inventory()
    await world.seed_tenant(changeLimits={"settle": "1s"})
    await world.seed_range()
    await world.start()
    return world


async def test_a_declared_user_gets_the_first_free_number_and_turns_ready() -> None:
    world = await make()
    await world.declare("ann")
    await world.settle(10)
    assert await world.condition("TeamsUser", "ann") == ("True", "Succeeded", "has +44…0000")
    assert world.number_of("ann") == "+442079460000"
    assert world.sent() == ["AssignNumber"]
    await world.stop()


async def test_a_deleted_user_leaves_the_number_to_rest_and_gets_it_back() -> None:
    world = await make()
    await world.declare("ann")
    await world.settle(10)
    await world.delete("TeamsUser", "ann")
    await world.settle(10)
    assert world.number_of("ann") is None
    await world.declare("ben")
    await world.settle(10)
    assert world.number_of("ben") == "+442079460001"
    await world.declare("ann")
    await world.settle(10)
    assert world.number_of("ann") == "+442079460000"
    await world.stop()
