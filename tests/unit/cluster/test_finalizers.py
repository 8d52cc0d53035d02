"""Adding and removing one finalizer without touching anybody else's."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.cluster import api_errors, finalizers
from callplane.testing.fake_cluster import FakeCluster, Fault
from callplane.testing.object_store_contract import RANGES, number_range

OURS = finalizers.PROVIDER_CLEANUP
FOREIGN = "example.org/keep"


def body_with(*names: str, deleting: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"resourceVersion": "7", "uid": "u", "name": "range"}
    if names:
        metadata["finalizers"] = list(names)
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata}


LOCK = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}


def test_the_first_finalizer_makes_the_list() -> None:
    assert finalizers.addition(body_with(), OURS) == [
        LOCK,
        {"op": "add", "path": "/metadata/finalizers", "value": [OURS]},
    ]


def test_a_further_finalizer_goes_to_the_end() -> None:
    assert finalizers.addition(body_with(FOREIGN), OURS) == [
        LOCK,
        {"op": "add", "path": "/metadata/finalizers/-", "value": OURS},
    ]


@pytest.mark.parametrize(
    "body", [body_with(OURS), body_with(deleting=True), body_with(FOREIGN, deleting=True)]
)
def test_nothing_is_added_twice_or_to_what_is_being_deleted(body: dict[str, Any]) -> None:
    assert finalizers.addition(body, OURS) == []


def test_removal_names_our_own_place() -> None:
    assert finalizers.removal(body_with(FOREIGN, OURS, "example.org/other"), OURS) == [
        LOCK,
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    assert finalizers.removal(body_with(FOREIGN), OURS) == []


async def test_adding_to_an_object_that_moved_on_reads_again() -> None:
    cluster = FakeCluster()
    [stale] = cluster.seed(number_range("default"))
    await cluster.as_manager("user").merge_patch(
        RANGES,
        namespace="default",
        name="range",
        patch={"metadata": {"finalizers": [FOREIGN]}},
    )
    newest = await finalizers.add(cluster, RANGES, body=stale)
    assert newest is not None
    assert newest["metadata"]["finalizers"] == [FOREIGN, OURS]
    assert [request.verb for request in cluster.requests] == ["json_patch", "get", "json_patch"]


async def test_adding_again_writes_nothing() -> None:
    cluster = FakeCluster()
    [body] = cluster.seed(number_range("default", finalizers=[OURS]))
    assert await finalizers.add(cluster, RANGES, body=body) == body
    assert cluster.requests == []


async def test_an_object_that_began_to_end_comes_back_without_it() -> None:
    cluster = FakeCluster()
    [stale] = cluster.seed(number_range("default", finalizers=[FOREIGN]))
    await cluster.as_manager("user").delete(RANGES, namespace="default", name="range")
    newest = await finalizers.add(cluster, RANGES, body=stale)
    assert newest is not None
    assert not finalizers.has_finalizer(newest, OURS)
    assert newest["metadata"]["deletionTimestamp"]


async def test_removing_the_last_one_lets_the_object_go() -> None:
    cluster = FakeCluster()
    cluster.seed(number_range("default", finalizers=[OURS]))
    deleting = await cluster.as_manager("user").delete(RANGES, namespace="default", name="range")
    last = await finalizers.remove(cluster, RANGES, body=deleting)
    assert last is not None
    assert not finalizers.has_finalizer(last, OURS)
    with pytest.raises(api_errors.NotFound):
        await cluster.get(RANGES, namespace="default", name="range")
    assert await finalizers.remove(cluster, RANGES, body=deleting) is None


async def test_another_object_of_the_same_name_is_left_alone() -> None:
    cluster = FakeCluster()
    [old] = cluster.seed(number_range("default"))
    user = cluster.as_manager("user")
    await user.delete(RANGES, namespace="default", name="range")
    cluster.seed(number_range("default"))
    assert await finalizers.add(cluster, RANGES, body=old) is None
    newest = await user.get(RANGES, namespace="default", name="range")
    assert not finalizers.has_finalizer(newest, OURS)


async def test_an_object_nobody_lets_us_patch_is_given_up_after_four_attempts() -> None:
    cluster = FakeCluster()
    [body] = cluster.seed(number_range("default"))
    cluster.faults.append(Fault(api_errors.Invalid("no"), verb="json_patch", times=10))
    with pytest.raises(api_errors.Invalid):
        await finalizers.add(cluster, RANGES, body=body)
    assert len(cluster.writes) == 4


async def test_a_refusal_is_not_repeated() -> None:
    cluster = FakeCluster()
    [body] = cluster.seed(number_range("default"))
    cluster.faults.append(Fault(api_errors.Forbidden("no"), verb="json_patch", times=10))
    with pytest.raises(api_errors.Forbidden):
        await finalizers.add(cluster, RANGES, body=body)
    assert len(cluster.writes) == 1
