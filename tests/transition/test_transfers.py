"""Numbers that change hands between people who stay: no rest, no gap longer than it must be."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from callplane.providers.inmemory import World
from callplane.resources.platforms import LicenceState
from callplane.testing.engine_world import EngineWorld, Worlds, number, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime


async def seated(worlds: Worlds, *, platform: World | None = None, **numbers: int) -> EngineWorld:
    world = await worlds.make(numbers, platform=platform)
    for name, index in numbers.items():
        await world.declare(name, phoneNumber={"e164": number(index)})
    await world.settle()
    assert await world.all_ready()
    return world


async def reseat(world: EngineWorld, order: tuple[str, ...], pause: float, **spec: Any) -> None:
    for name in order:
        wanted = spec[name]
        source = {"e164": number(wanted)} if isinstance(wanted, int) else wanted
        await world.declare(name, phoneNumber=source)
        await world.settle(pause)
    await world.settle(120)


async def assert_moved_without_rest(world: EngineWorld, **numbers: int) -> None:
    assert {name: world.number_of(name) for name in numbers} == {
        name: number(index) for name, index in numbers.items()
    }
    assert await world.all_ready()
    for index in numbers.values():
        causes = await world.causes(index)
        assert "Unassign" not in causes
        assert "Abandon" not in causes
        assert await world.state(index) == "Assigned"
    assert world.repeated_changes() == []


@pytest.mark.parametrize("pause", [0.0, 2.0])
@pytest.mark.parametrize("order", list(permutations(("ann", "ben"))))
async def test_two_people_swap_in_one_commit(
    worlds: Worlds, order: tuple[str, ...], pause: float
) -> None:
    world = await seated(worlds, ann=1, ben=2)
    await reseat(world, order, pause, ann=2, ben=1)
    await assert_moved_without_rest(world, ann=2, ben=1)
    assert sorted(world.sent()[2:]) == ["AssignNumber"] * 2 + ["UnassignNumber"] * 2


@pytest.mark.parametrize("order", list(permutations(("ann", "ben", "cid"))))
async def test_three_people_in_a_cycle(worlds: Worlds, order: tuple[str, ...]) -> None:
    world = await seated(worlds, ann=1, ben=2, cid=3)
    await reseat(world, order, 0.0, ann=2, ben=3, cid=1)
    await assert_moved_without_rest(world, ann=2, ben=3, cid=1)
    assert sorted(world.sent()[3:]) == ["AssignNumber"] * 3 + ["UnassignNumber"] * 3


@pytest.mark.parametrize("order", list(permutations(("ann", "ben", "cid"))))
async def test_a_chain(worlds: Worlds, order: tuple[str, ...]) -> None:
    world = await seated(worlds, ann=1, ben=2, cid=3)
    await reseat(world, order, 0.0, ann=2, ben=3, cid=4)
    await assert_moved_without_rest(world, ann=2, ben=3, cid=4)
    # The first number of the chain was given up to nobody: it rests.
    assert await world.state(1) == "Quarantined"


@pytest.mark.parametrize("order", list(permutations(("ann", "ben"))))
async def test_a_number_passed_on_by_somebody_who_wants_none(
    worlds: Worlds, order: tuple[str, ...]
) -> None:
    world = await seated(worlds, ann=1, ben=2)
    await reseat(world, order, 0.0, ann={"none": {}}, ben=1)
    assert (world.number_of("ann"), world.number_of("ben")) == (None, number(1))
    assert "Unassign" not in await world.causes(1)
    assert await world.state(2) == "Quarantined"
    assert await world.all_ready()


async def test_a_number_given_up_for_one_of_a_range(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    world.seed_inventory(30)
    await world.seed_range("paris", first=number(20), last=number(29))
    await reseat(world, ("ben", "ann"), 0.0, ann={"rangeRef": {"name": "paris"}}, ben=1)
    assert (world.number_of("ann"), world.number_of("ben")) == (number(20), number(1))
    assert "Unassign" not in await world.causes(1)


async def test_a_receiver_whose_object_goes_meanwhile(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    await world.declare("ben", phoneNumber={"e164": number(1)})
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.settle(2)
    assert await world.state(1) == "Transferring"
    await world.delete("TeamsUser", "ben")
    await world.settle(120)
    assert world.number_of("ann") == number(4)
    assert await world.state(1) == "Quarantined"
    assert await world.state(2) == "Quarantined"


async def test_a_receiver_who_wants_another_one_meanwhile(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    await world.declare("ben", phoneNumber={"e164": number(1)})
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.settle(2)
    assert await world.state(1) == "Transferring"
    await world.declare("ben", phoneNumber={"e164": number(2)})
    await world.settle(200)
    assert (world.number_of("ann"), world.number_of("ben")) == (number(4), number(2))
    assert await world.all_ready()
    # Nobody has it, and somebody had it: it rests, and blocks nobody for good.
    assert await world.state(1) == "Quarantined"


async def test_a_giver_who_changes_their_mind(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    await world.declare("ben", phoneNumber={"e164": number(1)})
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.settle(2)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await world.settle(120)
    assert (world.number_of("ann"), world.number_of("ben")) == (number(1), number(2))
    assert await world.reason("ann") == "Succeeded"
    assert await world.reason("ben") == "False NumberTaken"
    assert world.sent() == ["AssignNumber"] * 2
    assert await world.state(4) == "Free"


async def test_the_receiver_waits_and_keeps_the_old_number_meanwhile(worlds: Worlds) -> None:
    world = await seated(worlds, platform=World(order_seconds=10.0), ann=1, ben=2)
    await world.declare("ben", phoneNumber={"e164": number(1)})
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.until(lambda: "UnassignNumber" in world.sent())
    await world.settle(2)
    status, reason, message = await world.condition("TeamsUser", "ben")
    assert (status, reason) == ("False", "NumberInTransfer")
    assert "default/ann" in message
    assert world.number_of("ben") == number(2)


async def test_a_swap_where_one_of_the_two_lost_the_licence(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    platform = world.platform
    row = platform.true.people[user_id("ben")]
    platform.put_people([replace(row, licence=LicenceState.ABSENT)])
    await world.settle(70)
    await reseat(world, ("ann", "ben"), 0.0, ann=2, ben=1)
    # Whoever cannot receive gives nothing up, and so nobody loses a number.
    assert (world.number_of("ann"), world.number_of("ben")) == (number(1), number(2))
    assert await world.reason("ben") == "False UserNotLicensed"
    platform.put_people([row])
    await world.settle(200)
    await assert_moved_without_rest(world, ann=2, ben=1)


async def test_a_killed_operator_keeps_the_number_for_its_receiver(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    await world.declare("ben", phoneNumber={"e164": number(1)})
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.until(lambda: "UnassignNumber" in world.sent())
    await world.kill()
    assert await world.state(1) == "Transferring"
    await world.start()
    await world.settle(200)
    await assert_moved_without_rest(world, ann=4, ben=1)


async def test_a_number_seen_free_in_the_portal_meanwhile(worlds: Worlds) -> None:
    world = await seated(worlds, ann=1, ben=2)
    world.platform.administrator_assigns(E164(number(1)), None)
    await world.declare("ben", phoneNumber={"e164": number(1)})
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await world.settle(200)
    assert (world.number_of("ann"), world.number_of("ben")) == (number(4), number(1))
    assert await world.all_ready()
