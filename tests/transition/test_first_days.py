"""One user through every layer: declared, ready, deleted, resting, back with the same number."""

from __future__ import annotations

import pytest

from callplane.testing.engine_world import Worlds, number

pytestmark = pytest.mark.looptime


async def test_a_declared_user_gets_the_first_free_number_and_turns_ready(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    assert await world.condition("TeamsUser", "ann") == ("True", "Succeeded", "has +44…0000")
    assert world.number_of("ann") == number(0)
    assert world.sent() == ["AssignNumber"]
    assert await world.causes(0) == ["Allocate", "Confirm"]
