"""429, 5xx, lost answers: all converges, no order is given twice, no number assigned twice."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.plan.change import Operation
from callplane.providers.inmemory import (
    Fault,
    Verb,
    World,
    lost_after_commit,
    lost_before_commit,
    order_fails,
    order_is_lost,
    refuse,
    throttle,
    unavailable,
)
from callplane.providers.protocol import RefusalClass
from callplane.testing.engine_world import EngineWorld, Worlds, number, people

pytestmark = pytest.mark.looptime

ASSIGN = {"operation": Operation.ASSIGN_NUMBER}
UNASSIGN = {"operation": Operation.UNASSIGN_NUMBER}


async def test_throttled_writes_wait_as_long_as_they_are_told(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    world.fail(throttle(20.0), times=1, **ASSIGN)
    began = world.clock.monotonic()
    for name in ("ann", "ben", "cid"):
        await world.declare(name)
    await world.settle(15)
    # One was refused; the whole connection then keeps still, and nobody is parked for ever.
    assert len(world.sent()) <= 3
    early = len(world.sent())
    await world.until(lambda: len(world.sent()) > early)
    assert world.clock.monotonic() - began >= 20
    await world.settle(60)
    assert await world.all_ready()


async def test_throttled_reads_and_polls(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    world.fail(throttle(5.0), verb=Verb.POLL, times=3)
    world.fail(throttle(5.0), verb=Verb.READ, times=3)
    await world.declare("ann")
    await world.settle(120)
    assert await world.all_ready()
    assert world.sent() == ["AssignNumber"]


@pytest.mark.parametrize("verb", [Verb.READ, Verb.POLL, Verb.SEND])
async def test_a_system_that_cannot_be_reached_for_a_while(worlds: Worlds, verb: Verb) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.fail(unavailable(), verb=verb, times=5)
    await world.declare("ben")
    await world.delete("TeamsUser", "ann")
    await world.settle(300)
    assert world.number_of("ben") == number(1)
    assert world.number_of("ann") is None
    assert await world.state(0) == "Quarantined"
    assert await world.all_ready()


LOSSES: dict[str, tuple[Fault, dict[str, Any]]] = {
    "assignment lost before": (lost_before_commit(), ASSIGN),
    "assignment lost after": (lost_after_commit(), ASSIGN),
    "unassignment lost before": (lost_before_commit(), UNASSIGN),
    "unassignment lost after": (lost_after_commit(), UNASSIGN),
    "order forgotten": (order_is_lost(), ASSIGN),
}


@pytest.mark.parametrize("case", LOSSES)
async def test_lost_answers(worlds: Worlds, case: str) -> None:
    fault, match = LOSSES[case]
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.fail(fault, **match)
    await world.declare("ben")
    await world.delete("TeamsUser", "ann")
    await world.settle(200)
    assert world.platform.faults.pending == 0
    assert (world.number_of("ann"), world.number_of("ben")) == (None, number(1))
    assert (await world.state(0), await world.state(1)) == ("Quarantined", "Assigned")
    assert await world.all_ready()
    if "before" not in case:
        assert world.repeated_changes() == []
    assert await world.causes(1) == ["Allocate", "Confirm"]


async def test_a_lost_answer_is_found_done_without_another_order(worlds: Worlds) -> None:
    world = await worlds.make(platform=World(order_seconds=20.0))
    await world.settle()
    world.fail(lost_after_commit(), **ASSIGN)
    await world.declare("ann")
    # The order is still running after the first looks; nothing is sent on a guess.
    await world.settle(120)
    assert world.sent() == ["AssignNumber"]
    assert await world.all_ready()


async def test_an_order_that_fails_is_tried_again_with_patience(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    world.fail(order_fails("internal error"), times=3, **ASSIGN)
    await world.declare("ann")
    await world.settle(5)
    status, reason, message = await world.condition("TeamsUser", "ann")
    assert (status, reason) == ("False", "ProviderRefused")
    assert "internal error" in message
    await world.settle(60)
    assert await world.all_ready()
    assert len(world.sent()) == 4


async def test_a_refused_unassignment_keeps_its_grant(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.fail(refuse(RefusalClass.TRANSIENT, "try again"), times=1, **UNASSIGN)
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert await world.state(0) == "Quarantined"
    rows = [row for row in await world.gate_rows() if row.consumed_at is not None]
    assert len(rows) == 1


REFUSALS = {
    RefusalClass.PRECONDITION: "False ProviderRefused",
    RefusalClass.PERMISSION: "False PermissionMissing",
    RefusalClass.NOT_READY: "False LicencePending",
    RefusalClass.CONFLICT: "False Conflict",
    RefusalClass.UNCLASSIFIED: "False ProviderRefused",
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_is_shown_with_the_words_of_the_system(
    worlds: Worlds, refusal: RefusalClass
) -> None:
    world = await worlds.make()
    await world.settle()
    world.fail(refuse(refusal, "the words of the system"), times=1000, **ASSIGN)
    await world.declare("ann")
    await world.settle(600)
    status, reason, message = await world.condition("TeamsUser", "ann")
    assert f"{status} {reason}" == REFUSALS[refusal]
    assert "the words of the system" in message
    assert len(world.sent()) <= 15


async def test_slow_orders_of_many_are_looked_up_in_bulk(worlds: Worlds) -> None:
    names = people(120)
    world = await worlds.make(names, numbers=200, platform=World(order_seconds=8.0))
    await world.settle()
    reads = len(world.calls(Verb.READ)) + len(world.calls(Verb.POLL))
    for name in names:
        await world.declare(name)
    await world.settle(90)
    assert await world.all_ready()
    assert len(world.sent()) == 120
    assert world.repeated_changes() == []
    after = len(world.calls(Verb.READ)) + len(world.calls(Verb.POLL))
    assert after - reads <= 2 * 120


async def test_readers_that_lag_behind_writers(worlds: Worlds) -> None:
    world = await worlds.make(platform=World(order_seconds=0.5, read_lag_seconds=12.0))
    await world.declare("ann")
    await world.settle(60)
    assert await world.all_ready()
    await world.declare("ann", phoneNumber={"e164": number(5)})
    await world.settle(180)
    assert world.number_of("ann") == number(5)
    assert await world.all_ready()
    assert world.sent() == ["AssignNumber", "UnassignNumber", "AssignNumber"]


async def everything_at_once(world: EngineWorld, seed: int) -> None:
    names = ("ann", "ben", "cid", "dan", "eve")
    for name in names:
        await world.declare(name)
    await world.settle(20 + seed)
    await world.delete("TeamsUser", "ann")
    await world.declare("ben", phoneNumber={"e164": number(8)})
    await world.settle(10)


@pytest.mark.parametrize("seed", range(6))
async def test_a_bad_day(worlds: Worlds, seed: int) -> None:
    world = await worlds.make(("ann", "ben", "cid", "dan", "eve"), chance=seed)
    for skip, fault in enumerate(
        (
            lost_after_commit(),
            throttle(3.0),
            lost_before_commit(),
            order_fails(),
            unavailable(),
            order_is_lost(),
        )
    ):
        world.fail(fault, skip=(skip * (seed + 1)) % 5)
        world.fail(unavailable(), verb=Verb.READ, skip=skip + seed)
        world.fail(throttle(2.0), verb=Verb.POLL, skip=skip)
    await everything_at_once(world, seed)
    await world.settle(900)
    assert await world.all_ready()
    held = [world.number_of(name) for name in ("ben", "cid", "dan", "eve")]
    assert held[0] == number(8)
    assert len(set(held)) == 4
    assert None not in held
    assert world.number_of("ann") is None
    assigned = [row for row in world.platform.true.numbers.values() if row.holder_id]
    assert len(assigned) == 4
