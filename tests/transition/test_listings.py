"""A provider whose listings lie: nothing, half, twice, no end, or a time-out. Nothing changes."""

from __future__ import annotations

import pytest

from callplane.providers.inmemory import Listing, Verb, listing_lies, unavailable
from callplane.providers.protocol import Family
from callplane.testing.engine_world import EngineWorld, Worlds, number, people, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

LIES = {
    "nothing": listing_lies(Listing.EMPTY),
    "half": listing_lies(Listing.HALF),
    "twice": listing_lies(Listing.TWICE),
    "no end": listing_lies(Listing.WITHOUT_END),
    "times out": unavailable(),
}
CALLING = {"type": "TeamsCallingPolicy", "name": "AllowCalling"}


async def settled_world(worlds: Worlds, *, start: bool = True) -> EngineWorld:
    """Twelve people with number and policy."""
    names = people(12)
    world = await worlds.make(names, numbers=20)
    for name in names:
        await world.declare(name, policies=[CALLING])
    await world.settle()
    assert await world.all_ready()
    return world


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_in_the_middle_changes_nothing_and_is_said(
    worlds: Worlds, lie: str, family: Family
) -> None:
    world = await settled_world(worlds)
    sent = len(world.sent())
    world.fail(LIES[lie], verb=Verb.LIST, family=family, times=8)
    await world.settle(66)
    status, reason, message = await world.condition("TeamsTenant", "main", "Synced")
    assert (status, reason) == ("Unknown", "SnapshotIncomplete")
    assert message
    await world.until(lambda: world.platform.faults.pending == 0)
    await world.settle(200)
    assert len(world.sent()) == sent
    assert await world.all_ready()
    assert await world.condition("TeamsTenant", "main", "Synced") == (
        "True",
        "InSync",
        "as declared",
    )


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_at_the_start_changes_nothing(worlds: Worlds, lie: str, family: Family) -> None:
    world = await settled_world(worlds)
    sent = len(world.sent())
    await world.kill()
    world.fail(LIES[lie], verb=Verb.LIST, family=family, times=3)
    await world.start()
    await world.settle(300)
    assert world.platform.faults.pending == 0
    assert len(world.sent()) == sent
    assert await world.all_ready()


async def test_edits_wait_for_no_listing(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    world.fail(unavailable(), verb=Verb.LIST, times=1000)
    await world.settle(70)
    await world.declare("ann")
    await world.settle(10)
    assert world.number_of("ann") == number(0)


async def test_unknown_for_long_is_said_on_the_connection(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.fail(unavailable(), verb=Verb.LIST, times=10_000)
    await world.settle(400)
    assert await world.reason("main", kind="TeamsTenant") == "Unknown SnapshotIncomplete"
    assert world.number_of("ann") == number(0)


async def test_a_portal_change_behind_our_back_is_repaired(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.platform.administrator_assigns(E164(number(0)), None)
    await world.settle(120)
    assert world.number_of("ann") == number(0)
    assert world.sent() == ["AssignNumber", "AssignNumber"]


async def test_a_number_given_to_somebody_else_in_the_portal_is_reported(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.platform.administrator_assigns(E164(number(0)), user_id("cid"))
    await world.settle(120)
    assert await world.reason("ann") == "False Foreign"
    assert world.number_of("cid") == number(0)
    assert world.sent() == ["AssignNumber"]
    world.platform.administrator_assigns(E164(number(0)), None)
    await world.settle(120)
    assert world.number_of("ann") == number(0)
