"""Which kinds are not served."""

from __future__ import annotations

from callplane.cluster import crd_serving, ports
from callplane.cluster.resource_kinds import callplane_kind
from callplane.testing.cluster_state import CALLPLANE_KINDS
from callplane.testing.fake_cluster import FakeCluster

USERS = callplane_kind("teamsusers")
RANGES = callplane_kind("numberranges")


async def test_all_kinds_are_served_once_their_definitions_are_there() -> None:
    assert await crd_serving.unserved_kinds(FakeCluster(), CALLPLANE_KINDS.values()) == []


async def test_a_missing_definition_is_named() -> None:
    cluster = FakeCluster()
    del cluster.state.kinds["TeamsUser"]
    assert await crd_serving.unserved_kinds(cluster, [USERS, RANGES]) == [USERS]


async def test_an_empty_cluster_serves_none() -> None:
    cluster = FakeCluster()
    for name in CALLPLANE_KINDS:
        del cluster.state.kinds[name]
    assert await crd_serving.unserved_kinds(cluster, [USERS, RANGES]) == [RANGES, USERS]


class WithoutStatus(FakeCluster):
    """Serves the kinds of somebody's own, simpler definitions."""

    async def api_resources(self, *, group: str, version: str) -> list[ports.ApiResource]:
        found = await super().api_resources(group=group, version=version)
        return [
            ports.ApiResource(resource.plural, resource.kind, resource.namespaced)
            for resource in found
        ]


async def test_a_kind_without_its_status_is_not_ours() -> None:
    assert await crd_serving.unserved_kinds(WithoutStatus(), [USERS]) == [USERS]
