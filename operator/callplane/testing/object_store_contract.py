"""What every `ports.ObjectStore` does: the same cases for the fake cluster and for a real API
server.

A test module subclasses `ObjectStoreContract` and provides the fixtures `objects`, `other` (the
same cluster through another field manager) and `namespace` (a fresh one). The fake is only worth
something as long as it passes what the real server passes.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from callplane.cluster import api_errors, crd_serving, namespaces, ports
from callplane.cluster.resource_kinds import (
    CALLPLANE_GROUP,
    CALLPLANE_VERSION,
    LEASES,
    NAMESPACES,
    SECRETS,
    ResourceKind,
    callplane_kind,
)

RANGES = callplane_kind("numberranges")
FINALIZER = "callplane.dev/provider-cleanup"
FOREIGN_FINALIZER = "example.org/keep"
SETTLED_WITHIN_SECONDS = 20.0
LOOK_AGAIN_SECONDS = 0.1


def number_range(namespace: str, name: str = "range", **metadata: Any) -> ports.Body:
    """A valid NumberRange of ten drama numbers."""
    return {
        "apiVersion": f"{CALLPLANE_GROUP}/{CALLPLANE_VERSION}",
        "kind": "NumberRange",
        "metadata": {"namespace": namespace, "name": name, **metadata},
        "spec": {"first": "+442079460000", "last": "+442079460009", "route": "DirectRouting"},
    }


def condition(type_: str, status: str = "True") -> dict[str, Any]:
    """A complete condition."""
    return {
        "type": type_,
        "status": status,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "reason": "Succeeded",
        "message": "",
    }


class ObjectStoreContract:
    """The cases; each works in a namespace of its own."""

    # --- creating and reading ---

    async def test_creating_fills_in_what_the_server_owns(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        sent = {**number_range(namespace), "status": {"observedGeneration": 7}}
        created = await objects.create(RANGES, body=sent)
        metadata = created["metadata"]
        assert metadata["generation"] == 1
        assert metadata["uid"]
        assert metadata["resourceVersion"]
        assert metadata["creationTimestamp"].endswith("Z")
        assert created["status"] == {"observedGeneration": -1}
        assert await objects.get(RANGES, namespace=namespace, name="range") == created

    async def test_a_name_is_taken_once(self, objects: ports.ObjectStore, namespace: str) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        with pytest.raises(api_errors.AlreadyExists):
            await objects.create(RANGES, body=number_range(namespace))

    async def test_the_server_makes_a_name(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        body = number_range(namespace)
        del body["metadata"]["name"]
        body["metadata"]["generateName"] = "plan-"
        created = await objects.create(RANGES, body=body)
        assert created["metadata"]["name"].startswith("plan-")

    async def test_what_is_not_there_is_not_found(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        with pytest.raises(api_errors.NotFound):
            await objects.get(RANGES, namespace=namespace, name="none")
        with pytest.raises(api_errors.NotFound):
            await objects.delete(RANGES, namespace=namespace, name="none")
        with pytest.raises(api_errors.NotFound):
            await objects.merge_patch(
                RANGES, namespace=namespace, name="none", patch={"status": {}}, subresource="status"
            )
        with pytest.raises(api_errors.NotFound):
            await objects.create(RANGES, body=number_range("no-such-namespace"))

    async def test_a_kind_that_is_not_served_is_not_found(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        unknown = ResourceKind("callplane.dev", "v1alpha1", "nonsuches")
        with pytest.raises(api_errors.NotFound):
            await objects.get(unknown, namespace=namespace, name="any")
        with pytest.raises(api_errors.NotFound):
            await objects.list_all(unknown)
        assert await crd_serving.unserved_kinds(objects, [RANGES, unknown]) == [unknown]
        resources = await objects.api_resources(group="callplane.dev", version="v1alpha1")
        served = {resource.kind: resource for resource in resources}["NumberRange"]
        assert (served.plural, served.namespaced) == ("numberranges", True)
        assert await objects.api_resources(group="nowhere.example.org", version="v1") == []

    async def test_a_wrong_type_or_name_is_refused(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        with pytest.raises(api_errors.BadRequest):
            await objects.create(
                RANGES, body={**number_range(namespace), "apiVersion": "callplane.dev/v9"}
            )
        with pytest.raises(api_errors.Invalid):
            await objects.create(RANGES, body=number_range(namespace, "Not_A_Name"))

    async def test_a_listing_comes_in_pages_of_one_version(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        for number in range(5):
            labels = {"half": "even" if number % 2 == 0 else "odd"}
            body = number_range(namespace, f"range-{number}", labels=labels)
            await objects.create(RANGES, body=body)
        pages = [page async for page in objects.list_pages(RANGES, namespace=namespace, limit=2)]
        assert [len(page.items) for page in pages] == [2, 2, 1]
        assert len({page.resource_version for page in pages}) == 1
        assert not any(page.starts_over for page in pages)
        names = [item["metadata"]["name"] for page in pages for item in page.items]
        assert names == [f"range-{number}" for number in range(5)]
        even = await objects.list_all(RANGES, namespace=namespace, label_selector="half=even")
        assert [item["metadata"]["name"] for item in even.items] == [
            "range-0",
            "range-2",
            "range-4",
        ]
        assert all(item["kind"] == "NumberRange" for item in even.items)
        everywhere = await objects.list_all(RANGES)
        assert {namespace} <= {item["metadata"]["namespace"] for item in everywhere.items}

    async def test_an_empty_listing_is_one_empty_page(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        pages = [page async for page in objects.list_pages(RANGES, namespace=namespace)]
        assert [page.items for page in pages] == [[]]
        assert pages[0].resource_version

    # --- changing ---

    async def test_only_the_spec_moves_the_generation(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        labelled = await _patch(objects, namespace, {"metadata": {"labels": {"team": "a"}}})
        assert labelled["metadata"]["generation"] == 1
        edited = await _patch(objects, namespace, {"spec": {"description": "ours"}})
        assert edited["metadata"]["generation"] == 2
        reported = await _patch(
            objects, namespace, {"status": {"observedGeneration": 2}}, subresource="status"
        )
        assert reported["metadata"]["generation"] == 2

    async def test_spec_and_status_are_apart(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        both = {"spec": {"description": "x"}, "status": {"observedGeneration": 1}}
        reported = await _patch(objects, namespace, both, subresource="status")
        assert reported["status"]["observedGeneration"] == 1
        assert reported["spec"].get("description", "") == ""
        both["status"] = {"observedGeneration": 5}
        edited = await _patch(objects, namespace, both)
        assert edited["status"]["observedGeneration"] == 1
        assert edited["spec"]["description"] == "x"

    async def test_a_write_that_changes_nothing_makes_no_version(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        status = {"status": {"observedGeneration": 1, "conditions": [condition("Ready")]}}
        first = await _patch(objects, namespace, status, subresource="status")
        again = await _patch(objects, namespace, status, subresource="status")
        assert again == first

    async def test_null_removes_a_status_field(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        status = {"observedGeneration": 1, "conditions": [condition("Ready")]}
        await _patch(objects, namespace, {"status": status}, subresource="status")
        reported = await _patch(
            objects, namespace, {"status": {"conditions": None}}, subresource="status"
        )
        assert reported["status"] == {"observedGeneration": 1}

    async def test_an_old_version_locks_a_patch_out(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        created = await objects.create(RANGES, body=number_range(namespace))
        await _patch(objects, namespace, {"metadata": {"labels": {"team": "a"}}})
        lock = {"resourceVersion": created["metadata"]["resourceVersion"]}
        with pytest.raises(api_errors.Conflict):
            await _patch(
                objects,
                namespace,
                {"metadata": lock, "status": {"observedGeneration": 1}},
                subresource="status",
            )

    async def test_replace_needs_the_newest_version(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        created = await objects.create(RANGES, body=number_range(namespace))
        created["spec"]["description"] = "one"
        replaced = await objects.replace(RANGES, body=created)
        assert replaced["metadata"]["generation"] == 2
        created["spec"]["description"] = "two"
        with pytest.raises(api_errors.Conflict):
            await objects.replace(RANGES, body=created)
        del created["metadata"]["resourceVersion"]
        with pytest.raises(api_errors.Invalid):
            await objects.replace(RANGES, body=created)

    async def test_a_json_patch_is_all_or_nothing(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        add: dict[str, Any] = {
            "op": "add",
            "path": "/metadata/finalizers",
            "value": [FOREIGN_FINALIZER],
        }
        stale: dict[str, Any] = {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
        absent: dict[str, Any] = {"op": "remove", "path": "/metadata/annotations"}
        for operations in ([stale, add], [add, absent]):
            with pytest.raises(api_errors.Invalid):
                await objects.json_patch(
                    RANGES, namespace=namespace, name="range", operations=operations
                )
        body = await objects.get(RANGES, namespace=namespace, name="range")
        assert "finalizers" not in body["metadata"]

    # --- server-side apply ---

    async def test_apply_creates_and_takes_back_what_it_no_longer_names(
        self, objects: ports.ObjectStore, other: ports.ObjectStore, namespace: str
    ) -> None:
        body = number_range(namespace, labels={"ours": "1"})
        body["spec"]["description"] = "ours"
        created = await objects.apply(RANGES, body=body)
        assert created["spec"]["description"] == "ours"
        await other.merge_patch(
            RANGES,
            namespace=namespace,
            name="range",
            patch={"metadata": {"labels": {"foreign": "1"}}},
        )
        applied = await objects.apply(RANGES, body=number_range(namespace))
        assert applied["spec"].get("description", "") == ""
        assert applied["metadata"]["labels"] == {"foreign": "1"}

    async def test_apply_of_the_same_changes_nothing(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.apply(RANGES, body=number_range(namespace))
        # The first write after the creation stores the default of status, which counts as a change.
        first = await objects.apply(RANGES, body=number_range(namespace))
        again = await objects.apply(RANGES, body=number_range(namespace))
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    async def test_apply_of_status_merges_conditions_by_type(
        self, objects: ports.ObjectStore, other: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace))
        for store, type_ in ((other, "Checked"), (objects, "Ready"), (objects, "Synced")):
            body = number_range(namespace)
            del body["spec"]
            body["status"] = {"conditions": [condition(type_)]}
            applied = await store.apply(RANGES, body=body, subresource="status")
        types = {entry["type"] for entry in applied["status"]["conditions"]}
        assert types == {"Checked", "Synced"}
        assert applied["spec"]["route"] == "DirectRouting"

    # --- deleting ---

    async def test_a_delete_of_somebody_elses_object_is_refused(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        created = await objects.create(RANGES, body=number_range(namespace))
        with pytest.raises(api_errors.Conflict):
            await objects.delete(RANGES, namespace=namespace, name="range", uid=str(uuid.uuid4()))
        answer = await objects.delete(
            RANGES, namespace=namespace, name="range", uid=created["metadata"]["uid"]
        )
        assert answer["kind"] == "Status"
        with pytest.raises(api_errors.NotFound):
            await objects.get(RANGES, namespace=namespace, name="range")

    async def test_a_finalizer_keeps_an_object_that_can_still_be_reported_on(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        body = number_range(namespace, finalizers=[FINALIZER, FOREIGN_FINALIZER])
        await objects.create(RANGES, body=body)
        deleted = await objects.delete(RANGES, namespace=namespace, name="range")
        assert deleted["metadata"]["deletionTimestamp"]
        assert deleted["metadata"]["generation"] == 2
        reported = await _patch(
            objects, namespace, {"status": {"observedGeneration": 2}}, subresource="status"
        )
        assert reported["status"]["observedGeneration"] == 2
        with pytest.raises(api_errors.Invalid):
            await objects.json_patch(
                RANGES,
                namespace=namespace,
                name="range",
                operations=[
                    {"op": "add", "path": "/metadata/finalizers/-", "value": "example.org/late"}
                ],
            )
        remove = [{"op": "remove", "path": "/metadata/finalizers/0"}]
        left = await objects.json_patch(
            RANGES, namespace=namespace, name="range", operations=remove
        )
        assert left["metadata"]["finalizers"] == [FOREIGN_FINALIZER]
        last = await objects.json_patch(
            RANGES, namespace=namespace, name="range", operations=remove
        )
        assert last["metadata"]["name"] == "range"
        assert "finalizers" not in last["metadata"]
        with pytest.raises(api_errors.NotFound):
            await objects.get(RANGES, namespace=namespace, name="range")

    async def test_a_namespace_that_ends_takes_no_content_and_waits_for_finalizers(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        await objects.create(RANGES, body=number_range(namespace, "kept", finalizers=[FINALIZER]))
        await objects.create(RANGES, body=number_range(namespace, "free"))
        assert not await namespaces.is_terminating(objects, namespace)
        await objects.delete(NAMESPACES, name=namespace)
        assert await namespaces.is_terminating(objects, namespace)

        async def only_the_kept_one_is_left() -> bool:
            left = (await objects.list_all(RANGES, namespace=namespace)).items
            return len(left) == 1 and "deletionTimestamp" in left[0]["metadata"]

        await _eventually(only_the_kept_one_is_left)
        with pytest.raises(api_errors.Forbidden):
            await objects.create(RANGES, body=number_range(namespace, "late"))
        reported = await objects.merge_patch(
            RANGES,
            namespace=namespace,
            name="kept",
            patch={"status": {"observedGeneration": 2}},
            subresource="status",
        )
        assert reported["status"]["observedGeneration"] == 2
        await objects.json_patch(
            RANGES,
            namespace=namespace,
            name="kept",
            operations=[{"op": "remove", "path": "/metadata/finalizers"}],
        )

        async def the_namespace_is_gone() -> bool:
            return await namespaces.namespace_labels(objects, namespace) is None

        await _eventually(the_namespace_is_gone)

    # --- other kinds ---

    async def test_a_secret_is_encoded(self, objects: ports.ObjectStore, namespace: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": "graph"},
            "stringData": {"client-secret": "hush"},
        }
        created = await objects.create(SECRETS, body=body)
        assert base64.b64decode(created["data"]["client-secret"]) == b"hush"
        assert "stringData" not in created

    async def test_a_lease_is_replaced_under_its_version(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"namespace": namespace, "name": "leader"},
            "spec": {"holderIdentity": "one", "leaseDurationSeconds": 30},
        }
        created = await objects.create(LEASES, body=body)
        taken = {**created, "spec": {"holderIdentity": "two", "leaseDurationSeconds": 30}}
        await objects.replace(LEASES, body=taken)
        with pytest.raises(api_errors.Conflict):
            await objects.replace(LEASES, body=taken)

    async def test_a_namespace_has_labels_and_the_cluster_an_identity(
        self, objects: ports.ObjectStore, namespace: str
    ) -> None:
        labels = await namespaces.namespace_labels(objects, namespace)
        assert labels == {"kubernetes.io/metadata.name": namespace}
        assert await namespaces.namespace_labels(objects, "no-such-namespace") is None
        identity = await namespaces.installation_id(objects)
        assert str(uuid.UUID(identity)) == identity


async def _eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what controllers of a real cluster do in their own time."""
    for _ in range(round(SETTLED_WITHIN_SECONDS / LOOK_AGAIN_SECONDS)):
        if await condition():
            return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    raise AssertionError(f"not within {SETTLED_WITHIN_SECONDS:.0f} s")


async def _patch(
    objects: ports.ObjectStore,
    namespace: str,
    patch: ports.Body,
    *,
    subresource: str | None = None,
) -> ports.Body:
    return await objects.merge_patch(
        RANGES, namespace=namespace, name="range", patch=patch, subresource=subresource
    )
