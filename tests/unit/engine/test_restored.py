"""A register or a cluster from yesterday: nothing is written until a person has looked."""

from __future__ import annotations

import copy

import pytest

from callplane.cluster.resource_kinds import callplane_kind
from callplane.engine import holders, register_mirror, restorations
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store.ports import Commit
from callplane.testing.engine_world import CONNECTION, EngineWorld, number

pytestmark = pytest.mark.looptime

TENANTS = callplane_kind("teamstenants")
REST_A_DAY = {"quarantine": {"days": 1}}


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


async def test_what_was_confirmed_is_not_asked_for_again_by_the_next_leader() -> None:
    world = await converged()
    yesterday = copy.deepcopy(world.register)
    await world.declare("ben")
    await world.settle(200)
    await world.stop()
    world.register = yesterday
    await world.start()
    await world.settle(200)
    await confirm(world)
    await world.settle(5)
    # Somebody rebuilds rows, or another operator takes over, before the minute is over.
    await world.stop()
    await world.start()
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(200)
    status, reason, _ = await world.condition("TeamsTenant", "main", "Ready")
    assert (status, reason) == ("True", "Succeeded")
    assert world.number_of("ann") is None
    await world.stop()


async def test_a_restore_that_nobody_notices_fails_these_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restorations, "problem", lambda *_, **__: "")
    with pytest.raises(AssertionError):
        await test_a_database_restored_from_yesterday_stops_writes_until_confirmed()


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


async def restored_by_one_commit() -> EngineWorld:
    """The register lacks the last commit only, and has a number whose rest ends within a day."""
    world = await converged()
    await world.apply(
        "PhoneNumber", "front", {"e164": number(9), "route": "DirectRouting", **REST_A_DAY}
    )
    await world.declare("ben", phoneNumber={"phoneNumberRef": {"name": "front"}})
    await world.settle(200)
    await world.delete("TeamsUser", "ben")
    await world.settle(200)
    assert await world.state(9) == "Quarantined"
    shown = (await world.status("TeamsTenant", "main"))["registerSequence"]
    await world.stop()
    # The same as a register that lost its last commit: the cluster has been shown one more.
    tenant = await world.body("TeamsTenant", "main")
    tenant["status"]["registerSequence"] = shown + 1
    await world.user.replace(TENANTS, body=tenant, subresource="status")
    return world


async def test_what_a_restored_register_commits_itself_does_not_make_it_a_new_one() -> None:
    world = await restored_by_one_commit()
    await world.start()
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(1.2 * 86_400)
    _, reason, _ = await world.condition("TeamsTenant", "main", "Stalled")
    assert reason == "RegisterRestored"
    assert world.number_of("ann") == number(0)
    assert await world.state(9) == "Quarantined"
    await confirm(world)
    await world.settle(200)
    assert world.number_of("ann") is None
    await world.stop()


async def test_a_restored_register_is_one_also_for_the_next_process() -> None:
    world = await restored_by_one_commit()
    await world.start()
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(200)
    await world.stop()
    # Somebody else commits for this connection: what gave a number to it, or an administrator.
    state = await world.register.load(CONNECTION)
    row = next(row for row in state.numbers if row.state is NumberState.ASSIGNED)
    again = holders.same_state(row, cause=Cause.TAKE_OVER, declared_by=row.declared_by)
    (known,) = await world.register.connections()
    for _ in range(3):
        await world.register.commit(
            CONNECTION, Commit(moves=(again,)), epoch=known.epoch, now=world.clock.now()
        )
    await world.start()
    await world.settle(200)
    _, reason, _ = await world.condition("TeamsTenant", "main", "Stalled")
    assert reason == "RegisterRestored"
    assert world.number_of("ann") == number(0)
    await confirm(world)
    await world.settle(200)
    assert world.number_of("ann") is None
    await world.stop()


async def test_a_database_restored_under_a_running_operator_stops_writes_as_well() -> None:
    world = await converged()
    yesterday = copy.deepcopy(world.register)
    await world.declare("ben")
    await world.settle(30)
    vars(world.register).update(vars(yesterday))
    await world.settle(60)
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(200)
    _, reason, message = await world.condition("TeamsTenant", "main", "Stalled")
    assert reason == "RegisterRestored"
    assert "callplane numbers rebuild" in message
    assert world.number_of("ann") == number(0)
    await confirm(world)
    await world.settle(200)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    assert world.number_of("ann") is None
    assert world.number_of("ben") is not None
    # What was confirmed is not asked again when the connection starts anew.
    await world.change_secret(b"new")
    world.accepted_secret = b"new"
    await world.settle(200)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    await world.stop()


async def test_the_last_commits_are_lost_and_the_next_one_notices() -> None:
    """A standby that was behind takes over while a pass writes."""
    world = await converged()
    yesterday = copy.deepcopy(world.register)
    await world.declare("ben")
    await world.until(lambda: world.number_of("ben") is not None)
    await world.settle(1)
    vars(world.register).update(vars(yesterday))
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "False RegisterRestored"
    assert world.number_of("ann") == number(0)
    await world.stop()


async def test_lost_commits_are_noticed_although_the_database_counts_past_them() -> None:
    """PostgreSQL writes its sequence ahead: a standby that takes over leaps over what it lost."""
    world = await converged()
    yesterday = copy.deepcopy(world.register)
    await world.declare("ben")
    await world.until(lambda: world.number_of("ben") is not None)
    await world.settle(1)
    vars(world.register).update(vars(yesterday))
    world.register._version += 32
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "False RegisterRestored"
    assert world.number_of("ann") == number(0)
    await world.stop()


async def test_a_leap_that_nobody_notices_fails_these_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(register_mirror.RegisterMirror, "_check_not_back", lambda *_: None)
    with pytest.raises(AssertionError):
        await test_lost_commits_are_noticed_although_the_database_counts_past_them()
