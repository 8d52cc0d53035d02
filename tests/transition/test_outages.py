"""Outages of others and of our database, and restarts: what goes on, what waits, what is said."""

from __future__ import annotations

import pytest

from callplane.testing.engine_world import EngineWorld, Worlds, number, people

pytestmark = pytest.mark.looptime


async def incident(world: EngineWorld, freeze: str, **fields: object) -> None:
    spec = {
        "connectionRef": {"kind": "TeamsTenant", "name": "main"},
        "text": "Teams is slow",
        "since": "2026-11-02T09:00:00Z",
        "freeze": freeze,
        **fields,
    }
    await world.apply("ProviderIncident", "outage", spec)


async def test_an_incident_that_freezes_destructive_writes(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await incident(world, "Destructive")
    await world.settle(5)
    await world.declare("ben")
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert world.number_of("ben") == number(1)
    assert world.number_of("ann") == number(0)
    assert await world.reason("ann") == "False FrozenByIncident"
    await incident(world, "Destructive", resolvedAt="2026-11-02T10:00:00Z")
    await world.settle(60)
    assert world.number_of("ann") is None
    assert await world.condition("TeamsUser", "ben", "ProviderIncident") == ("", "", "")


async def test_an_incident_that_freezes_all_writes(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await incident(world, "All")
    await world.declare("ben")
    await world.settle(90)
    assert world.sent() == ["AssignNumber"]
    assert await world.reason("ben") == "False FrozenByIncident"
    # Who needs nothing is Ready and says why nothing would happen.
    assert await world.reason("ann") == "Succeeded"
    status, _, message = await world.condition("TeamsUser", "ann", "ProviderIncident")
    assert (status, message) == ("True", "Teams is slow")
    assert (await world.status("ProviderIncident", "outage"))["affectedObjects"] == 2
    await world.delete("ProviderIncident", "outage")
    await world.settle(10)
    assert world.number_of("ben") == number(1)
    assert await world.condition("TeamsUser", "ann", "ProviderIncident") == ("", "", "")


async def test_an_incident_that_freezes_nothing_is_shown(worlds: Worlds) -> None:
    world = await worlds.make()
    await incident(world, "None")
    await world.declare("ann")
    await world.settle()
    assert world.number_of("ann") == number(0)
    assert (await world.condition("TeamsUser", "ann", "ProviderIncident"))[0] == "True"


async def test_an_incident_of_another_namespace_freezes_nothing(worlds: Worlds) -> None:
    world = await worlds.make()
    world.seed_namespace("team-a")
    spec = {
        "connectionRef": {"kind": "TeamsTenant", "name": "main"},
        "text": "not yours",
        "since": "2026-11-02T09:00:00Z",
        "freeze": "All",
    }
    await world.apply("ProviderIncident", "outage", spec, namespace="team-a")
    await world.declare("ann")
    await world.settle()
    assert world.number_of("ann") == number(0)


async def test_database_down(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.register.available = False
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "False RegisterUnavailable"
    # What is Ready and needs nothing stays so; reads go on.
    assert await world.reason("ann") == "Succeeded"
    reads = len(world.platform.journal)
    await world.settle(200)
    assert len(world.platform.journal) > reads
    await world.declare("ben")
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(60)
    assert await world.reason("ben") == "False RegisterUnavailable"
    assert await world.reason("ann") == "False RegisterUnavailable"
    assert world.sent() == ["AssignNumber"]
    world.register.available = True
    await world.settle(120)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    assert world.number_of("ben") == number(1)
    assert world.number_of("ann") is None
    assert await world.all_ready()


async def test_database_down_at_the_start(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    world.register.available = False
    await world.start()
    await world.declare("ann")
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "False RegisterUnavailable"
    assert world.sent() == []
    world.register.available = True
    await world.settle(400)
    assert await world.all_ready()
    assert world.number_of("ann") == number(0)


async def test_database_away_for_a_moment_in_the_middle_of_a_write(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    await world.declare("ann")
    await world.until(lambda: len(world.sent()) == 1)
    world.register.available = False
    await world.settle(40)
    world.register.available = True
    await world.settle(400)
    assert await world.all_ready()
    assert world.sent() == ["AssignNumber"]
    assert await world.causes(0) == ["Allocate", "Confirm"]


async def test_operator_restarted_with_many_objects_writes_nothing(worlds: Worlds) -> None:
    names = people(300)
    world = await worlds.make(
        names, numbers=300, tenant={"writesPerSecond": 1000, "maxInFlight": 64}
    )
    routing = [{"type": "OnlineVoiceRoutingPolicy", "name": "UK"}]
    for name in names:
        await world.declare(name, policies=routing)
    await world.settle(60)
    assert await world.all_ready()
    await world.settle(130)
    await world.kill()
    mark = await world.written()
    events = len(world.events.events)
    requests = len(world.cluster.requests)
    await world.start()
    await world.settle(600)
    written = await world.written_since(mark)
    assert (written.provider, written.register) == (0, 0)
    changed = [request for request in world.cluster.requests[requests:] if request.changed]
    # One status of the connection a listing, and nothing else.
    assert {(request.kind.plural, request.subresource) for request in changed} == {
        ("teamstenants", "status")
    }
    assert len(changed) <= 12
    assert len(world.events.events) == events
    assert await world.all_ready()


async def test_a_steady_state_makes_calls_with_pages_and_not_with_objects(worlds: Worlds) -> None:
    names = people(100)
    world = await worlds.make(names, numbers=100, tenant={"writesPerSecond": 1000})
    for name in names:
        await world.declare(name)
    await world.settle(130)
    calls = len(world.platform.journal)
    await world.settle(600)
    assert len(world.platform.journal) - calls <= 3 * 11


async def test_reconcile_requested_is_echoed(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    for kind, name in (("TeamsUser", "ann"), ("TeamsTenant", "main"), ("NumberRange", "london")):
        await world.annotate(kind, name, {"callplane.dev/reconcile-requested-at": "noon"})
        await world.settle(5)
        assert (await world.status(kind, name))["lastHandledReconcileAt"] == "noon"
    assert world.sent() == ["AssignNumber"]
