"""A number is kept or given up for one reason only: what the spec of its holder says."""

from __future__ import annotations

import pytest

from callplane.engine import reconcile
from callplane.engine.scope import Scope
from callplane.status.conditions import Succeeded
from callplane.testing.engine_world import EngineWorld, user_id
from callplane.values import E164

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


async def test_shrinking_a_range_renumbers_nobody() -> None:
    world = await started()
    await world.declare("ben")
    await world.settle(10)
    await world.declare("ann")
    await world.settle(10)
    await world.delete("TeamsUser", "ben")
    await world.settle(10)
    sent = world.sent()
    await world.seed_range(first="+442079460002", last="+442079460009")
    await world.settle(30)
    status, reason, message = await world.condition("TeamsUser", "ann", "Stalled")
    assert (status, reason) == ("True", "ShrunkBelowClaims"), message
    assert world.number_of("ann") == "+442079460001"
    assert world.sent() == sent
    await world.seed_range()
    await world.settle(30)
    assert (await world.condition("TeamsUser", "ann"))[0] == "True"
    assert world.sent() == sent
    await world.stop()


async def test_a_resting_number_that_somebody_else_has_is_passed_over_at_every_look() -> None:
    world = await started()
    await world.declare("ann")
    await world.settle(10)
    await world.delete("TeamsUser", "ann")
    await world.settle(10)
    world.platform.administrator_assigns(FIRST, user_id("ben"))
    await world.settle(90)
    await world.declare("ann")
    await world.settle(30)
    assert world.number_of("ann") == "+442079460001"
    assert world.number_of("ben") == FIRST.text
    await world.stop()


async def test_a_defect_in_a_pass_is_a_condition_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await started()

    async def broken(_: Scope) -> Succeeded:
        raise ValueError("no such thing as +442079460000")

    whole = reconcile.PASSES["TeamsUser"]
    monkeypatch.setitem(reconcile.PASSES, "TeamsUser", broken)
    await world.declare("ann")
    await world.settle(5)
    status, reason, message = await world.condition("TeamsUser", "ann")
    assert (status, reason) == ("False", "InternalError")
    assert "ValueError: no such thing as +44…0000" in message
    monkeypatch.setitem(reconcile.PASSES, "TeamsUser", whole)
    await world.settle(120)
    assert (await world.condition("TeamsUser", "ann"))[0] == "True"
    await world.stop()
