"""A whole plan as data: what `callplane plan` computes once and prints in three forms.

`engine.planning` makes it, `plan.rendering` writes it, `to_json` is its documented JSON form
(docs/plan-format.md). The content hash names the plan and approves nothing: what a person approves
is a set of change ids.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

import rfc8785

from callplane.errors import mask_number
from callplane.plan.change import Change, Fields
from callplane.plan.gate import ChangeLimits
from callplane.values import ConnectionId, ObjectKey

FORMAT = "callplane-plan"
VERSION = 1
#: Reason of the note that tells how long a number rests that is given up.
RESTS = "Rests"


class Level(Enum):
    """INFO explains; WAITS may pass by itself; BLOCKED needs a human before anything happens."""

    INFO = "info"
    WAITS = "waits"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Note:
    """What else there is to say of an object; `reason` is a constant of `apis.reasons` or empty."""

    level: Level
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change. A number not claimed yet is symbolic: `after` has "range" in place of "number".

    `change_id` is kept apart from the change, so that masking the numbers leaves it as it is.
    """

    change: Change
    change_id: str
    gated: bool

    @classmethod
    def of(cls, change: Change, *, gated: bool) -> PlannedChange:
        return cls(change, change.change_id, gated)


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """What happens to one object. `written` is False where changes are only shown (Observe mode,
    suspension). `removed`: it was there in the base revision and is gone now.
    """

    key: ObjectKey
    connection: ObjectKey | None
    person: str = ""
    file: str = ""
    removed: bool = False
    written: bool = True
    changes: tuple[PlannedChange, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def is_blocked(self) -> bool:
        return any(note.level is Level.BLOCKED for note in self.notes)

    @property
    def is_waiting(self) -> bool:
        return not self.is_blocked and any(note.level is Level.WAITS for note in self.notes)

    @property
    def has_changes(self) -> bool:
        """Changes that would be written, now or once what stands in their way is gone."""
        return self.written and bool(self.changes)

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        return (str(self.connection or ""), self.key.namespace, self.key.name, self.key.kind)


@dataclass(frozen=True, slots=True)
class GateForecast:
    """What the gate of one connection would say to the gated changes of this plan.

    `change_ids` are those of this plan, `counted` also what is under way or ran lately. `waiting`
    are those that a person still has to answer; `digest` is theirs, or of all when none waits.
    """

    connection: ObjectKey
    connection_id: ConnectionId
    limits: ChangeLimits
    claims: int
    change_ids: tuple[str, ...]
    waiting: tuple[str, ...]
    counted: int
    digest: str

    @property
    def held(self) -> bool:
        return bool(self.waiting)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a plan says. Objects that are as declared are only counted (`unchanged`).

    `remarks` concern the plan as a whole. `base` is the revision that deletions were planned
    against, empty when absence means nothing.
    """

    observed_at: datetime
    observed_by: str
    has_register: bool
    base: str
    unchanged: int
    objects: tuple[ObjectPlan, ...]
    gates: tuple[GateForecast, ...]
    remarks: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        return any(each.has_changes for each in self.objects)

    @property
    def is_settled(self) -> bool:
        """Nothing to do: no change is planned and nothing stands in the way of one."""
        return not any(
            each.has_changes or each.is_blocked or each.is_waiting for each in self.objects
        )

    @property
    def is_held(self) -> bool:
        return any(gate.held for gate in self.gates)

    def changes(self) -> Iterable[PlannedChange]:
        """Changes that would be written."""
        return (change for each in self.objects if each.written for change in each.changes)

    @property
    def content_hash(self) -> str:
        """SHA-256 over the canonical JSON of the content: same input, same hash.

        When and by whom was observed, and in which files objects stand, is not content.
        """
        content: dict[str, Any] = {
            "version": VERSION,
            "base": bool(self.base),
            "objects": [_content(each) for each in self.objects],
            "held": sorted(change_id for gate in self.gates for change_id in gate.waiting),
        }
        return "sha256:" + hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def masked(plan: Plan) -> Plan:
    """The same plan with numbers shortened to what logs may show; ids and digests stay."""
    return replace(plan, objects=tuple(_masked_object(each) for each in plan.objects))


def _masked_object(each: ObjectPlan) -> ObjectPlan:
    return replace(each, changes=tuple(_masked_change(change) for change in each.changes))


def _masked_change(planned: PlannedChange) -> PlannedChange:
    change = planned.change
    shown = replace(change, before=_masked(change.before), after=_masked(change.after))
    return replace(planned, change=shown)


def _masked(fields: Fields | None) -> Fields | None:
    if fields is None or "number" not in fields:
        return fields
    return {**fields, "number": mask_number(fields["number"])}


def to_json(plan: Plan, *, content_hash: str) -> dict[str, Any]:
    """The documented form. `content_hash` is that of the unmasked plan."""
    counts = Counter(planned.change.operation.value for planned in plan.changes())
    return {
        "format": FORMAT,
        "version": VERSION,
        "content": content_hash,
        "observed": {
            "at": _time(plan.observed_at),
            "by": plan.observed_by,
            "register": plan.has_register,
        },
        "base": plan.base or None,
        "summary": {
            "unchanged": plan.unchanged,
            "changing": sum(each.has_changes for each in plan.objects),
            "removed": sum(each.removed for each in plan.objects),
            "blocked": sum(each.is_blocked for each in plan.objects),
            "waiting": sum(each.is_waiting for each in plan.objects),
            "changes": dict(sorted(counts.items())),
            "held": plan.is_held,
        },
        "connections": [_gate_json(gate) for gate in plan.gates],
        "objects": [_object_json(each) for each in plan.objects],
        "remarks": list(plan.remarks),
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _gate_json(gate: GateForecast) -> dict[str, Any]:
    return {
        "object": _key_json(gate.connection),
        "id": str(gate.connection_id),
        "gated": list(gate.change_ids),
        "waiting": list(gate.waiting),
        "held": gate.held,
        "digest": gate.digest or None,
        "counted": gate.counted,
        "claims": gate.claims,
        "limits": {
            "maxCount": gate.limits.max_count,
            "maxPercent": gate.limits.max_percent,
            "floor": gate.limits.floor,
            "windowSeconds": round(gate.limits.window_seconds),
        },
    }


def _object_json(each: ObjectPlan) -> dict[str, Any]:
    return {
        **_key_json(each.key),
        "file": each.file or None,
        "connection": _key_json(each.connection) if each.connection is not None else None,
        "person": each.person or None,
        "removed": each.removed,
        "written": each.written,
        "changes": [_change_json(planned) for planned in each.changes],
        "notes": [_note_json(note) for note in each.notes],
    }


def _content(each: ObjectPlan) -> dict[str, Any]:
    return {
        **_key_json(each.key),
        "removed": each.removed,
        "written": each.written,
        "changes": [planned.change_id for planned in each.changes],
        "notes": [_note_json(note) for note in each.notes],
    }


def _key_json(key: ObjectKey) -> dict[str, str]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def _note_json(note: Note) -> dict[str, str]:
    return {"level": note.level.value, "reason": note.reason, "message": note.message}


def _change_json(planned: PlannedChange) -> dict[str, Any]:
    change = planned.change
    return {
        "id": planned.change_id,
        "operation": change.operation.value,
        "subject": {"platform": change.platform.value, "id": change.subject},
        "from": dict(change.before) if change.before is not None else None,
        "to": dict(change.after) if change.after is not None else None,
        "irreversible": change.irreversible,
        "cause": change.cause.value,
        "gated": planned.gated,
    }
