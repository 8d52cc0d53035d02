"""Who owns what: renames, moves, new clusters, other installations, other people's hands."""

from __future__ import annotations

import pytest

from callplane.cluster import api_errors
from callplane.store.memory import MemoryRegister
from callplane.testing.engine_world import (
    CONNECTION,
    TENANT_ID,
    EngineWorld,
    Worlds,
    number,
    people,
    user_id,
)
from callplane.values import E164, DeclaringObject

pytestmark = pytest.mark.looptime


async def one_user(worlds: Worlds, name: str = "ann") -> EngineWorld:
    world = await worlds.make()
    world.seed_namespace("team-a")
    world.seed_namespace("team-b")
    await world.declare(name, namespace="team-a")
    await world.settle()
    assert await world.all_ready()
    return world


@pytest.mark.parametrize("pause", [0.0, 2.0])
@pytest.mark.parametrize("order", ["new first", "old first"])
@pytest.mark.parametrize("case", ["renamed", "moved"])
async def test_object_renamed_or_moved_in_one_commit(
    worlds: Worlds, case: str, order: str, pause: float
) -> None:
    world = await one_user(worlds)
    mark = await world.written()
    where = {"namespace": "team-b"} if case == "moved" else {"namespace": "team-a"}
    as_object = "ann" if case == "moved" else "ann-smith"
    if order == "new first":
        await world.declare("ann", as_object=as_object, **where)
        await world.settle(pause)
        await world.delete("TeamsUser", "ann", namespace="team-a")
    else:
        await world.delete("TeamsUser", "ann", namespace="team-a")
        await world.settle(pause)
        await world.declare("ann", as_object=as_object, **where)
    await world.settle(120)
    assert (await world.written_since(mark)).provider == 0
    assert await world.reason(as_object, **where) == "Succeeded"
    assert len(await world.names("TeamsUser")) == 1
    assert world.number_of("ann") == number(0)
    assert "TakeOver" in await world.causes(0)
    row = await world.row(0)
    assert row is not None
    assert row.declared_by is not None
    assert (row.declared_by.namespace, row.declared_by.name) == (where["namespace"], as_object)
    assert await world.gate_rows() == []


async def test_deleted_and_made_again_at_once_keeps_the_number(worlds: Worlds) -> None:
    """`kubectl replace --force` with a leaver's pause in between."""
    world = await one_user(worlds)
    await world.delete("TeamsUser", "ann", namespace="team-a")
    await world.settle(60)
    await world.declare("ann", namespace="team-a")
    await world.settle(60)
    assert world.number_of("ann") == number(0)


async def re_declared(world: EngineWorld, names: list[str]) -> None:
    world.seed_namespace("team-a")
    await world.seed_tenant()
    await world.seed_range(size=20)
    for name in names:
        await world.declare(name, namespace="team-a")


async def twelve(worlds: Worlds) -> tuple[EngineWorld, list[str]]:
    names = list(people(12))
    first = await worlds.make(names, numbers=20)
    first.seed_namespace("team-a")
    for name in names:
        await first.declare(name, namespace="team-a")
    await first.settle(60)
    assert await first.all_ready()
    return first, names


@pytest.mark.parametrize("is_old_cluster_gone", [True, False])
async def test_all_objects_re_applied_to_a_new_cluster(
    worlds: Worlds, is_old_cluster_gone: bool
) -> None:
    first, names = await twelve(worlds)
    sent = len(first.sent())
    before = {name: first.number_of(name) for name in names}
    if is_old_cluster_gone:
        await first.kill()
    else:
        await first.stop()
    second = worlds.second_cluster(first)
    await second.start()
    await re_declared(second, names)
    await second.settle(60)
    # The old side's heartbeat is young: nothing is taken from it yet.
    assert await second.reason("main", kind="TeamsTenant") == "False ConnectionHeldElsewhere"
    await second.settle(400)
    assert await second.reason("main", kind="TeamsTenant") == "Succeeded"
    assert await second.all_ready()
    assert len(second.sent()) == sent
    assert {name: second.number_of(name) for name in names} == before
    assert "TakeOver" in await second.causes(0)
    assert (await second.status("TeamsTenant", "main"))["orphaned"] == 0


async def test_two_installations_with_one_register(worlds: Worlds) -> None:
    first, names = await twelve(worlds)
    sent = len(first.sent())
    second = worlds.second_cluster(first)
    await second.start()
    await re_declared(second, names)
    await second.settle(1200)
    status, reason, message = await second.condition("TeamsTenant", "main", "Stalled")
    assert (status, reason) == ("True", "ConnectionHeldElsewhere")
    assert "default/main" in message
    assert await second.reason(names[0], namespace="team-a") == "False DependencyNotReady"
    assert await first.all_ready()
    assert len(first.sent()) == sent


async def test_the_one_that_was_taken_from_says_so(worlds: Worlds) -> None:
    first, names = await twelve(worlds)
    second = worlds.second_cluster(first)
    await second.start()
    await re_declared(second, names)
    await second.settle(5)
    await take(second)
    await second.settle(60)
    assert await second.all_ready()
    sent = len(first.sent())
    await first.settle(120)
    assert await first.reason("main", kind="TeamsTenant") == "False ConnectionHeldElsewhere"
    await first.declare(names[0], namespace="team-a", phoneNumber={"none": {}})
    await first.settle(60)
    assert len(first.sent()) == sent
    assert await second.all_ready()


async def take(world: EngineWorld) -> None:
    """As `callplane connections take` does."""
    body = await world.body("TeamsTenant", "main")
    await world.register.hold_connection(
        CONNECTION,
        declared_by=DeclaringObject(
            installation=world.running.installation,
            kind="TeamsTenant",
            namespace="default",
            name="main",
            uid=body["metadata"]["uid"],
        ),
        now=world.clock.now(),
        stale_after_seconds=300,
        new_epoch=True,
        force=True,
    )


async def test_two_tenants_objects_for_one_tenant(worlds: Worlds) -> None:
    world = await one_user(worlds)
    await world.seed_tenant(namespace="team-b", name="again")
    await world.settle(600)
    reason = await world.reason("again", kind="TeamsTenant", namespace="team-b")
    assert reason == "False ConnectionHeldElsewhere"
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"


@pytest.mark.parametrize("first", ["people", "tenant"])
async def test_a_tenant_renamed_with_its_people_in_one_commit(worlds: Worlds, first: str) -> None:
    """Names of connections are as free to change as names of people."""
    world = await one_user(worlds)
    mark = await world.written()
    # What is new is made before what is gone is pruned, and references cannot be edited.
    await world.apply_tenant(name="prod")
    tenant = {"name": "prod", "namespace": "default"}
    await world.declare("ann", namespace="team-b", tenantRef=tenant)
    if first == "people":
        await world.delete("TeamsUser", "ann", namespace="team-a")
        await world.settle(2)
    await world.delete("TeamsTenant", "main")
    if first == "tenant":
        await world.settle(2)
        await world.delete("TeamsUser", "ann", namespace="team-a")
    await world.settle(200)
    assert not await world.exists("TeamsUser", "ann", namespace="team-a")
    assert not await world.exists("TeamsTenant", "main")
    assert await world.reason("prod", kind="TeamsTenant") == "Succeeded"
    assert await world.reason("ann", namespace="team-b") == "Succeeded"
    assert (await world.written_since(mark)).provider == 0
    assert world.number_of("ann") == number(0)
    assert await world.state(0) == "Assigned"


async def test_two_installations_with_separate_registers(worlds: Worlds) -> None:
    """Each undoes the other; the third undone write in a day ends it."""
    first = await worlds.make(("ann",))
    first.seed_inventory(10)
    await first.declare("ann", policies=[{"type": "TeamsCallingPolicy", "name": "A"}])
    await first.settle()
    second = worlds.second_cluster(first, register=MemoryRegister())
    await second.start()
    await second.seed_tenant()
    await second.seed_range()
    await second.declare("ann", policies=[{"type": "TeamsCallingPolicy", "name": "B"}])
    await second.settle(3600)
    reasons = {await first.reason("ann"), await second.reason("ann")}
    assert "False Contested" in reasons
    sent = len(first.sent())
    await second.settle(3600)
    assert len(first.sent()) == sent
    assert sent <= 1 + 2 * 4


async def test_an_administrator_who_undoes_us_three_times_wins_and_is_named(
    worlds: Worlds,
) -> None:
    world = await one_user(worlds)
    for _ in range(5):
        world.platform.administrator_assigns(E164(number(0)), None)
        await world.settle(120)
    status, reason, message = await world.condition(
        "TeamsUser", "ann", "Stalled", namespace="team-a"
    )
    assert (status, reason) == ("True", "Contested")
    assert "3 times" in message
    assert world.sent() == ["AssignNumber"] * 3
    # A day later it is tried again.
    await world.settle(25 * 3600)
    await world.annotate(
        "TeamsUser",
        "ann",
        {"callplane.dev/reconcile-requested-at": "tomorrow"},
        namespace="team-a",
    )
    await world.settle(60)
    assert world.number_of("ann") == number(0)


async def test_an_existing_assignment_is_adopted(worlds: Worlds) -> None:
    world = await worlds.make()
    world.platform.administrator_assigns(E164(number(4)), user_id("ann"))
    world.platform.administrator_assigns(E164(number(5)), user_id("ben"))
    await world.settle(70)
    await world.declare("ann")
    await world.declare("ben", phoneNumber={"e164": number(5)})
    await world.settle()
    assert world.sent() == []
    assert await world.all_ready()
    assert (await world.causes(4), await world.causes(5)) == (["Adopt"], ["Adopt"])


async def test_a_foreign_number_is_reported_and_left_alone(worlds: Worlds) -> None:
    world = await worlds.make()
    world.seed_inventory(30)
    world.platform.administrator_assigns(E164(number(25)), user_id("ann"))
    world.platform.administrator_assigns(E164(number(26)), user_id("cid"))
    await world.settle(70)
    assert (await world.status("TeamsTenant", "main"))["foreign"] == 2
    await world.declare("ann")
    await world.declare("ben", phoneNumber={"e164": number(26)})
    await world.settle()
    status, reason, message = await world.condition("TeamsUser", "ann", "Stalled")
    assert (status, reason) == ("True", "Foreign")
    assert "…0025" in message
    # Nothing holds +…26 here, and somebody has it there.
    await world.seed_range("paris", first=number(20), last=number(29))
    await world.settle()
    assert await world.reason("ben") == "False Foreign"
    assert world.sent() == []
    # `none` does not take away what was not given from here either.
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle()
    assert await world.reason("ann") == "False Foreign"
    assert world.number_of("ann") == number(25)
    # Declaring it is how it becomes ours.
    await world.declare("ann", phoneNumber={"e164": number(25)})
    await world.settle()
    assert await world.reason("ann") == "Succeeded"
    assert world.sent() == []


async def test_a_foreign_number_of_the_range_is_passed_over(worlds: Worlds) -> None:
    world = await worlds.make()
    world.platform.administrator_assigns(E164(number(0)), user_id("cid"))
    await world.settle(70)
    await world.declare("ann")
    await world.settle()
    assert world.number_of("ann") == number(1)
    assert world.number_of("cid") == number(0)


async def test_an_object_that_vanishes_without_a_deletion_changes_nothing(worlds: Worlds) -> None:
    """etcd restored, a finalizer forced off, a CRD deleted: absence is never a reason to write."""
    world = await one_user(worlds)
    mark = await world.written()
    state = world.cluster.state
    key = next(key for key in state.objects if key[2] == "ann")
    del state.objects[key]
    await world.restart()
    await world.settle(300)
    assert (await world.written_since(mark)).provider == 0
    assert world.number_of("ann") == number(0)
    assert await world.state(0) == "Assigned"
    assert (await world.status("TeamsTenant", "main"))["orphaned"] == 1
    await world.declare("ann", namespace="team-a")
    await world.settle()
    assert await world.reason("ann", namespace="team-a") == "Succeeded"
    assert (await world.written_since(mark)).provider == 0
    assert (await world.status("TeamsTenant", "main"))["orphaned"] == 0


async def test_an_object_vanishes_while_its_deletion_settles(worlds: Worlds) -> None:
    world = await one_user(worlds)
    await world.delete("TeamsUser", "ann", namespace="team-a")
    await world.settle(1)
    body = await world.body("TeamsUser", "ann", namespace="team-a")
    body["metadata"]["finalizers"] = []
    await world.user.replace(world.running.kind("TeamsUser"), body=body)
    await world.settle(60)
    with pytest.raises(api_errors.NotFound):
        await world.body("TeamsUser", "ann", namespace="team-a")
    # Nobody is left who wants the change: it is not in the gate any more.
    assert await world.gate_rows() == []
    assert world.number_of("ann") == number(0)
    assert (await world.status("TeamsTenant", "main"))["orphaned"] == 1


async def test_a_tenant_under_its_id_in_other_letters_is_the_same_tenant(worlds: Worlds) -> None:
    world = await one_user(worlds)
    await world.seed_tenant(namespace="team-b", name="again", tenantId=TENANT_ID.upper())
    await world.settle(60)
    status, reason, message = await world.condition(
        "TeamsTenant", "again", "Stalled", namespace="team-b"
    )
    assert (status, reason) == ("True", "ConnectionHeldElsewhere")
    assert f"as {TENANT_ID}" in message
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"


async def test_a_tenant_made_anew_with_its_id_in_other_letters_loses_no_claim(
    worlds: Worlds,
) -> None:
    world = await one_user(worlds)
    await world.annotate("TeamsTenant", "main", {"callplane.dev/detach": "made anew"})
    await world.delete("TeamsUser", "ann", namespace="team-a")
    await world.delete("TeamsTenant", "main")
    await world.settle(120)
    assert await world.state(0) == "Assigned"
    await world.apply_tenant(tenantId=TENANT_ID.upper())
    await world.declare("ann", namespace="team-a")
    await world.settle(120)
    assert await world.reason("main", kind="TeamsTenant") == "False ConnectionHeldElsewhere"
    uid = (await world.body("TeamsTenant", "main"))["metadata"]["uid"]
    await world.annotate("TeamsTenant", "main", {"callplane.dev/force-delete": uid})
    await world.delete("TeamsTenant", "main")
    await world.settle(60)
    await world.apply_tenant()
    await world.settle(120)
    assert await world.reason("ann", namespace="team-a") == "Succeeded"
    assert world.number_of("ann") == number(0)
