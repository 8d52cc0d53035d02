"""JSON patch, merge patch and a subset of server-side apply over plain dicts, for the fake cluster.

Called by `cluster_state`. The contract tests run the same cases against a real API server, which is
what keeps these honest.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

Body = dict[str, Any]

# Lists that the schemas declare as maps, by field name: apply merges their entries by this key.
LIST_MAP_KEYS = {"conditions": "type", "policies": "type", "ownerReferences": "uid"}
# Lists that are sets: apply adds to them and removes only what the same manager added.
SET_LISTS = {"finalizers"}


class PatchFailed(Exception):
    """An operation has no target, or a `test` does not hold."""


def json_patched(body: Body, operations: Sequence[Mapping[str, Any]]) -> Body:
    """The body after RFC 6902 operations: add, remove, replace and test."""
    result = copy.deepcopy(body)
    for operation in operations:
        _run_operation(result, operation)
    return result


def _run_operation(document: Body, operation: Mapping[str, Any]) -> None:
    path = str(operation["path"])
    if not path.startswith("/"):
        raise PatchFailed(f"not a path below the object: {path!r}")
    tokens = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    parent: Any = document
    for token in tokens[:-1]:
        parent = _child(parent, token, path)
    last, verb = tokens[-1], operation["op"]
    if verb == "test":
        if _child(parent, last, path) != operation["value"]:
            raise PatchFailed(f"testing value {path} failed")
    elif verb == "remove":
        _child(parent, last, path)
        del parent[int(last) if isinstance(parent, list) else last]
    elif verb == "replace":
        _child(parent, last, path)
        parent[int(last) if isinstance(parent, list) else last] = copy.deepcopy(operation["value"])
    elif verb == "add":
        _add(parent, last, copy.deepcopy(operation["value"]), path)
    else:
        raise PatchFailed(f"operation {verb!r} is not one this fake knows")


def _child(parent: Any, token: str, path: str) -> Any:
    try:
        return parent[int(token)] if isinstance(parent, list) else parent[token]
    except (KeyError, IndexError, ValueError, TypeError):
        raise PatchFailed(f"nothing at {path}") from None


def _add(parent: Any, token: str, value: Any, path: str) -> None:
    if isinstance(parent, dict):
        parent[token] = value
        return
    if not isinstance(parent, list):
        raise PatchFailed(f"nothing to add to at {path}")
    position = len(parent) if token == "-" else int(token)
    if not 0 <= position <= len(parent):
        raise PatchFailed(f"no place {token} in the list at {path}")
    parent.insert(position, value)


def merge_patched(current: Any, patch: Any) -> Any:
    """The value after an RFC 7386 merge patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(current) if isinstance(current, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patched(result.get(key), value)
    return result


def applied(current: Body, *, wanted: Body, before: Body) -> Body:
    """The body after server-side apply with force.

    `before` is what the same manager applied the last time: what it named then and does not name
    now goes away.
    """
    result: Body = copy.deepcopy(current)
    for key in before:
        if key not in wanted:
            _drop(result, key, before[key])
    for key, value in wanted.items():
        result[key] = _apply_value(key, result.get(key), value, before.get(key))
    return result


def _apply_value(key: str, current: Any, value: Any, before: Any) -> Any:
    if isinstance(value, Mapping):
        return applied(
            current if isinstance(current, dict) else {},
            wanted=dict(value),
            before=before if isinstance(before, dict) else {},
        )
    if key in SET_LISTS and isinstance(value, list):
        gone = [entry for entry in before or [] if entry not in value]
        kept = [entry for entry in current or [] if entry not in gone]
        return kept + [entry for entry in value if entry not in kept]
    if key in LIST_MAP_KEYS and isinstance(value, list):
        return _apply_list_map(LIST_MAP_KEYS[key], current or [], value, before or [])
    return copy.deepcopy(value)


def _apply_list_map(
    key: str, current: list[Body], wanted: list[Body], before: list[Body]
) -> list[Body]:
    old = {entry[key]: entry for entry in before}
    new = {entry[key]: entry for entry in wanted}
    result = []
    for entry in current:
        if entry[key] in new:
            name = entry[key]
            result.append(applied(entry, wanted=new.pop(name), before=old.get(name, {})))
        elif entry[key] not in old:
            result.append(copy.deepcopy(entry))
    return result + [copy.deepcopy(entry) for entry in wanted if entry[key] in new]


def _drop(result: Body, key: str, before: Any) -> None:
    current = result.get(key)
    if isinstance(current, dict) and isinstance(before, dict):
        for inner in before:
            _drop(current, inner, before[inner])
        if not current:
            result.pop(key)
    elif key in SET_LISTS or key in LIST_MAP_KEYS:
        left = _apply_value(key, current, [], before)
        if left:
            result[key] = left
        else:
            result.pop(key, None)
    else:
        result.pop(key, None)
