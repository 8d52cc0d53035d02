"""The state of a Kubernetes API server in memory, with the rules an operator depends on.

`fake_cluster.FakeCluster` puts the asynchronous client's surface on it. Kept on purpose: one
counter of resourceVersions, generation that moves with the spec only, status apart from the rest,
no-op writes that change nothing, deletion that waits for finalizers, namespaces that refuse new
content while they end. Left out: schemas, defaults (but for status), CEL, RBAC and managedFields;
tests of those need a real server.
"""

from __future__ import annotations

import base64
import copy
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from callplane.apis import registry
from callplane.clock import Clock
from callplane.cluster import api_errors
from callplane.cluster.resource_kinds import (
    CALLPLANE_GROUP,
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    LEASES,
    NAMESPACES,
    SECRETS,
    ResourceKind,
    callplane_kind,
)
from callplane.testing import object_patches

Body = dict[str, Any]
Key = tuple[ResourceKind, str | None, str]
Listener = Callable[[str, ResourceKind, Body], None]

CALLPLANE_KINDS = {kind.name: callplane_kind(kind.plural) for kind in registry.KINDS}
BUILT_IN_KINDS = {
    "CustomResourceDefinition": CUSTOM_RESOURCE_DEFINITIONS,
    "Event": EVENTS,
    "Lease": LEASES,
    "Namespace": NAMESPACES,
    "Secret": SECRETS,
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_FIRST_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class ClusterState:
    """Objects by kind, namespace and name."""

    def __init__(self, *, clock: Clock | None = None, uid_seed: str = "callplane") -> None:
        """`uid_seed`: two clusters that must not share UIDs are given different ones."""
        self.kinds: dict[str, ResourceKind] = {**BUILT_IN_KINDS, **CALLPLANE_KINDS}
        self.objects: dict[Key, Body] = {}
        self.listeners: list[Listener] = []
        self._applied: dict[tuple[Key, str, str | None], Body] = {}
        self._revision = 0
        self._created = 0
        self._clock = clock
        self._uid_seed = uid_seed
        for name in ("default", "kube-system"):
            self.create(NAMESPACES, _namespace_body(name))

    # --- reads ---

    @property
    def revision(self) -> str:
        """The resourceVersion of the newest write."""
        return str(self._revision)

    def get(self, kind: ResourceKind, *, name: str, namespace: str | None) -> Body:
        """A copy of one object, or NotFound."""
        self._check_served(kind)
        return copy.deepcopy(self._stored((kind, namespace, name)))

    def list_objects(self, kind: ResourceKind, *, namespace: str | None) -> list[Body]:
        """Copies of all objects of a kind, ordered by namespace and name."""
        self._check_served(kind)
        found = [key for key in self.objects if key[0] == kind and namespace in (None, key[1])]
        found.sort(key=lambda key: (key[1] or "", key[2]))
        return [copy.deepcopy(self.objects[key]) for key in found]

    # --- writes ---

    def create(self, kind: ResourceKind, body: Body) -> Body:
        """Store a new object the way POST does."""
        self._check_served(kind)
        new = copy.deepcopy(body)
        metadata = new.setdefault("metadata", {})
        if metadata.get("generateName") and not metadata.get("name"):
            metadata["name"] = f"{metadata['generateName']}{self._created + 1:05x}"
        key = self._key_of(kind, new)
        self._check_namespace_takes_content(key)
        if key in self.objects:
            raise api_errors.AlreadyExists(
                f'{kind} "{key[2]}" already exists', status=409, reason="AlreadyExists"
            )
        if metadata.get("resourceVersion"):
            raise api_errors.BadRequest(
                "resourceVersion should not be set on objects to be created", status=400
            )
        self._created += 1
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
            metadata.pop(field, None)
        metadata["uid"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._uid_seed}-{self._created}"))
        metadata["creationTimestamp"] = self._now_text()
        if _has_status_subresource(kind):
            metadata["generation"] = 1
            new["status"] = {"observedGeneration": -1}
        return self._store(key, _canonical(kind, new), event="ADDED")

    def replace(self, kind: ResourceKind, *, body: Body, subresource: str | None) -> Body:
        """PUT: some kinds take no update that does not say what it replaces."""
        locked = body["metadata"].get("resourceVersion")
        if not locked and (_has_status_subresource(kind) or kind == LEASES):
            raise api_errors.Invalid(
                "metadata.resourceVersion: Invalid value: must be specified for an update",
                status=422,
                reason="Invalid",
            )
        return self.update(kind, body=copy.deepcopy(body), subresource=subresource)

    def update(
        self, kind: ResourceKind, *, body: Body, subresource: str | None, lock: str | None = None
    ) -> Body:
        """Store the next state of an object.

        `lock` is the resourceVersion it must still have, instead of the one in the body.
        """
        key = self._key_of(kind, body)
        current = self._stored(key)
        metadata = body["metadata"]
        expected = lock or metadata.get("resourceVersion")
        if expected is not None and expected != current["metadata"]["resourceVersion"]:
            raise api_errors.Conflict(
                f'Operation cannot be fulfilled on {kind} "{key[2]}": the object has been modified',
                status=409,
                reason="Conflict",
            )
        if metadata.get("uid") not in (None, current["metadata"]["uid"]):
            raise api_errors.Conflict("Precondition failed: UID", status=409, reason="Conflict")
        new = self._next_state(kind, current, body, subresource)
        if new == current:
            return copy.deepcopy(current)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self._remove(key, last=new)
        return self._store(key, new, event="MODIFIED")

    def json_patch(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None,
        operations: list[dict[str, Any]],
        subresource: str | None,
    ) -> Body:
        """RFC 6902 operations on the current state."""
        current = self.get(kind, name=name, namespace=namespace)
        try:
            new = object_patches.json_patched(current, operations)
        except object_patches.PatchFailed as error:
            raise api_errors.Invalid(str(error), status=422, reason="Invalid") from error
        return self.update(kind, body=new, subresource=subresource)

    def merge_patch(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None,
        patch: Body,
        subresource: str | None,
    ) -> Body:
        """An RFC 7386 merge patch on the current state."""
        current = self.get(kind, name=name, namespace=namespace)
        new = object_patches.merge_patched(current, patch)
        return self.update(kind, body=new, subresource=subresource)

    def apply(
        self, kind: ResourceKind, *, body: Body, manager: str, subresource: str | None
    ) -> Body:
        """Server-side apply with force, without conflicts between managers."""
        key = self._key_of(kind, body)
        memory = (key, manager, subresource)
        wanted = {part: body[part] for part in body if part not in {"apiVersion", "kind"}}
        identity = {"name", "namespace", "resourceVersion", "uid"}
        metadata = {k: v for k, v in body["metadata"].items() if k not in identity}
        wanted["metadata"] = metadata
        if key not in self.objects and subresource is None:
            result = self.create(kind, body)
        else:
            current = self.get(kind, name=key[2], namespace=key[1])
            before = self._applied.get(memory, {})
            new = object_patches.applied(current, wanted=wanted, before=before)
            lock = body["metadata"].get("resourceVersion")
            result = self.update(kind, body=new, subresource=subresource, lock=lock)
        self._applied[memory] = copy.deepcopy(wanted)
        return result

    def delete(
        self, kind: ResourceKind, *, name: str, namespace: str | None, uid: str | None
    ) -> Body:
        """Delete, or mark for deletion while finalizers are left."""
        self._check_served(kind)
        key = (kind, namespace, name)
        current = self._stored(key)
        metadata = current["metadata"]
        if uid is not None and uid != metadata["uid"]:
            raise api_errors.Conflict(
                f"Precondition failed: UID in precondition: {uid}, "
                f"UID in object meta: {metadata['uid']}",
                status=409,
                reason="Conflict",
            )
        if metadata.get("deletionTimestamp"):
            return copy.deepcopy(current)
        if kind == NAMESPACES:
            return self._end_namespace(key)
        if not metadata.get("finalizers"):
            self._remove(key, last=current)
            return {"apiVersion": "v1", "kind": "Status", "status": "Success"}
        return self._mark_deleted(key)

    # --- inside ---

    def _next_state(
        self, kind: ResourceKind, current: Body, body: Body, subresource: str | None
    ) -> Body:
        if subresource == "status":
            new = copy.deepcopy(current)
            if "status" in body:
                new["status"] = copy.deepcopy(body["status"])
            else:
                new.pop("status", None)
            return new
        if subresource is not None:
            raise api_errors.NotFound(f"no subresource {subresource} of {kind}", status=404)
        new = _canonical(kind, copy.deepcopy(body))
        old_metadata, metadata = current["metadata"], new["metadata"]
        for field in _SERVER_FIELDS:
            metadata.pop(field, None)
            if field in old_metadata:
                metadata[field] = old_metadata[field]
        _check_no_new_finalizers(old_metadata, metadata)
        if _has_status_subresource(kind):
            new.pop("status", None)
            if "status" in current:
                new["status"] = copy.deepcopy(current["status"])
            if _without(new, "metadata", "status") != _without(current, "metadata", "status"):
                metadata["generation"] = old_metadata["generation"] + 1
        return new

    def _mark_deleted(self, key: Key) -> Body:
        new = copy.deepcopy(self.objects[key])
        new["metadata"]["deletionTimestamp"] = self._now_text()
        new["metadata"]["deletionGracePeriodSeconds"] = 0
        if "generation" in new["metadata"]:
            new["metadata"]["generation"] += 1
        return self._store(key, new, event="MODIFIED")

    def _end_namespace(self, key: Key) -> Body:
        """What the namespace controller does: delete what is inside, then the namespace."""
        new = copy.deepcopy(self.objects[key])
        new["metadata"]["deletionTimestamp"] = self._now_text()
        new["status"] = {"phase": "Terminating"}
        result = self._store(key, new, event="MODIFIED")
        for inner in [inner for inner in self.objects if inner[1] == key[2]]:
            if inner in self.objects:
                self.delete(inner[0], name=inner[2], namespace=inner[1], uid=None)
        self._finish_namespace(key[2])
        return result

    def _finish_namespace(self, name: str) -> None:
        key = (NAMESPACES, None, name)
        namespace = self.objects.get(key)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return
        if not any(inner[1] == name for inner in self.objects):
            self._remove(key, last=namespace)

    def _store(self, key: Key, body: Body, *, event: str) -> Body:
        self._revision += 1
        body["metadata"]["resourceVersion"] = str(self._revision)
        self.objects[key] = body
        self._tell(event, key[0], body)
        return copy.deepcopy(body)

    def _remove(self, key: Key, *, last: Body) -> Body:
        self._revision += 1
        gone = copy.deepcopy(last)
        gone["metadata"]["resourceVersion"] = str(self._revision)
        del self.objects[key]
        for memory in [memory for memory in self._applied if memory[0] == key]:
            del self._applied[memory]
        self._tell("DELETED", key[0], gone)
        if key[1] is not None:
            self._finish_namespace(key[1])
        return gone

    def _tell(self, event: str, kind: ResourceKind, body: Body) -> None:
        for listener in list(self.listeners):
            listener(event, kind, copy.deepcopy(body))

    def _stored(self, key: Key) -> Body:
        try:
            return self.objects[key]
        except KeyError:
            raise api_errors.NotFound(
                f'{key[0]} "{key[2]}" not found', status=404, reason="NotFound"
            ) from None

    def _key_of(self, kind: ResourceKind, body: Body) -> Key:
        if body.get("apiVersion") != kind.api_version or not body.get("kind"):
            raise api_errors.BadRequest(
                f"apiVersion and kind of the body do not fit {kind}",
                status=400,
                reason="BadRequest",
            )
        name = body.get("metadata", {}).get("name") or ""
        if len(name) > 253 or not _NAME.fullmatch(name):
            raise api_errors.Invalid(
                f'{kind} "{name}" is invalid: metadata.name: Invalid value',
                status=422,
                reason="Invalid",
            )
        namespace = body["metadata"].get("namespace")
        if kind.namespaced != (namespace is not None):
            raise api_errors.BadRequest(f"namespace {namespace!r} does not fit {kind}", status=400)
        return (kind, namespace, name)

    def _check_served(self, kind: ResourceKind) -> None:
        if kind not in self.kinds.values():
            raise api_errors.NotFound(f"{kind} is not served", status=404, reason="NotFound")

    def _check_namespace_takes_content(self, key: Key) -> None:
        if key[1] is None:
            return
        namespace = self._stored((NAMESPACES, None, key[1]))
        if namespace["metadata"].get("deletionTimestamp"):
            raise api_errors.Forbidden(
                f"unable to create new content in namespace {key[1]} because it is being "
                "terminated",
                status=403,
                reason="Forbidden",
            )

    def _now_text(self) -> str:
        if self._clock is not None:
            moment = self._clock.now()
        else:
            moment = _FIRST_MOMENT + timedelta(seconds=self._revision)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_SERVER_FIELDS = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "resourceVersion",
    "uid",
)


def _canonical(kind: ResourceKind, body: Body) -> Body:
    """The body as the server stores it: no empty metadata lists, a Secret's text encoded."""
    for field in ("finalizers", "labels", "annotations", "ownerReferences"):
        if not body["metadata"].get(field):
            body["metadata"].pop(field, None)
    if kind == NAMESPACES:
        name = body["metadata"]["name"]
        body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        body.setdefault("spec", {"finalizers": ["kubernetes"]})
        body.setdefault("status", {"phase": "Active"})
    if kind == SECRETS:
        for name, text in body.pop("stringData", {}).items():
            body.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()
        body.setdefault("type", "Opaque")
    return body


def _check_no_new_finalizers(old: Body, new: Body) -> None:
    added = set(new.get("finalizers", [])) - set(old.get("finalizers", []))
    if added and old.get("deletionTimestamp"):
        raise api_errors.Invalid(
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            f"deleted, found new finalizers {sorted(added)}",
            status=422,
            reason="Invalid",
        )


def _has_status_subresource(kind: ResourceKind) -> bool:
    return kind.group == CALLPLANE_GROUP


def _namespace_body(name: str) -> Body:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _without(body: Body, *fields: str) -> Body:
    return {key: value for key, value in body.items() if key not in fields}
