"""Rows that nobody wants and nobody has: a claim never sent is free again, a used number rests."""

from __future__ import annotations

import pytest

from callplane.numbering.lifecycle import NumberState
from callplane.providers import inmemory
from callplane.testing.engine_world import TENANT_ID, EngineWorld
from callplane.values import E164, ConnectionId

pytestmark = pytest.mark.looptime

FIRST = E164("+442079460000")


async def started() -> EngineWorld:
    world = EngineWorld()
    world.seed_people(("ann", "ben"))
    world.seed_inventory()
    await world.seed_tenant(changeLimits={"settle": "1s"})
    await world.seed_range()
    await world.start()
    return world


async def state_of(world: EngineWorld, number: E164) -> NumberState | None:
    state = await world.register.load(ConnectionId("teams", TENANT_ID))
    return next((row.state for row in state.numbers if row.number == number), None)


async def test_a_claim_that_was_never_sent_is_free_again() -> None:
    world = await started()
    world.platform.faults.add(inmemory.throttle(30), verb=inmemory.Verb.SEND, times=1)
    await world.declare("ann")
    await world.settle(5)
    assert await state_of(world, FIRST) is NumberState.CLAIMED
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(60)
    assert await state_of(world, FIRST) is None
    assert world.number_of("ann") is None
    # The one attempt that was turned away, and nothing after it.
    assert world.sent() == ["AssignNumber"]
    await world.stop()


async def test_a_number_that_an_administrator_took_and_nobody_wants_rests() -> None:
    world = await started()
    await world.declare("ann")
    await world.settle(10)
    world.platform.administrator_assigns(FIRST, None)
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(90)
    assert await state_of(world, FIRST) is NumberState.QUARANTINED
    assert world.sent() == ["AssignNumber"]
    await world.stop()
