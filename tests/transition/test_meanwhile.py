"""Things that happen while something else is under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from callplane.cluster import api_errors
from callplane.cluster.resource_kinds import NAMESPACES
from callplane.plan.change import Change, Operation
from callplane.providers.inmemory import InMemoryProvider, World
from callplane.resources.lines import NumberType
from callplane.resources.platforms import NumberOnPlatform
from callplane.testing.engine_world import EngineWorld, Worlds, number, people, user_id
from callplane.testing.fake_cluster import Fault
from callplane.values import E164

pytestmark = pytest.mark.looptime


async def slow(worlds: Worlds) -> EngineWorld:
    """Orders take 20 seconds; one assignment is under way."""
    world = await worlds.make(platform=World(order_seconds=20.0))
    await world.settle()
    await world.declare("ann")
    await world.until(lambda: len(world.sent()) == 1)
    return world


async def test_deleted_while_the_assignment_runs(worlds: Worlds) -> None:
    world = await slow(worlds)
    await world.delete("TeamsUser", "ann")
    await world.settle(120)
    assert not await world.exists("TeamsUser", "ann")
    assert world.number_of("ann") is None
    assert world.sent() == ["AssignNumber", "UnassignNumber"]
    assert await world.state(0) == "Quarantined"


async def test_edited_while_the_assignment_runs(worlds: Worlds) -> None:
    world = await slow(worlds)
    await world.declare("ann", phoneNumber={"e164": number(5)})
    await world.settle(200)
    assert world.number_of("ann") == number(5)
    assert await world.all_ready()
    assert await world.state(0) == "Quarantined"
    assert world.repeated_changes() == []


async def test_suspended_while_the_assignment_runs(worlds: Worlds) -> None:
    world = await slow(worlds)
    await world.declare("ann", suspend=True)
    await world.settle(60)
    assert world.number_of("ann") == number(0)
    await world.declare("ann")
    await world.settle(60)
    assert await world.reason("ann") == "Succeeded"
    assert world.sent() == ["AssignNumber"]


async def test_the_secret_is_rotated_while_the_assignment_runs(worlds: Worlds) -> None:
    world = await slow(worlds)
    world.accepted_secret = b"new"
    await world.change_secret(b"new")
    await world.annotate("TeamsTenant", "main", {"callplane.dev/reconcile-requested-at": "now"})
    await world.settle(150)
    assert await world.all_ready()
    assert world.sent() == ["AssignNumber"]


async def test_declared_anew_while_the_unassignment_runs(worlds: Worlds) -> None:
    world = await worlds.make(platform=World(order_seconds=20.0))
    await world.declare("ann")
    await world.settle(60)
    await world.delete("TeamsUser", "ann")
    await world.until(lambda: "UnassignNumber" in world.sent())
    # Another object for the same person appears before the number is gone.
    await world.declare("ann", as_object="ann-again")
    await world.settle(200)
    assert not await world.exists("TeamsUser", "ann")
    assert world.number_of("ann") == number(0)
    assert await world.reason("ann-again") == "Succeeded"


async def test_the_api_server_has_a_bad_minute(worlds: Worlds) -> None:
    worlds.defects_are_expected = True
    world = await worlds.make(("ann", "ben", "cid", "dan"))
    await world.settle()
    for verb in ("merge_patch", "json_patch", "get"):
        world.cluster.faults.append(
            Fault(api_errors.Unavailable("etcd leader changed", status=500), verb=verb, times=4)
        )
        world.cluster.faults.append(
            Fault(api_errors.Unavailable("the answer was lost"), verb=verb, times=2, after=True)
        )
    for name in ("ann", "ben", "cid", "dan"):
        await world.declare(name)
    await world.settle(300)
    assert await world.all_ready()
    assert len(world.sent()) == 4
    assert world.repeated_changes() == []


async def test_a_person_with_two_numbers_is_not_judged(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    row = NumberOnPlatform(E164(number(7)), NumberType.DIRECT_ROUTING, holder_id=user_id("ann"))
    world.platform.put_numbers([row])
    await world.settle(90)
    assert (await world.condition("TeamsUser", "ann", "Synced"))[0] == "Unknown"
    assert world.sent() == ["AssignNumber"]
    world.platform.put_numbers([replace(row, holder_id=None)])
    await world.settle(90)
    assert await world.condition("TeamsUser", "ann", "Synced") == ("True", "InSync", "as declared")
    assert world.sent() == ["AssignNumber"]


async def test_given_another_number_in_the_portal(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.platform.administrator_assigns(E164(number(0)), None)
    world.platform.administrator_assigns(E164(number(5)), user_id("ann"))
    await world.settle(90)
    assert await world.reason("ann") == "False Foreign"
    assert world.sent() == ["AssignNumber"]
    world.platform.administrator_assigns(E164(number(5)), None)
    await world.settle(90)
    assert world.number_of("ann") == number(0)


async def test_a_namespace_is_admitted_by_its_labels(worlds: Worlds) -> None:
    world = await worlds.make(
        tenant={"allowedNamespaces": [{"selector": {"matchLabels": {"voice": "yes"}}}]}
    )
    world.seed_namespace("team-a")
    await world.declare("ann", namespace="team-a")
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "False DependencyNotReady"
    labels = {"metadata": {"labels": {"voice": "yes"}}}
    await world.user.merge_patch(NAMESPACES, name="team-a", patch=labels)
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "Succeeded"
    labels = {"metadata": {"labels": {"voice": None}}}
    await world.user.merge_patch(NAMESPACES, name="team-a", patch=labels)
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "False DependencyNotReady"
    assert world.number_of("ann") == number(0)
    assert world.sent() == ["AssignNumber"]


async def test_a_user_change_is_not_kept_waiting_by_a_thousand_first_ones(worlds: Worlds) -> None:
    """Priorities: an edit overtakes the first listing that waits for write tokens."""
    names = people(200)
    world = await worlds.make(names, numbers=210, tenant={"writesPerSecond": 5}, start=False)
    for name in names:
        await world.declare(name)
    await world.start()
    await world.settle(10)
    assert not await world.all_ready()
    world.seed_people(["zoe"])
    await world.declare("zoe", phoneNumber={"e164": number(205)})
    began = world.clock.monotonic()
    await world.until(lambda: world.number_of("zoe") is not None)
    assert world.clock.monotonic() - began <= 5
    await world.settle(100)
    assert await world.all_ready()


async def test_writes_keep_to_their_rate(worlds: Worlds) -> None:
    names = people(60)
    world = await worlds.make(names, numbers=60, tenant={"writesPerSecond": 5})
    await world.settle()
    for name in names:
        await world.declare(name)
    for second in range(1, 13):
        await world.settle(1)
        # A second of writes may have been saved up before.
        assert len(world.sent()) <= 5 * second + 5
    await world.settle(5)
    assert len(world.sent()) == 60


async def test_limits_edited_while_a_batch_settles(worlds: Worlds) -> None:
    world = await worlds.make(people(8), numbers=8)
    for name in people(8):
        await world.declare(name)
    await world.settle()
    for name in people(4):
        await world.delete("TeamsUser", name)
    await world.settle(1)
    await world.apply_tenant(changeLimits={"maxCount": 2, "settle": "5s"})
    await world.settle()
    assert "UnassignNumber" not in world.sent()
    assert world.held_digest()


async def test_the_order_of_one_persons_changes(worlds: Worlds) -> None:
    world = await worlds.make()
    calling = {"type": "TeamsCallingPolicy", "name": "A"}
    await world.declare("ann", policies=[calling])
    await world.settle()
    await world.declare("ann", phoneNumber={"e164": number(4)}, policies=[{**calling, "name": "B"}])
    await world.settle(60)
    assert [change.operation for change in world.changes()] == [
        Operation.ASSIGN_NUMBER,
        Operation.SET_POLICY,
        Operation.UNASSIGN_NUMBER,
        Operation.ASSIGN_NUMBER,
        Operation.SET_POLICY,
    ]


async def test_a_number_moved_while_its_write_waited_for_its_turn_stays_where_it_is(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unassigning names no person: it takes the number from whoever has it by then."""
    world = await worlds.make(tenant={"maxInFlight": 1})
    await world.declare("ann")
    await world.declare("ben")
    await world.settle()
    send = InMemoryProvider.send

    async def slowly(provider: InMemoryProvider, change: Change, *, request_id: str) -> object:
        answer = await send(provider, change, request_id=request_id)
        await asyncio.sleep(5.0)
        return answer

    monkeypatch.setattr(InMemoryProvider, "send", slowly)
    await world.delete("TeamsUser", "ann")
    await world.delete("TeamsUser", "ben")
    await world.until(lambda: world.sent().count("UnassignNumber") == 1)
    first = world.changes()[-1].number
    (other,) = {number(0), number(1)} - {first}
    world.platform.administrator_assigns(E164(other), user_id("cid"))
    await world.settle(120)
    assert world.number_of("cid") == other
    assert world.sent().count("UnassignNumber") == 1


async def test_an_edit_taken_back_while_its_write_waited_for_its_turn_takes_nothing_away(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await worlds.make(tenant={"maxInFlight": 1})
    await world.declare("ann")
    await world.declare("ben")
    await world.settle()
    send = InMemoryProvider.send

    async def slowly(provider: InMemoryProvider, change: Change, *, request_id: str) -> object:
        answer = await send(provider, change, request_id=request_id)
        await asyncio.sleep(5.0)
        return answer

    monkeypatch.setattr(InMemoryProvider, "send", slowly)
    await world.declare("ann", phoneNumber={"none": {}})
    await world.declare("ben", phoneNumber={"none": {}})
    await world.until(lambda: world.sent().count("UnassignNumber") == 1)
    for name in ("ann", "ben"):
        if world.number_of(name) is not None:
            await world.declare(name)
    await world.settle(120)
    assert world.sent().count("UnassignNumber") == 1
    assert await world.all_ready()


async def test_an_emergency_location_is_not_set_on_somebody_else_number(worlds: Worlds) -> None:
    """Setting one names no person either, and the last listing may be a day old."""
    world = await worlds.make(tenant={"driftInterval": "24h"})
    address = {"street": "1 Sample Street", "town": "London", "postcode": "ZZ99 9ZZ"}
    office = "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33"
    await world.apply(
        "EmergencyLocation", "office", {"address": address, "teamsLocationId": office}
    )
    await world.declare("ann")
    await world.settle()
    line = E164(number(0))
    world.platform.administrator_assigns(line, user_id("cid"))
    await world.declare("ann", emergencyLocationRef={"name": "office"})
    await world.settle(60)
    row = world.platform.true.numbers[line]
    assert (row.holder_id, row.location_id) == (user_id("cid"), None)
    assert world.sent().count("SetEmergencyLocation") == 0


async def test_somebody_declared_again_just_before_their_number_goes_keeps_it(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await worlds.make(tenant={"changeLimits": {"settle": "1s"}})
    await world.declare("ann")
    await world.settle()
    read = InMemoryProvider.read_number
    reading: list[E164] = []

    async def slowly(provider: InMemoryProvider, wanted: E164) -> object:
        reading.append(wanted)
        seen = await read(provider, wanted)
        await asyncio.sleep(5.0)
        return seen

    await world.delete("TeamsUser", "ann")
    await world.settle(0.5)
    monkeypatch.setattr(InMemoryProvider, "read_number", slowly)
    # The leaver's pass has seen that nobody else declares her, and looks at the number once more.
    await world.until(lambda: bool(reading))
    await world.declare("ann", as_object="ann-again")
    await world.settle(120)
    assert "UnassignNumber" not in world.sent()
    assert world.number_of("ann") == number(0)
    assert not await world.exists("TeamsUser", "ann")
    assert await world.reason("ann-again") == "Succeeded"
