"""Two leaders at one time: the fence, the epoch, and what an old leader may still do. Nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callplane.testing.engine_world import CONNECTION, EngineWorld, OpenFence, Worlds, number

pytestmark = pytest.mark.looptime


def standby_of(worlds: Worlds, leader: EngineWorld) -> EngineWorld:
    """Another process of the same installation."""
    return worlds.add(
        EngineWorld(cluster=leader.cluster, register=leader.register, platform=leader.platform)
    )


async def test_no_write_through_a_closed_fence(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    await world.declare("ben")
    await world.settle()
    world.fence.is_open = False
    mark = await world.written()
    await world.declare("ann")
    await world.delete("TeamsUser", "ben")
    await world.settle(60)
    written = await world.written_since(mark)
    assert (written.provider, written.cluster, written.register) == (0, 0, 0)
    world.fence.is_open = True
    await world.settle(60)
    assert await world.all_ready()
    assert world.number_of("ann") is not None
    assert world.number_of("ben") is None


async def test_a_fence_that_closes_while_the_intent_is_committed(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    commit = world.register.commit

    async def slow_commit(*arguments: Any, **options: Any) -> Any:
        committed = await commit(*arguments, **options)
        if arguments[1].intents:
            world.fence.is_open = False
        return committed

    world.register.commit = slow_commit  # type: ignore[method-assign]
    await world.declare("ann")
    await world.settle(20)
    assert world.sent() == []
    world.register.commit = commit  # type: ignore[method-assign]
    world.fence.is_open = True
    await world.settle(120)
    assert world.sent() == ["AssignNumber"]
    assert await world.all_ready()


class Paused:
    """Stops one process at its next provider write, as SIGSTOP would, until told to go on."""

    def __init__(self, world: EngineWorld) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        for runtime in world.running.connections.values():
            mirror = runtime.mirror
            self._commit = mirror.commit
            mirror.commit = self.commit  # type: ignore[method-assign]

    async def commit(self, commit: Any, **options: Any) -> Any:
        if any(intent.state.value == "open" for intent in commit.intents):
            self.reached.set()
            await self.go_on.wait()
        return await self._commit(commit, **options)


async def test_leader_paused_between_read_and_write(worlds: Worlds) -> None:
    """It stops before it commits; the standby takes over and gives the number to somebody else."""
    old = await worlds.make()
    await old.settle()
    pause = Paused(old)
    await old.declare("ann", phoneNumber={"e164": number(3)})
    await pause.reached.wait()
    # The Lease ends; a standby takes it, and the world goes on.
    old.fence.is_open = False
    new = standby_of(worlds, old)
    await new.start()
    await new.delete("TeamsUser", "ann")
    await new.settle(60)
    await new.declare("ben", phoneNumber={"e164": number(3)})
    await new.settle(60)
    assert new.number_of("ben") == number(3)
    sent = len(new.sent())
    pause.go_on.set()
    await old.settle(200)
    assert new.number_of("ben") == number(3)
    assert len(new.sent()) == sent
    assert await new.reason("ben") == "Succeeded"


async def test_an_old_leader_that_does_not_know_it_yet_cannot_commit(worlds: Worlds) -> None:
    """Even with its fence open (a clock gone wrong) the epoch keeps it from writing."""
    old = await worlds.make()
    await old.settle()
    new = standby_of(worlds, old)
    old.fence.is_open = True
    await new.start()
    await new.settle(1)
    await old.declare("ann")
    await old.settle(5)
    assert new.sent() == ["AssignNumber"]
    assert new.number_of("ann") == number(0)


async def test_an_old_leader_does_not_take_the_connection_back(worlds: Worlds) -> None:
    old = await worlds.make()
    await old.settle()
    old.fence.is_open = False
    new = standby_of(worlds, old)
    await new.start()
    await new.settle(5)
    epoch = next(iter(new.running.connections.values())).mirror.epoch
    await old.settle(600)
    assert {row.epoch for row in await new.register.connections()} == {epoch}
    await new.declare("ann")
    await new.settle(60)
    assert await new.reason("ann") == "Succeeded"


async def test_a_hand_over_without_anything_to_do_writes_nothing(worlds: Worlds) -> None:
    old = await worlds.make()
    for name in ("ann", "ben", "cid"):
        await old.declare(name)
    await old.settle(120)
    mark = await old.written()
    requests = len(old.cluster.requests)
    await old.stop()
    new = standby_of(worlds, old)
    await new.start()
    await new.settle(300)
    written = await old.written_since(mark)
    assert (written.provider, written.register) == (0, 0)
    # The epoch, and the time of each listing.
    changed = [request for request in new.cluster.requests[requests:] if request.changed]
    assert {request.kind.plural for request in changed} <= {"teamstenants"}


async def test_an_open_intent_of_an_earlier_leader_is_left_alone_for_a_while(
    worlds: Worlds,
) -> None:
    """Its write may have left just before it died; only afterwards is it judged by reading."""
    old = await worlds.make()
    await old.settle()
    await old.declare("ann")
    await old.until(lambda: len(old.sent()) == 1)
    await old.kill()
    # The platform never carries it out.
    await old.settle(1)
    new = standby_of(worlds, old)
    new.fence = OpenFence()
    await new.start()
    await new.settle(120)
    assert await new.reason("ann") == "Succeeded"
    assert new.sent() == ["AssignNumber"]
    assert (await new.register.load(CONNECTION)).open_intents == ()
