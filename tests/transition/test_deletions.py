"""What is deleted, in any order: nothing hangs without a named reason, nothing is lost."""

from __future__ import annotations

from itertools import permutations

import pytest

from callplane.cluster.resource_kinds import NAMESPACES, SECRETS
from callplane.testing.engine_world import EngineWorld, Worlds, number, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

ALL = "platform"


async def everything_in_one_namespace(worlds: Worlds, people: int = 3) -> EngineWorld:
    world = worlds.add(EngineWorld())
    names = [f"user-{index}" for index in range(people)]
    world.seed_people(names)
    world.seed_inventory(20)
    world.seed_namespace(ALL)
    await world.seed_tenant(namespace=ALL)
    spec = {"first": number(0), "last": number(19), "route": "DirectRouting"}
    await world.apply("NumberRange", "london", spec, namespace=ALL)
    for name in names:
        await world.declare(
            name,
            namespace=ALL,
            tenantRef={"name": "main"},
            phoneNumber={"rangeRef": {"name": "london"}},
        )
    await world.start()
    await world.settle()
    assert await world.all_ready()
    return world


def is_gone(world: EngineWorld, namespace: str) -> bool:
    return not any(
        key[0] == NAMESPACES and key[2] == namespace for key in world.cluster.state.objects
    )


async def test_namespace_with_tenant_secret_and_users_deleted(worlds: Worlds) -> None:
    world = await everything_in_one_namespace(worlds)
    await world.delete_namespace(ALL)
    await world.settle(2)
    status, reason, message = await world.condition("TeamsTenant", "main", namespace=ALL)
    assert (status, reason) == ("False", "InUse")
    assert "user-0" in message
    assert any(key[0] == SECRETS for key in world.cluster.state.objects)
    await world.settle(200)
    assert is_gone(world, ALL)
    assert {await world.state(index) for index in range(3)} == {"Quarantined"}
    assert world.number_of("user-0") is None
    assert await world.register.connections() == ()


async def test_a_held_namespace_with_its_tenant_says_so_and_detach_clears_it(
    worlds: Worlds,
) -> None:
    world = await everything_in_one_namespace(worlds, people=12)
    sent = len(world.sent())
    await world.delete_namespace(ALL)
    await world.settle(120)
    status, reason, message = await world.condition("TeamsUser", "user-0", "Stalled", namespace=ALL)
    assert (status, reason) == ("True", "ApprovalRequired")
    assert "callplane.dev/detach" in message or world.held_digest() in message
    assert await world.reason("main", kind="TeamsTenant", namespace=ALL) == "False InUse"
    assert not is_gone(world, ALL)
    # No approval can be made in a namespace that goes; the annotation can.
    for name in await world.names("TeamsUser", namespace=ALL):
        await world.annotate(
            "TeamsUser", name, {"callplane.dev/detach": "moved house"}, namespace=ALL
        )
    await world.settle(120)
    assert is_gone(world, ALL)
    assert len(world.sent()) == sent
    assert {await world.state(index) for index in range(12)} == {"Assigned"}


async def test_a_namespace_whose_secret_was_forced_away_first(worlds: Worlds) -> None:
    world = await everything_in_one_namespace(worlds)
    await world.kill()
    body = await world.user.get(SECRETS, name="graph", namespace=ALL)
    body["metadata"]["finalizers"] = []
    await world.user.replace(SECRETS, body=body)
    await world.user.delete(SECRETS, name="graph", namespace=ALL)
    await world.delete_namespace(ALL)
    await world.start()
    await world.settle(120)
    assert not is_gone(world, ALL)
    tenant = await world.reason("main", kind="TeamsTenant", namespace=ALL)
    user = await world.reason("user-0", namespace=ALL)
    assert {tenant, user} == {"False CredentialsGone"}
    _, _, message = await world.condition("TeamsUser", "user-0", namespace=ALL)
    assert "callplane.dev/detach" in message
    for name in await world.names("TeamsUser", namespace=ALL):
        await world.annotate(
            "TeamsUser", name, {"callplane.dev/detach": "secret lost"}, namespace=ALL
        )
    await world.settle(200)
    assert is_gone(world, ALL)
    assert world.sent() == ["AssignNumber"] * 3
    assert {await world.state(index) for index in range(3)} == {"Assigned"}


ORDERS = list(permutations(("TeamsTenant", "NumberRange", "TeamsUser")))


@pytest.mark.parametrize("order", ORDERS, ids=["-".join(order) for order in ORDERS])
async def test_deleted_in_any_order_ends_the_same(worlds: Worlds, order: tuple[str, ...]) -> None:
    world = await everything_in_one_namespace(worlds)
    for kind in order:
        for name in await world.names(kind, namespace=ALL):
            await world.delete(kind, name, namespace=ALL)
        await world.settle(1)
    await world.settle(300)
    for kind in order:
        assert await world.names(kind) == []
    assert {await world.state(index) for index in range(3)} == {"Quarantined"}
    assert world.number_of("user-0") is None


async def test_a_tenant_in_use_is_usable_until_it_goes(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsTenant", "main")
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "False InUse"
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert await world.state(0) == "Quarantined"
    assert not await world.exists("TeamsTenant", "main")


async def test_a_tenant_is_forced_away(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    uid = (await world.body("TeamsTenant", "main"))["metadata"]["uid"]
    await world.delete("TeamsTenant", "main")
    await world.settle(5)
    await world.annotate("TeamsTenant", "main", {"callplane.dev/force-delete": uid})
    await world.settle(60)
    assert not await world.exists("TeamsTenant", "main")
    assert world.sent() == ["AssignNumber"]
    assert await world.reason("ann") == "False DependencyNotReady"
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert await world.reason("ann") == "False CredentialsGone"
    await world.annotate("TeamsUser", "ann", {"callplane.dev/detach": "the tenant is gone"})
    await world.settle(60)
    assert not await world.exists("TeamsUser", "ann")
    assert await world.state(0) == "Assigned"


async def test_a_range_waits_for_its_claims_and_rests_block_nothing(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.delete("NumberRange", "london")
    await world.settle(30)
    status, reason, message = await world.condition("NumberRange", "london")
    assert (status, reason) == ("False", "InUse")
    assert "1 numbers" in message
    await world.delete("TeamsUser", "ann")
    await world.settle(150)
    assert not await world.exists("NumberRange", "london")
    assert await world.state(0) == "Quarantined"


async def test_a_range_renamed_with_its_people_in_one_commit(worlds: Worlds) -> None:
    """The old one goes, and numbers rest as the one that holds them now says."""
    world = await worlds.make()
    await world.declare("ann")
    await world.declare("ben", phoneNumber={"e164": number(5)})
    await world.settle()
    await world.seed_range("city", quarantine={"days": 365})
    await world.declare("ann", phoneNumber={"rangeRef": {"name": "city", "namespace": "default"}})
    await world.delete("NumberRange", "london")
    await world.settle(120)
    assert not await world.exists("NumberRange", "london")
    assert world.sent() == ["AssignNumber", "AssignNumber"]
    assert await world.all_ready()
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    row = await world.row(0)
    assert row is not None
    assert row.quarantined_until is not None
    assert (row.quarantined_until - world.clock.now()).days >= 364


async def test_a_range_that_is_still_named_stays_beside_another_one(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.seed_range("city")
    await world.delete("NumberRange", "london")
    await world.settle(120)
    assert await world.reason("london", kind="NumberRange") == "False InUse"


async def test_quarantine_outlives_its_range(worlds: Worlds) -> None:
    world = await worlds.make(tenant={"driftInterval": "1h"})
    await world.seed_range(quarantine={"days": 2})
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    await world.delete("NumberRange", "london")
    await world.settle(60)
    await world.seed_range()
    await world.declare("ben")
    await world.settle(60)
    assert world.number_of("ben") == number(1)
    await world.settle(2 * 24 * 3600)
    assert await world.state(0) == "Free"


@pytest.mark.parametrize("where", ["object", "tenant"])
async def test_observe_object_deleted(worlds: Worlds, where: str) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    if where == "object":
        await world.declare("ann", managementPolicy="Observe")
    else:
        await world.apply_tenant(managementPolicy="Observe")
    await world.settle(10)
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert not await world.exists("TeamsUser", "ann")
    assert world.sent() == ["AssignNumber"]
    row = await world.row(0)
    assert row is not None
    assert (row.state.value, row.declared_by) == ("Assigned", None)


@pytest.mark.parametrize("where", ["object", "tenant"])
async def test_suspended_object_deleted(worlds: Worlds, where: str) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    if where == "object":
        await world.declare("ann", suspend=True)
    else:
        await world.apply_tenant(suspend=True)
    await world.settle(10)
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert not await world.exists("TeamsUser", "ann")
    assert world.sent() == ["AssignNumber"]
    assert await world.state(0) == "Assigned"


async def test_an_object_that_was_only_ever_observed_has_no_finalizer(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann", managementPolicy="Observe")
    await world.settle()
    body = await world.body("TeamsUser", "ann")
    assert not body["metadata"].get("finalizers")
    assert (await world.condition("TeamsUser", "ann", "Drifted"))[0] == "True"
    assert (await world.condition("TeamsUser", "ann"))[0] == "True"
    assert (await world.condition("TeamsUser", "ann", "Synced"))[0] == "False"
    drift = (await world.status("TeamsUser", "ann"))["drift"]
    assert drift == [{"field": "phoneNumber", "observed": "", "desired": number(0)}]
    # Nothing is claimed for it.
    assert await world.state(0) == "Free"
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert not await world.exists("TeamsUser", "ann")
    assert world.sent() == []


async def test_suspended_keeps_its_ready_and_resumes(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.declare("ann", suspend=True, phoneNumber={"none": {}})
    await world.settle(60)
    assert (await world.condition("TeamsUser", "ann"))[0] == "True"
    assert (await world.condition("TeamsUser", "ann", "Suspended"))[0] == "True"
    assert world.sent() == ["AssignNumber"]
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(60)
    assert await world.condition("TeamsUser", "ann", "Suspended") == ("", "", "")
    assert world.number_of("ann") is None


async def test_on_delete_detach(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann", onDelete="Detach")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert not await world.exists("TeamsUser", "ann")
    assert world.number_of("ann") == number(0)
    assert world.sent() == ["AssignNumber"]
    await world.declare("ann")
    await world.settle()
    assert await world.reason("ann") == "Succeeded"
    assert world.sent() == ["AssignNumber"]


async def test_annotation_detach_is_audited(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.annotate("TeamsUser", "ann", {"callplane.dev/detach": "handed to the parent firm"})
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert not await world.exists("TeamsUser", "ann")
    assert world.sent() == ["AssignNumber"]
    events = await world.register.history(E164(number(0)))
    assert (str(events[-1].cause), events[-1].reason) == ("Detach", "handed to the parent firm")


async def test_a_user_who_was_never_assigned_anything_goes_at_once(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann", phoneNumber=None)
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle(2)
    assert not await world.exists("TeamsUser", "ann")
    assert world.sent() == []


async def test_a_leaver_whose_number_somebody_moved_in_the_portal(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.platform.administrator_assigns(E164(number(0)), user_id("cid"))
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert not await world.exists("TeamsUser", "ann")
    assert world.number_of("cid") == number(0)
    assert world.sent() == ["AssignNumber"]


async def test_database_down_while_a_user_leaves(worlds: Worlds) -> None:
    """An outage is no reason to let anybody go without taking the number."""
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.register.available = False
    await world.settle(60)
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert await world.exists("TeamsUser", "ann")
    assert await world.reason("ann") == "False RegisterUnavailable"
    world.register.available = True
    await world.settle(400)
    assert not await world.exists("TeamsUser", "ann")
    assert await world.state(0) == "Quarantined"
