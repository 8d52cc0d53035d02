"""A register or a cluster from yesterday: nothing is written until a person has looked."""

from __future__ import annotations

import copy

import pytest

from callplane.cluster.resource_kinds import callplane_kind
from callplane.testing.engine_world import EngineWorld

pytestmark = pytest.mark.looptime

TENANTS = callplane_kind("teamstenants")


async def converged() -> EngineWorld:
    world = EngineWorld()
    world.seed_people(("ann", "ben"))
    world.seed_inventory()
    await world.seed_tenant(changeLimits={"settle": "1s"})
    await world.seed_range()
    await world.start()
    await world.declare("ann")
    await world.settle(200)
    return world


async def confirm(world: EngineWorld) -> None:
    _, _, message = await world.condition("TeamsTenant", "main", "Stalled")
    annotation, _, value = message.partition("annotation ")[2].partition(": ")
    await world.user.merge_patch(
        TENANTS,
        name="main",
        namespace="default",
        patch={"metadata": {"annotations": {annotation: value}}},
    )


async def test_a_database_restored_from_yesterday_stops_writes_until_confirmed() -> None:
    world = await converged()
    yesterday = copy.deepcopy(world.register)
    await world.declare("ben")
    await world.settle(200)
    await world.stop()
    world.register = yesterday
    await world.start()
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(200)
    status, reason, _ = await world.condition("TeamsTenant", "main", "Stalled")
    assert (status, reason) == ("True", "RegisterRestored")
    assert world.sent() == ["AssignNumber", "AssignNumber"]
    await confirm(world)
    await world.settle(200)
    assert world.number_of("ann") is None
    assert world.number_of("ben") is not None
    await world.stop()


async def test_a_cluster_restored_from_yesterday_stops_writes_until_confirmed() -> None:
    world = await converged()
    yesterday = copy.deepcopy(world.cluster.state.objects)
    await world.declare("ben")
    await world.settle(200)
    await world.delete("TeamsUser", "ann")
    await world.settle(200)
    sent = world.sent()
    await world.stop()
    world.cluster.state.objects = yesterday
    await world.start()
    await world.settle(200)
    status, reason, _ = await world.condition("TeamsTenant", "main", "Stalled")
    assert (status, reason) == ("True", "RegisterRestored")
    assert world.sent() == sent
    await confirm(world)
    await world.settle(200)
    assert world.number_of("ann") == "+442079460000"
    await world.stop()
