"""The Secret of a connection: missing, wrong, expired, changed, gone."""

from __future__ import annotations

import pytest

from callplane.cluster.resource_kinds import SECRETS
from callplane.testing.engine_world import Worlds, number

pytestmark = pytest.mark.looptime


async def test_secret_missing(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    await world.user.delete(SECRETS, name="graph", namespace="default")
    await world.start()
    await world.declare("ann")
    await world.settle()
    status, reason, message = await world.condition("TeamsTenant", "main")
    assert (status, reason) == ("False", "SecretNotFound")
    assert "default/graph" in message
    assert await world.reason("ann") == "False DependencyNotReady"
    reads = len(world.cluster.requests)
    await world.settle(600)
    assert len(world.cluster.requests) - reads < 60
    world.seed_secret()
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    assert world.number_of("ann") == number(0)


async def test_secret_without_the_key(worlds: Worlds) -> None:
    world = await worlds.make(start=False, tenant={})
    await world.user.merge_patch(
        SECRETS, name="graph", namespace="default", patch={"data": {"secret": None}}
    )
    await world.start()
    await world.settle()
    status, reason, message = await world.condition("TeamsTenant", "main")
    assert (status, reason) == ("False", "SecretNotFound")
    assert "secret" in message


async def test_secret_wrong_opens_the_breaker_and_nothing_storms(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    world.accepted_secret = b"another"
    await world.start()
    for name in ("ann", "ben", "cid"):
        await world.declare(name)
    await world.settle(10)
    assert await world.reason("main", kind="TeamsTenant") == "False AuthenticationFailed"
    assert await world.reason("ann") == "False DependencyNotReady"
    tried = world.refused_sign_ins
    status_writes = len(world.cluster.writes)
    await world.settle(600)
    assert world.refused_sign_ins - tried <= 3
    assert len(world.cluster.writes) == status_writes
    await world.change_secret(b"another")
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    assert await world.all_ready()


async def test_secret_expired_while_everything_was_well(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    world.accepted_secret = b"new"
    await world.settle(120)
    assert await world.reason("main", kind="TeamsTenant") == "False AuthenticationFailed"
    tried = world.refused_sign_ins
    await world.declare("ben")
    await world.settle(600)
    assert await world.reason("ben") == "False DependencyNotReady"
    assert world.refused_sign_ins - tried <= 4
    assert world.sent() == ["AssignNumber"]
    await world.change_secret(b"new")
    await world.settle(60)
    assert await world.all_ready()
    assert world.number_of("ben") is not None


async def test_an_application_that_is_mended_at_the_provider_is_found_without_an_edit(
    worlds: Worlds,
) -> None:
    world = await worlds.make()
    await world.settle()
    secret, world.accepted_secret = world.accepted_secret, b"withdrawn"
    await world.settle(120)
    assert await world.reason("main", kind="TeamsTenant") == "False AuthenticationFailed"
    world.accepted_secret = secret
    await world.settle(400)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"


async def test_a_secret_in_use_stays_until_its_connection_goes(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    await world.user.delete(SECRETS, name="graph", namespace="default")
    await world.settle(120)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert await world.state(0) == "Quarantined"
    await world.delete("TeamsTenant", "main")
    await world.settle(60)
    assert not await world.exists("TeamsTenant", "main")
    assert not any(key[0] == SECRETS for key in world.cluster.state.objects)


async def test_a_secret_that_is_not_named_any_more_is_let_go(worlds: Worlds) -> None:
    """Its namespace would hang at its end, and nothing would say why."""
    world = await worlds.make()
    await world.settle()
    body = await world.user.get(SECRETS, name="graph", namespace="default")
    assert body["metadata"]["finalizers"]
    world.cluster.seed({**body, "metadata": {"name": "newer", "namespace": "default"}})
    await world.apply_tenant(
        credentials={
            "clientSecret": {
                "clientId": "c11e0000-0000-4000-8000-000000000001",
                "secretRef": {"name": "newer", "key": "secret"},
            }
        }
    )
    await world.settle(60)
    assert await world.reason("main", kind="TeamsTenant") == "Succeeded"
    old = await world.user.get(SECRETS, name="graph", namespace="default")
    new = await world.user.get(SECRETS, name="newer", namespace="default")
    assert not old["metadata"].get("finalizers")
    assert new["metadata"]["finalizers"]


async def test_a_secret_of_two_connections_stays_for_the_other(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.apply_tenant(name="second", tenantId="7e5a1d00-0000-4000-8000-000000000099")
    await world.settle(60)
    assert await world.exists("TeamsTenant", "second")
    assert len(world.running.connections) == 2
    await world.delete("TeamsTenant", "second")
    await world.settle(1)
    assert not await world.exists("TeamsTenant", "second")
    body = await world.user.get(SECRETS, name="graph", namespace="default")
    assert body["metadata"]["finalizers"]
