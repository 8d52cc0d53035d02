"""What the fake adds to the contract for tests: records, faults, seeds, a watch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callplane.cluster import api_errors
from callplane.cluster.resource_kinds import NAMESPACES, ResourceKind
from callplane.testing.fake_cluster import FakeCluster, Fault
from callplane.testing.object_store_contract import RANGES, number_range

WHERE = {"namespace": "default", "name": "range"}


async def test_only_the_clients_own_requests_are_recorded() -> None:
    cluster = FakeCluster()
    cluster.seed(number_range("default"))
    user = cluster.as_manager("user")
    await user.merge_patch(RANGES, **WHERE, patch={"spec": {"description": "x"}})
    await cluster.get(RANGES, **WHERE)
    await cluster.merge_patch(RANGES, **WHERE, patch={"spec": {"description": "x"}})
    await cluster.merge_patch(RANGES, **WHERE, patch={"spec": {"description": "y"}})
    assert [request.verb for request in cluster.requests] == ["get", "merge_patch", "merge_patch"]
    assert [request.changed for request in cluster.writes] == [False, True]
    assert cluster.writes[1].sent == {"spec": {"description": "y"}}
    assert len(user.writes) == 1


async def test_a_seed_may_bring_its_status_and_a_clock_its_time() -> None:
    class Noon:
        def now(self) -> datetime:
            return datetime(2026, 6, 1, 12, tzinfo=UTC)

        def monotonic(self) -> float:
            return 0.0

    cluster = FakeCluster(clock=Noon())
    [body] = cluster.seed({**number_range("default"), "status": {"observedGeneration": 1}})
    assert body["status"] == {"observedGeneration": 1}
    assert body["metadata"]["creationTimestamp"] == "2026-06-01T12:00:00Z"


async def test_what_is_handed_out_or_in_is_nobody_elses() -> None:
    cluster = FakeCluster()
    sent = number_range("default")
    created = await cluster.create(RANGES, body=sent)
    sent["spec"]["route"] = created["spec"]["route"] = "Webex"
    stored = await cluster.get(RANGES, **WHERE)
    assert stored["spec"]["route"] == "DirectRouting"


async def test_a_fault_before_and_a_fault_after() -> None:
    cluster = FakeCluster()
    cluster.faults = [
        Fault(api_errors.Unavailable("refused"), verb="create"),
        Fault(api_errors.Unavailable("lost"), verb="create", after=True),
    ]
    for changed in (False, True):
        with pytest.raises(api_errors.Unavailable):
            await cluster.create(RANGES, body=number_range("default"))
        assert cluster.writes[-1].changed is changed
    with pytest.raises(api_errors.AlreadyExists):
        await cluster.create(RANGES, body=number_range("default"))


async def test_a_listing_can_expire_between_two_pages() -> None:
    cluster = FakeCluster()
    cluster.seed(*(number_range("default", f"range-{n}") for n in range(4)))
    cluster.pages_expire_after = 1
    pages = [page async for page in cluster.list_pages(RANGES, limit=2)]
    assert [(len(page.items), page.starts_over) for page in pages] == [
        (2, False),
        (2, True),
        (2, False),
    ]
    cluster.pages_expire_after = 1
    assert len((await cluster.list_all(RANGES, limit=2)).items) == 4


async def test_a_watcher_sees_every_change_once() -> None:
    cluster = FakeCluster()
    seen: list[tuple[str, ResourceKind, str]] = []
    cluster.subscribe(
        lambda event, kind, body: seen.append((event, kind, body["metadata"]["resourceVersion"]))
    )
    created = await cluster.create(RANGES, body=number_range("default", finalizers=["a.b/c"]))
    await cluster.merge_patch(RANGES, **WHERE, patch={"spec": created["spec"]})
    await cluster.delete(RANGES, **WHERE)
    await cluster.merge_patch(RANGES, **WHERE, patch={"metadata": {"finalizers": None}})
    assert [(event, kind) for event, kind, _ in seen] == [
        ("ADDED", RANGES),
        ("MODIFIED", RANGES),
        ("DELETED", RANGES),
    ]
    versions = [int(version) for _, _, version in seen]
    assert versions == sorted(set(versions))


async def test_selectors_the_fake_does_not_know_are_refused_and_not_ignored() -> None:
    with pytest.raises(api_errors.BadRequest, match="equality selectors only"):
        await FakeCluster().list_all(NAMESPACES, label_selector="team in (a,b)")
