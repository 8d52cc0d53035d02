"""The cache keeps what passes read, shares what it can, and tells news from echoes."""

from __future__ import annotations

from typing import Any

from callplane.engine.object_cache import Arrival, ObjectCache
from callplane.values import ObjectKey

ANN = ObjectKey("TeamsUser", "sales", "ann")
TENANT = ObjectKey("TeamsTenant", "platform", "main")


def user(
    version: int, *, generation: int = 1, name: str = "ann", **metadata: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "TeamsUser",
        "metadata": {
            "name": "ann",
            "namespace": "sales",
            "uid": "u1",
            "resourceVersion": str(version),
            "generation": generation,
            "managedFields": [{"manager": "kubectl"}],
            **metadata,
        },
        "spec": {
            "tenantRef": {"name": "main", "namespace": "platform"},
            "userPrincipalName": f"{name}@example.com",
        },
        "status": {"observedGeneration": -1, "userId": "not even an id"},
    }


def test_what_nobody_reads_is_not_kept() -> None:
    cache = ObjectCache()
    cache.put(ANN, user(1))
    cached = cache.get(ANN)
    assert cached is not None
    assert "managedFields" not in cached.body["metadata"]
    assert cached.status["userId"] == "not even an id"


def test_an_echo_of_our_own_status_keeps_the_spec_that_was_read() -> None:
    cache = ObjectCache()
    assert cache.put(ANN, user(1)) == (Arrival.FIRST, True)
    first = cache.get(ANN)
    assert cache.put(ANN, {**user(2), "status": {"observedGeneration": 1}}) == (Arrival.ECHO, False)
    second = cache.get(ANN)
    assert first is not None
    assert second is not None
    assert second.resource is first.resource
    assert second.status == {"observedGeneration": 1}


def test_a_new_generation_is_read_anew_and_found_by_its_new_name() -> None:
    cache = ObjectCache()
    cache.put(ANN, user(1))
    assert cache.put(ANN, user(2, generation=2, name="anna")) == (Arrival.USER, True)
    assert cache.declaring(TENANT, "ann@example.com") == []
    assert [found.key for found in cache.declaring(TENANT, "anna@example.com")] == [ANN]


def test_a_deletion_is_news_even_within_a_generation() -> None:
    cache = ObjectCache()
    cache.put(ANN, user(1))
    deleted = user(2, deletionTimestamp="2026-11-23T19:00:00Z")
    assert cache.put(ANN, deleted) == (Arrival.USER, True)
    cached = cache.get(ANN)
    assert cached is not None
    assert cached.resource is not None
    assert cached.resource.is_being_deleted


def test_a_request_by_annotation_is_news_within_a_generation() -> None:
    cache = ObjectCache()
    cache.put(ANN, user(1))
    asked = user(2, annotations={"callplane.dev/reconcile-requested-at": "now"})
    assert cache.put(ANN, asked) == (Arrival.USER, False)


def test_readiness_of_a_connection_is_news_to_its_dependents_within_a_generation() -> None:
    cache = ObjectCache()
    tenant = {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "TeamsTenant",
        "metadata": {
            "name": "main",
            "namespace": "platform",
            "uid": "t1",
            "resourceVersion": "1",
            "generation": 1,
        },
        "spec": {
            "tenantId": "7e5a1d00-0000-4000-8000-000000000001",
            "credentials": {
                "workloadIdentity": {"clientId": "c11e0000-0000-4000-8000-000000000001"}
            },
        },
    }
    cache.put(TENANT, tenant)
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    later = {**tenant, "metadata": {**tenant["metadata"], "resourceVersion": "2"}, "status": ready}
    assert cache.put(TENANT, later) == (Arrival.ECHO, True)
