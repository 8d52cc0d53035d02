"""Do the conditions of an object mean what kstatus says they mean? Checked at every status write.

`ConditionWatch` listens to a cluster like a watch does and notes every breach; tests assert that
there is none. It shares no code with what makes the conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

Body = dict[str, Any]

_STATUSES = ("True", "False", "Unknown")


class ConditionWatch:
    """Every status of every object so far, and what was wrong with it."""

    def __init__(self) -> None:
        self.breaches: list[str] = []
        self.checked = 0
        # Every reason that Ready ever had, by kind and name.
        self.reasons: dict[tuple[str, str], list[str]] = {}
        self._last: dict[str, Body] = {}

    def saw(self, body: Body) -> None:
        """Check one body against itself and against the one before."""
        uid = body["metadata"]["uid"]
        before = self._last.get(uid, {})
        self._last[uid] = body
        if body.get("status") == before.get("status"):
            return
        self.checked += 1
        key = body["kind"], body["metadata"]["name"]
        for entry in (body.get("status") or {}).get("conditions") or []:
            if entry["type"] == "Ready":
                self.reasons.setdefault(key, []).append(entry["reason"])
        name = f"{body['kind']} {body['metadata']['namespace']}/{body['metadata']['name']}"
        self.breaches.extend(f"{name}: {breach}" for breach in breaches(body))
        self.breaches.extend(f"{name}: {breach}" for breach in _moved_wrongly(before, body))


def breaches(body: Body) -> Iterator[str]:
    """What is wrong with the status of one object."""
    status = body.get("status") or {}
    if set(status) <= {"observedGeneration"}:
        return
    conditions = status.get("conditions") or []
    by_type = {entry["type"]: entry for entry in conditions}
    if len(by_type) != len(conditions):
        yield "a condition type is there twice"
    for entry in conditions:
        yield from _entry_breaches(entry, body)
    ready = by_type.get("Ready", {}).get("status")
    if ready is None:
        yield "there is no Ready condition"
    for kind in ("Reconciling", "Stalled"):
        if by_type.get(kind, {}).get("status", "True") != "True":
            yield f"{kind} is there and not True"
    if "Reconciling" in by_type and "Stalled" in by_type:
        yield "Reconciling and Stalled at one time"
    if ready == "True" and ("Reconciling" in by_type or "Stalled" in by_type):
        yield f"Ready beside {'Reconciling' if 'Reconciling' in by_type else 'Stalled'}"
    if ready == "False" and not {"Reconciling", "Stalled", "Suspended"} & set(by_type):
        yield "not Ready, and neither Reconciling nor Stalled"
    if status.get("observedGeneration", -1) > body["metadata"]["generation"]:
        yield "observedGeneration is ahead of generation"


def _entry_breaches(entry: Body, body: Body) -> Iterator[str]:
    kind = entry["type"]
    if entry.get("status") not in _STATUSES:
        yield f"{kind} has status {entry.get('status')!r}"
    if not entry.get("reason") or not str(entry["reason"]).isalnum():
        yield f"{kind} has reason {entry.get('reason')!r}"
    if len(entry.get("message", "")) > 32768:
        yield f"{kind} has a message that the API server refuses"
    if entry.get("observedGeneration", 0) > body["metadata"]["generation"]:
        yield f"{kind} has observed a generation that is still to come"
    try:
        datetime.fromisoformat(entry.get("lastTransitionTime", ""))
    except ValueError:
        yield f"{kind} has no time of its last transition"


def _moved_wrongly(before: Body, after: Body) -> Iterator[str]:
    known = {entry["type"]: entry for entry in (before.get("status") or {}).get("conditions") or []}
    for entry in (after.get("status") or {}).get("conditions") or []:
        old = known.get(entry["type"])
        if old is None:
            continue
        has_moved = entry["lastTransitionTime"] != old["lastTransitionTime"]
        if has_moved and entry["status"] == old["status"]:
            yield f"{entry['type']} has a new transition time and the status of before"
        if not has_moved and entry["status"] != old["status"]:
            # Times are whole seconds: two transitions may fall into one.
            seconds = datetime.fromisoformat(entry["lastTransitionTime"])
            if seconds < datetime.fromisoformat(old["lastTransitionTime"]):
                yield f"{entry['type']} went back in time"
    seen = (before.get("status") or {}).get("observedGeneration", -1)
    if (after.get("status") or {}).get("observedGeneration", -1) < seen:
        yield "observedGeneration fell"
