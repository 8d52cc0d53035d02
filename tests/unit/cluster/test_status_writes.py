"""One status write per pass, none when nothing differs, and never over somebody else's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.cluster import api_errors, ports
from callplane.cluster.status_writes import (
    TRANSITION_KEYS,
    StatusOutcome,
    merge_patch_between,
    same_status,
    write_status,
)
from callplane.testing.fake_cluster import FakeCluster, Fault
from callplane.testing.object_patches import merge_patched
from callplane.testing.object_store_contract import RANGES, condition, number_range

READY = {"observedGeneration": 1, "conditions": [condition("Ready"), condition("Synced")]}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def body(cluster: FakeCluster) -> ports.Body:
    return cluster.seed(number_range("default"))[0]


async def write(
    cluster: FakeCluster, body: ports.Body, status: dict[str, Any]
) -> tuple[StatusOutcome, ports.Body]:
    result = await write_status(cluster, RANGES, body=body, status=status)
    return result.outcome, result.body


async def edit(cluster: FakeCluster, patch: dict[str, Any], subresource: str | None = None) -> None:
    await cluster.as_manager("user").merge_patch(
        RANGES, namespace="default", name="range", patch=patch, subresource=subresource
    )


async def test_a_status_is_written_once(cluster: FakeCluster, body: ports.Body) -> None:
    outcome, newest = await write(cluster, body, READY)
    assert outcome is StatusOutcome.WRITTEN
    assert newest["status"] == READY
    outcome, again = await write(cluster, newest, READY)
    assert outcome is StatusOutcome.UNCHANGED
    assert again is newest
    assert len(cluster.writes) == 1


async def test_only_the_difference_travels_under_a_lock(
    cluster: FakeCluster, body: ports.Body
) -> None:
    _, newest = await write(cluster, body, {**READY, "free": 3})
    await write(cluster, newest, READY)
    assert cluster.writes[-1].sent == {
        "metadata": {"resourceVersion": newest["metadata"]["resourceVersion"]},
        "status": {"free": None},
    }


async def test_timestamps_alone_are_not_worth_a_write(
    cluster: FakeCluster, body: ports.Body
) -> None:
    seen = {**READY, "lastObservedTime": "2026-01-01T00:00:00Z"}
    _, newest = await write(cluster, body, seen)
    later = {**seen, "lastObservedTime": "2026-01-01T00:05:00Z"}
    later["conditions"] = [
        {**entry, "lastTransitionTime": "2026-01-01T00:05:00Z"} for entry in READY["conditions"]
    ]
    assert (await write(cluster, newest, later))[0] is StatusOutcome.UNCHANGED
    due = await write_status(cluster, RANGES, body=newest, status=later, ignoring=TRANSITION_KEYS)
    assert due.outcome is StatusOutcome.WRITTEN
    assert due.body["status"]["lastObservedTime"] == "2026-01-01T00:05:00Z"


async def test_an_edited_spec_costs_one_more_read(cluster: FakeCluster, body: ports.Body) -> None:
    await edit(cluster, {"spec": {"description": "new"}})
    outcome, newest = await write(cluster, body, READY)
    assert outcome is StatusOutcome.WRITTEN
    assert newest["metadata"]["generation"] == 2
    assert newest["status"]["observedGeneration"] == 1
    assert [request.verb for request in cluster.requests] == ["merge_patch", "get", "merge_patch"]


async def test_a_late_writer_does_not_overwrite_its_successor(
    cluster: FakeCluster, body: ports.Body
) -> None:
    await edit(cluster, {"status": {"observedGeneration": 1, "by": "successor"}}, "status")
    outcome, newest = await write(cluster, body, READY)
    assert outcome is StatusOutcome.OVERTAKEN
    assert newest["status"]["by"] == "successor"
    assert len(cluster.writes) == 1


async def test_a_second_conflict_is_the_callers(cluster: FakeCluster, body: ports.Body) -> None:
    cluster.faults.append(Fault(api_errors.Conflict("moved"), verb="merge_patch", times=2))
    with pytest.raises(api_errors.Conflict):
        await write(cluster, body, READY)
    assert len(cluster.writes) == 2


async def test_a_deleted_object_is_gone(cluster: FakeCluster, body: ports.Body) -> None:
    await cluster.as_manager("user").delete(RANGES, namespace="default", name="range")
    assert (await write(cluster, body, READY))[0] is StatusOutcome.GONE
    cluster.seed(number_range("default"))
    outcome, _ = await write(cluster, body, READY)
    assert outcome is StatusOutcome.GONE
    successor = await cluster.get(RANGES, namespace="default", name="range")
    assert successor["status"] == {"observedGeneration": -1}


def test_the_order_of_conditions_says_nothing() -> None:
    backwards = {**READY, "conditions": list(reversed(READY["conditions"]))}
    assert same_status(READY, backwards)
    assert not same_status(READY, {**READY, "conditions": [condition("Ready")]})
    assert not same_status(
        READY, {**READY, "conditions": [condition("Ready", "False"), condition("Synced")]}
    )


JSON = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", max_size=1), JSON, max_size=3)


@given(before=OBJECTS, after=OBJECTS)
def test_the_patch_between_leads_from_one_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    patch = merge_patch_between(before, after)
    assert merge_patched(before, patch) == after
    assert merge_patch_between(after, after) == {}
