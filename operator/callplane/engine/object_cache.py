"""The latest body of every object we watch, read once, with the indexes that decide who must look
again.

Level-triggered: an event only replaces what is known. Each kind declares the projection that its
dependents read; only a change of that projection wakes them. Targets that do not exist are indexed
too, so an object that appears later wakes those who waited for it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from callplane.apis.constraints import FieldError
from callplane.apis.model import Resource
from callplane.apis.parsing import parse_lenient
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.desired import references
from callplane.desired.declarations import (
    PLATFORM_KINDS,
    connection_key,
    is_person,
    person_key,
)
from callplane.numbering import number_index
from callplane.numbering.number_index import NumberIndex
from callplane.values import E164, ObjectKey

RECONCILE_REQUEST = "callplane.dev/reconcile-requested-at"
DETACH = "callplane.dev/detach"
FORCE_DELETE = "callplane.dev/force-delete"
REGISTER_CONFIRMED = "callplane.dev/register-confirmed"
CONNECTION_KINDS = (*PLATFORM_KINDS, "Carrier")
# Kinds whose dependents also look at whether they are ready.
_SHOWN_READY = frozenset({*CONNECTION_KINDS, "EmergencyLocation", "PhoneNumber"})


class Arrival(Enum):
    """What an event meant: something a user did, a first sight, or our own write coming back."""

    USER = "user"
    FIRST = "first"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class CachedObject:
    """One object: `resource` is None when its spec cannot be read, and `errors` say why."""

    key: ObjectKey
    body: dict[str, Any]
    resource: Resource | None
    errors: tuple[FieldError, ...]

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.body["metadata"]
        return metadata

    @property
    def uid(self) -> str:
        return str(self.metadata["uid"])

    @property
    def generation(self) -> int:
        return int(self.metadata.get("generation", 0))

    @property
    def annotations(self) -> dict[str, str]:
        return self.metadata.get("annotations") or {}

    @property
    def is_deleting(self) -> bool:
        return self.metadata.get("deletionTimestamp") is not None

    @property
    def created(self) -> str:
        return str(self.metadata.get("creationTimestamp") or "")

    @property
    def status(self) -> dict[str, Any]:
        return self.body.get("status") or {}

    @property
    def ready(self) -> str:
        for condition in self.status.get("conditions") or ():
            if condition.get("type") == "Ready":
                return str(condition.get("status"))
        return "Unknown"


class ObjectCache:
    """Bodies by key, dependents by target, people by declared name."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, CachedObject] = {}
        self._by_kind: dict[str, dict[ObjectKey, CachedObject]] = {}
        self._by_uid: dict[str, ObjectKey] = {}
        self._targets: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        # In order of arrival, so that who is woken first does not change from run to run.
        self._dependents: dict[ObjectKey, dict[ObjectKey, None]] = {}
        self._declared: dict[tuple[ObjectKey, str], set[ObjectKey]] = {}
        self._stating: dict[str, dict[ObjectKey, None]] = {}
        self._projections: dict[ObjectKey, bytes] = {}
        self._numbers: tuple[NumberIndex, list[ObjectKey]] | None = None

    def put(self, key: ObjectKey, body: dict[str, Any]) -> tuple[Arrival, bool]:
        """Take a body. Returns what the event meant and whether dependents must look again.

        A body older than the one known changes nothing: our own writes go in as soon as they are
        answered.
        """
        if self.has_seen(key, body):
            return Arrival.ECHO, False
        before = self._objects.get(key)
        body = _lean(body)
        if before is not None and _same_spec(before, body):
            cached = CachedObject(key, body, before.resource, before.errors)
            self._keep(cached)
            woken = key.kind in _SHOWN_READY and self._project(cached)
        else:
            parsed = parse_lenient(_without_status(body), kind=key.kind)
            cached = CachedObject(key, body, parsed.resource, parsed.errors)
            self._index(cached, before)
            woken = self._project(cached)
        if before is None or before.uid != cached.uid:
            return Arrival.FIRST, woken
        return (Arrival.USER if _moved(before, cached) else Arrival.ECHO), woken

    def has_seen(self, key: ObjectKey, body: dict[str, Any]) -> bool:
        """Is this body, or a newer one of the same object, known already?"""
        known = self._objects.get(key)
        return (
            known is not None
            and _version(body) <= _version(known.body)
            and known.uid == body["metadata"].get("uid")
        )

    def _project(self, cached: CachedObject) -> bool:
        """Has what dependents read of the object changed?"""
        projection = _projection(cached)
        changed = self._projections.get(cached.key) != projection
        self._projections[cached.key] = projection
        return changed

    def _keep(self, cached: CachedObject) -> None:
        self._objects[cached.key] = cached
        self._by_kind.setdefault(cached.key.kind, {})[cached.key] = cached

    def place(self, cached: CachedObject) -> None:
        """Take an object that has been read already, and wake nobody: for a plan, which has them
        all before it begins.
        """
        self._index(cached, self._objects.get(cached.key))

    def remove(self, key: ObjectKey) -> bool:
        """The object is gone; returns whether it was known."""
        before = self._objects.pop(key, None)
        self._by_kind.get(key.kind, {}).pop(key, None)
        self._projections.pop(key, None)
        if before is None:
            return False
        self._by_uid.pop(before.uid, None)
        self._forget_numbers(key)
        self._unindex(before)
        return True

    def get(self, key: ObjectKey) -> CachedObject | None:
        return self._objects.get(key)

    def by_uid(self, uid: str) -> CachedObject | None:
        key = self._by_uid.get(uid)
        return self._objects.get(key) if key is not None else None

    def of_kind(self, kind: str) -> Iterator[CachedObject]:
        return iter(self._by_kind.get(kind, {}).values())

    def holding(self, number: E164) -> list[CachedObject]:
        """PhoneNumbers and NumberRanges that hold a number, in this order; those that are being
        deleted are among them.
        """
        if self._numbers is None:
            # Built anew when a range or number was edited, not when only a status moved.
            found = [each for kind in number_index.KINDS for each in self.of_kind(kind)]
            index = NumberIndex(each.resource for each in found)
            self._numbers = index, [each.key for each in found]
        index, keys = self._numbers
        return [self._objects[keys[place]] for place in index.holding(number)]

    def known(self) -> list[ObjectKey]:
        return list(self._objects)

    def dependents(self, target: ObjectKey) -> Iterable[ObjectKey]:
        return tuple(self._dependents.get(target, ()))

    def stating_numbers(self) -> tuple[ObjectKey, ...]:
        """Objects that state a number by itself, whichever object may hold it."""
        return tuple(key for keys in self._stating.values() for key in keys)

    def stating(self, number: E164) -> tuple[ObjectKey, ...]:
        """Those of them that state this number."""
        return tuple(self._stating.get(number.text, ()))

    def declaring(self, connection: ObjectKey, person: str) -> list[CachedObject]:
        """Objects that declare a person of a connection by that name or id, oldest first."""
        keys = self._declared.get((connection, person), ())
        found = [self._objects[key] for key in keys]
        return sorted(found, key=lambda cached: (cached.created, cached.key))

    def _index(self, cached: CachedObject, before: CachedObject | None) -> None:
        if before is not None:
            self._unindex(before)
            if before.uid != cached.uid:
                self._by_uid.pop(before.uid, None)
        self._keep(cached)
        self._forget_numbers(cached.key)
        self._by_uid[cached.uid] = cached.key
        if cached.resource is None:
            return
        found = references.targets(cached.resource)
        self._targets[cached.key] = found
        for target in found:
            self._dependents.setdefault(target, {})[cached.key] = None
        declared = _declared(cached)
        if declared is not None:
            self._declared.setdefault(declared, set()).add(cached.key)
        for number in _stated(cached):
            self._stating.setdefault(number, {})[cached.key] = None

    def _forget_numbers(self, key: ObjectKey) -> None:
        if key.kind in number_index.KINDS:
            self._numbers = None

    def _unindex(self, cached: CachedObject) -> None:
        for number in _stated(cached):
            stating = self._stating.get(number, {})
            stating.pop(cached.key, None)
            if not stating:
                self._stating.pop(number, None)
        for target in self._targets.pop(cached.key, ()):
            self._dependents.get(target, {}).pop(cached.key, None)
        declared = _declared(cached)
        if declared is not None:
            self._declared.get(declared, set()).discard(cached.key)


def _stated(cached: CachedObject) -> tuple[str, ...]:
    """The number that a person or service states by itself, or the numbers that a PBX does."""
    if isinstance(cached.resource, PbxTrunk):
        return cached.resource.spec.numbers
    declared = getattr(getattr(cached.resource, "spec", None), "phone_number", None)
    number: str | None = getattr(declared, "e164", None)
    return () if number is None else (number,)


def _declared(cached: CachedObject) -> tuple[ObjectKey, str] | None:
    user = cached.resource
    if not is_person(user):
        return None
    return connection_key(user, namespace=cached.key.namespace), person_key(user)


def _version(body: dict[str, Any]) -> int:
    """resourceVersions of one kind grow; the API server documents them as comparable integers since
    1.35.
    """
    return int(body["metadata"].get("resourceVersion") or 0)


def _moved(before: CachedObject, after: CachedObject) -> bool:
    """Did a user do something: another generation, a deletion, or a request by annotation?"""
    if before.generation != after.generation or before.is_deleting != after.is_deleting:
        return True
    names = (RECONCILE_REQUEST, DETACH, FORCE_DELETE, REGISTER_CONFIRMED)
    return any(before.annotations.get(name) != after.annotations.get(name) for name in names)


def _same_spec(before: CachedObject, body: dict[str, Any]) -> bool:
    """Can only status, labels or annotations have moved? A generation is one spec."""
    metadata = body["metadata"]
    return (
        before.uid == metadata["uid"]
        and before.generation == int(metadata.get("generation", 0)) > 0
        and before.is_deleting == (metadata.get("deletionTimestamp") is not None)
    )


def _lean(body: dict[str, Any]) -> dict[str, Any]:
    """The body without what nobody here reads, its keys shared with all other bodies: a large
    estate is kept in memory.
    """
    metadata = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
    lean: dict[str, Any] = _shared_keys({**body, "metadata": metadata})
    return lean


def _shared_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(key): _shared_keys(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shared_keys(inner) for inner in value]
    return value


def _without_status(body: dict[str, Any]) -> dict[str, Any]:
    """Status is read from the body: it moves far more often than what is parsed."""
    return {key: value for key, value in body.items() if key != "status"}


def _projection(cached: CachedObject) -> bytes:
    """What dependents read of an object, hashed: its spec, whether it goes, and for some kinds
    whether it is ready.
    """
    parts: dict[str, Any] = {"spec": cached.body.get("spec"), "deleting": cached.is_deleting}
    if cached.key.kind in _SHOWN_READY:
        parts["ready"] = cached.ready
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
