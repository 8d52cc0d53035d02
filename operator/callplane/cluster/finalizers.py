"""Our own finalizers, by JSON patch under a test of the resourceVersion.

A merge patch would replace the whole list and with it other parties' entries. The engine adds the
finalizer before the first write to a provider and takes it away when a read shows that nothing is
left.
"""

from __future__ import annotations

from typing import Any

from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import ResourceKind

PROVIDER_CLEANUP = "callplane.dev/provider-cleanup"
SECRET_IN_USE = "callplane.dev/in-use"
ATTEMPTS = 4


def has_finalizer(body: ports.Body, finalizer: str) -> bool:
    """Whether the object carries the finalizer."""
    return finalizer in _finalizers(body)


def addition(body: ports.Body, finalizer: str) -> list[dict[str, Any]]:
    """The patch that adds the finalizer; empty where it is there or the object is being deleted.

    The API server refuses new finalizers once a deletionTimestamp is set.
    """
    metadata = body["metadata"]
    present = _finalizers(body)
    if finalizer in present or metadata.get("deletionTimestamp"):
        return []
    change: dict[str, Any]
    if present:
        change = {"op": "add", "path": "/metadata/finalizers/-", "value": finalizer}
    else:
        change = {"op": "add", "path": "/metadata/finalizers", "value": [finalizer]}
    return [_lock(metadata), change]


def removal(body: ports.Body, finalizer: str) -> list[dict[str, Any]]:
    """The patch that removes the finalizer; empty where it is not there."""
    present = _finalizers(body)
    if finalizer not in present:
        return []
    path = f"/metadata/finalizers/{present.index(finalizer)}"
    return [_lock(body["metadata"]), {"op": "remove", "path": path}]


async def add(
    objects: ports.ObjectStore,
    kind: ResourceKind,
    *,
    body: ports.Body,
    finalizer: str = PROVIDER_CLEANUP,
) -> ports.Body | None:
    """Make sure the finalizer is there; `body` is the object as last seen.

    Returns the newest body, or None when the object is gone or another one has its name. A body
    that is being deleted comes back without the finalizer: check `has_finalizer` before writing
    anywhere.
    """
    return await _change(objects, kind, body, finalizer, add=True)


async def remove(
    objects: ports.ObjectStore,
    kind: ResourceKind,
    *,
    body: ports.Body,
    finalizer: str = PROVIDER_CLEANUP,
) -> ports.Body | None:
    """Make sure the finalizer is not there; `body` is the object as last seen.

    Returns the newest body (the last one the object ever had when this was its last finalizer), or
    None when the object is gone or another one has its name.
    """
    return await _change(objects, kind, body, finalizer, add=False)


async def _change(
    objects: ports.ObjectStore,
    kind: ResourceKind,
    body: ports.Body,
    finalizer: str,
    *,
    add: bool,
) -> ports.Body | None:
    """Patch; after a 422 or 409 read again and retry, three times at most."""
    metadata = body["metadata"]
    name, namespace, uid = metadata["name"], metadata.get("namespace"), metadata["uid"]
    current = body
    for attempt in range(1, ATTEMPTS + 1):
        operations = (addition if add else removal)(current, finalizer)
        if not operations:
            return current
        try:
            return await objects.json_patch(
                kind, name=name, namespace=namespace, operations=operations
            )
        except api_errors.NotFound:
            return None
        except (api_errors.Invalid, api_errors.Conflict):
            if attempt == ATTEMPTS:
                raise
        try:
            current = await objects.get(kind, name=name, namespace=namespace)
        except api_errors.NotFound:
            return None
        if current["metadata"]["uid"] != uid:
            return None
    raise AssertionError("the last attempt returns or raises")


def _lock(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": metadata["resourceVersion"],
    }


def _finalizers(body: ports.Body) -> list[str]:
    return list(body["metadata"].get("finalizers") or [])
