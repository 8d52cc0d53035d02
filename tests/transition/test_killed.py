"""The operator is killed at every write it makes, before and after it; the next one converges.

Writes are numbered over all three ports: API server, register, provider. The story is one of a
joiner, a leaver, an edit and a swap, and must end the same wherever it is cut.
"""

from __future__ import annotations

import pytest

from callplane.testing.engine_world import EngineWorld, Worlds, number
from callplane.testing.tripwire import Tripwire

pytestmark = pytest.mark.looptime

NAMES = ("ann", "ben", "cid", "dan", "eve")
CALLING = {"type": "TeamsCallingPolicy", "name": "AllowCalling"}


async def before_the_story(worlds: Worlds) -> EngineWorld:
    world = await worlds.make(NAMES, tenant={"changeLimits": {"settle": "1s"}}, start=False)
    await world.start()
    for index, name in enumerate(("ann", "ben", "cid", "dan")):
        await world.declare(name, phoneNumber={"e164": number(index)}, policies=[CALLING])
    await world.settle(20)
    assert await world.all_ready()
    await world.kill()
    return world


async def tell(world: EngineWorld) -> None:
    """One commit and a deletion."""
    await world.declare("ann", phoneNumber={"e164": number(1)}, policies=[CALLING])
    await world.declare("ben", phoneNumber={"e164": number(0)}, policies=[CALLING])
    await world.delete("TeamsUser", "cid")
    await world.declare("dan", phoneNumber={"e164": number(3)}, policies=[{**CALLING, "name": "B"}])
    await world.declare("eve")


async def check_the_end(world: EngineWorld) -> None:
    held = {name: world.number_of(name) for name in NAMES}
    assert held == {
        "ann": number(1),
        "ben": number(0),
        "cid": None,
        "dan": number(3),
        "eve": held["eve"],
    }
    assert held["eve"] not in (None, number(0), number(1), number(2), number(3))
    assert await world.all_ready()
    assert await world.names("TeamsUser") == ["ann", "ben", "dan", "eve"]
    assert await world.state(2) == "Quarantined"
    for index in (0, 1):
        assert await world.state(index) == "Assigned"
        assert "Unassign" not in await world.causes(index)
    assert {row.holder_id for row in world.platform.true.numbers.values() if row.holder_id}
    state = await world.register.load(next(iter(await world.register.connections())).connection)
    assert state.open_intents == ()
    # Seven orders, and none of them given twice.
    assert world.repeated_changes() == []
    assert len(world.sent()) == 8 + 7


async def count_points(worlds: Worlds) -> list[str]:
    world = await before_the_story(worlds)
    await tell(world)
    await world.start()
    await world.settle(150)
    await check_the_end(world)
    return world.wire.points


async def test_uncut(worlds: Worlds) -> None:
    points = await count_points(worlds)
    assert {"send", "commit", "hold_connection", "merge_patch", "json_patch"} <= set(points)


async def until_dead(world: EngineWorld, wire: Tripwire) -> None:
    """Long enough for the whole story, if nothing cuts it."""
    for _ in range(2000):
        if wire.is_dead:
            return
        await world.settle(0.2)


PARTS = 12


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_operator_killed_at_any_point(worlds: Worlds, part: int, after: bool) -> None:
    total = len(await count_points(worlds))
    for at in range(part, total, PARTS):
        world = await before_the_story(worlds)
        await tell(world)
        wire = Tripwire(at=at, after=after)
        await world.start(wire)
        await until_dead(world, wire)
        assert wire.is_dead, f"the story had no write {at}"
        await world.kill()
        await world.start()
        await world.settle(200)
        try:
            await check_the_end(world)
        except AssertionError as error:
            when = "after" if after else "before"
            raise AssertionError(f"killed {when} {at}: {wire.points[at]}") from error


async def test_killed_again_and_again(worlds: Worlds) -> None:
    world = await before_the_story(worlds)
    await tell(world)
    at = 3
    while True:
        wire = Tripwire(at=at, after=at % 2 == 0)
        await world.start(wire)
        await until_dead(world, wire)
        if not wire.is_dead:
            break
        await world.kill()
        at += 1
    await check_the_end(world)


LEAVERS = ("ann", "ben", "cid")


async def leave(worlds: Worlds, wire: Tripwire, decision: str) -> EngineWorld:
    """Three leave, which is too many; a person answers; the process dies somewhere on the way."""
    tenant = {"changeLimits": {"maxCount": 1, "settle": "1s"}}
    world = await worlds.make(LEAVERS, tenant=tenant)
    for name in LEAVERS:
        await world.declare(name)
    await world.settle(20)
    await world.kill()
    for name in LEAVERS:
        await world.delete("TeamsUser", name)
    await world.start(wire)
    digests: set[str] = set()
    for _ in range(400):
        await world.settle(0.5)
        if world.wire.is_dead:
            await world.kill()
            await world.start()
        if world.running.connections:
            digests |= set(world.held_digests())
        if digests and not await world.exists("ChangeApproval", "answer"):
            await world.answer(decision, digest=min(digests))
        if not await world.names("TeamsUser"):
            break
    await world.settle(10)
    assert await world.names("TeamsUser") == []
    assert len(digests) == 1
    return world


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_on_the_way_through_the_gate(worlds: Worlds, after: bool) -> None:
    wire = Tripwire()
    await leave(worlds, wire, "Approve")
    for at in range(len(wire.points)):
        wire = Tripwire(at=at, after=after)
        world = await leave(worlds, wire, "Approve")
        assert wire.is_dead or at > len(wire.points) - 3
        assert {await world.state(index) for index in range(3)} == {"Quarantined"}
        assert world.sent().count("UnassignNumber") == 3
        assert world.repeated_changes() == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_while_an_answer_lets_go(worlds: Worlds, after: bool) -> None:
    wire = Tripwire()
    await leave(worlds, wire, "Detach")
    for at in range(len(wire.points)):
        world = await leave(worlds, Tripwire(at=at, after=after), "Detach")
        assert {await world.state(index) for index in range(3)} == {"Assigned"}
        assert world.sent() == ["AssignNumber"] * 3
