"""One write of /status per pass, none when nothing differs.

A merge patch under the lock of `metadata.resourceVersion`, not server-side apply: status has one
owner, so there is nothing to merge, and the lock is worth more here. A former leader that wakes up
late holds an old resourceVersion and is refused, where a forced apply would overwrite its
successor's status. It also spares the server the bookkeeping of field managers on the busiest write
there is.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import ResourceKind

TIMESTAMP_KEYS = frozenset({"lastTransitionTime", "lastObservedTime"})
TRANSITION_KEYS = frozenset({"lastTransitionTime"})


class StatusOutcome(enum.Enum):
    """What became of a status write."""

    WRITTEN = "Written"
    UNCHANGED = "Unchanged"
    GONE = "Gone"
    """The object is deleted, or another one has its name: drop the key."""
    OVERTAKEN = "Overtaken"
    """Somebody else wrote this status meanwhile: run the pass again from `body`."""


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """The outcome and the newest body known; the body given where the object is gone."""

    outcome: StatusOutcome
    body: ports.Body


async def write_status(
    objects: ports.ObjectStore,
    kind: ResourceKind,
    *,
    body: ports.Body,
    status: Mapping[str, Any],
    ignoring: frozenset[str] = TIMESTAMP_KEYS,
) -> StatusWrite:
    """Bring /status of the object to `status`; `body` is the object the status was computed from.

    Nothing is sent when the two differ in `ignoring` keys only. A connection that wants its
    `lastObservedTime` written passes TRANSITION_KEYS when it is due. A conflict is read again and
    retried once, if only spec or metadata had moved.
    """
    metadata = body["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace")
    base: Mapping[str, Any] = body.get("status") or {}
    if same_status(base, status, ignoring=ignoring):
        return StatusWrite(StatusOutcome.UNCHANGED, body)
    current = body
    try:
        try:
            return await _patch(objects, kind, current, status)
        except api_errors.Conflict:
            current = await objects.get(kind, name=name, namespace=namespace)
        if current["metadata"]["uid"] != metadata["uid"]:
            return StatusWrite(StatusOutcome.GONE, body)
        if (current.get("status") or {}) != base:
            return StatusWrite(StatusOutcome.OVERTAKEN, current)
        return await _patch(objects, kind, current, status)
    except api_errors.NotFound:
        return StatusWrite(StatusOutcome.GONE, body)


async def _patch(
    objects: ports.ObjectStore, kind: ResourceKind, body: ports.Body, status: Mapping[str, Any]
) -> StatusWrite:
    metadata = body["metadata"]
    patch = {
        "metadata": {"resourceVersion": metadata["resourceVersion"]},
        "status": merge_patch_between(body.get("status") or {}, status),
    }
    written = await objects.merge_patch(
        kind,
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        patch=patch,
        subresource="status",
    )
    return StatusWrite(StatusOutcome.WRITTEN, written)


def same_status(
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    *,
    ignoring: frozenset[str] = TIMESTAMP_KEYS,
) -> bool:
    """Whether two statuses say the same, whatever their timestamps and the order of conditions.

    >>> same_status({"n": 1, "lastObservedTime": "a"}, {"n": 1, "lastObservedTime": "b"})
    True
    """
    if one.get("observedGeneration") != other.get("observedGeneration"):
        # What most writes are about; telling so needs no copies.
        return False
    return bool(_comparable(one, ignoring) == _comparable(other, ignoring))


def _comparable(value: Any, ignoring: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        result = {
            key: _comparable(inner, ignoring)
            for key, inner in value.items()
            if key not in ignoring and inner is not None
        }
        if isinstance(result.get("conditions"), list):
            result["conditions"].sort(key=lambda condition: str(condition.get("type")))
        return result
    if isinstance(value, list | tuple):
        return [_comparable(inner, ignoring) for inner in value]
    return value


def merge_patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest RFC 7386 merge patch from `before` to `after`; what is to go is null.

    >>> merge_patch_between({"a": 1, "b": {"c": 2}}, {"b": {"c": 3}})
    {'b': {'c': 3}, 'a': None}
    """
    patch: dict[str, Any] = {}
    for key, wanted in after.items():
        old = before.get(key)
        if wanted is None or (key in before and old == wanted):
            continue
        if isinstance(wanted, Mapping) and isinstance(old, Mapping):
            inner = merge_patch_between(old, wanted)
            if inner:
                patch[key] = inner
        else:
            patch[key] = wanted
    for key in before:
        if after.get(key) is None:
            patch[key] = None
    return patch
