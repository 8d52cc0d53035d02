"""What others did to the register meanwhile ends a pass with a verdict, never with a traceback."""

from __future__ import annotations

import pytest

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store.ports import Commit, Move
from callplane.testing.engine_world import TENANT_ID, EngineWorld, user_id
from callplane.values import E164, ConnectionId, HolderId, Platform

pytestmark = pytest.mark.looptime

CONNECTION = ConnectionId("teams", TENANT_ID)
FIRST = E164("+442079460000")


async def test_a_number_that_moved_in_the_register_is_looked_at_again() -> None:
    world = EngineWorld()
    world.seed_people(("ann", "ben"))
    world.seed_inventory()
    await world.seed_tenant(changeLimits={"settle": "1s"})
    await world.seed_range()
    engine = await world.start()
    await world.settle(5)
    runtime = next(iter(engine.connections.values()))
    other = HolderId(Platform.TEAMS, TENANT_ID, user_id("ben"))
    taken = Move(FIRST, NumberState.FREE, NumberState.CLAIMED, Cause.ALLOCATE, holder=other)
    await world.register.commit(
        CONNECTION, Commit(moves=(taken,)), epoch=runtime.mirror.epoch, now=world.clock.now()
    )
    await world.declare("ann", phoneNumber={"e164": FIRST.text})
    await world.settle(30)
    status, reason, _ = await world.condition("TeamsUser", "ann", "Stalled")
    assert (status, reason) == ("True", "NumberTaken")
    await world.declare("ann")
    await world.settle(30)
    assert world.number_of("ann") == "+442079460001"
    await world.stop()
