"""Everything that happened outside of the engine, as plain JSON for the auditor.

Times are seconds since the start of the simulation. Nothing is summed up or judged here, so that a
mistake of ours cannot make a mistake of the engine look right.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from callplane.clock import Clock
from callplane.cluster.resource_kinds import ResourceKind
from callplane.plan.gate import GateRow
from callplane.store.ports import Commit, HolderRow, Intent, Move, NumberRow
from callplane.testing.simulation.graph_line import SentWrite
from callplane.testing.simulation.vendor_lines import VendorWrite
from callplane.values import ConnectionId, DeclaringObject, HolderId

Entry = dict[str, Any]


class Journal:
    """Lists of what happened, by kind of event."""

    def __init__(self, clock: Clock, head: Entry) -> None:
        self._clock = clock
        self.content: Entry = {
            **head,
            "script": [],
            "processes": [],
            "epochs": [],
            "objects": [],
            "directory": [],
            "writes": [],
            "vendorWrites": [],
            "changes": [],
            "commits": [],
            "events": [],
            "snapshots": [],
        }
        self._seen: dict[str, Entry] = {}

    def note(self, part: str, /, **entry: Any) -> None:
        self.content[part].append({"at": self._clock.monotonic(), **entry})

    def wrote(self, sent: SentWrite, status: int, answered_at: float) -> None:
        """A write came to its end; see `graph_line.WriteLog`."""
        self.content["writes"].append(
            {
                "at": sent.at,
                "answeredAt": answered_at,
                "process": sent.process,
                "path": sent.path,
                "body": sent.body,
                "requestId": sent.request_id,
                "status": status,
            }
        )

    def vendor_wrote(self, write: VendorWrite) -> None:
        """A write to Webex or to a carrier came to its end."""
        self.content["vendorWrites"].append(
            {
                "at": write.at,
                "answeredAt": write.answered_at,
                "host": write.host,
                "operation": write.operation,
                "method": write.method,
                "path": write.path,
                "body": write.body,
                "status": write.status,
            }
        )

    def watched(self, event: str, kind: ResourceKind, body: Entry) -> None:
        """An object as a watch shows it; only what people and git decide, no status."""
        if "spec" not in body:
            return
        metadata = body["metadata"]
        entry = {
            "event": event,
            "kind": body["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "created": metadata["creationTimestamp"],
            "deleting": "deletionTimestamp" in metadata,
            "annotations": metadata.get("annotations") or {},
            "spec": body["spec"],
        }
        if self._seen.get(metadata["uid"]) == entry:
            return
        self._seen[metadata["uid"]] = entry = copy.deepcopy(entry)
        self.note("objects", **entry)

    def committed(
        self, commit: Commit, connection: ConnectionId, *, epoch: int, process: str
    ) -> None:
        self.note(
            "commits",
            connection=str(connection),
            epoch=epoch,
            process=process,
            moves=[move_json(move) for move in commit.moves],
            intents=[intent_json(intent) for intent in commit.intents],
            gateRows=[gate_row_json(row) for row in commit.gate_rows],
            gateDropped=list(commit.gate_dropped),
            holders=[holder_json(row) for row in commit.holders],
            droppedHolders=[holder.user_id for holder in commit.dropped_holders],
        )

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.content, indent=None, sort_keys=True))


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _user(holder: HolderId | None) -> str | None:
    return holder.user_id if holder is not None else None


def _object(owner: DeclaringObject | None) -> Entry | None:
    if owner is None:
        return None
    return {"kind": owner.kind, "namespace": owner.namespace, "name": owner.name, "uid": owner.uid}


def move_json(move: Move) -> Entry:
    return {
        "number": move.number.text,
        "from": move.expected.value,
        "to": move.to.value,
        "cause": str(move.cause),
        "holder": _user(move.holder),
        "expectedHolder": _user(move.expected_holder),
        "transferTo": _user(move.transfer_to),
        "declaredBy": _object(move.declared_by),
        "range": move.range_name,
        "quarantinedUntil": _moment(move.quarantined_until),
    }


def row_json(row: NumberRow) -> Entry:
    return {
        "number": row.number.text,
        "state": row.state.value,
        "holder": _user(row.holder),
        "transferTo": _user(row.transfer_to),
        "declaredBy": _object(row.declared_by),
        "range": row.range_name,
        "quarantinedUntil": _moment(row.quarantined_until),
    }


def holder_json(row: HolderRow) -> Entry:
    return {
        "holder": row.holder.user_id,
        "declaredBy": _object(row.declared_by),
        "userName": row.user_name,
        "applied": plain(row.applied),
    }


def intent_json(intent: Intent) -> Entry:
    return {
        "requestId": intent.request_id,
        "changeId": intent.change_id,
        "epoch": intent.epoch,
        "holder": intent.holder.user_id,
        "change": plain(intent.change),
        "sentAt": _moment(intent.sent_at),
        "state": intent.state.value,
        "operation": intent.operation,
        "detail": intent.detail,
    }


def gate_row_json(row: GateRow) -> Entry:
    return {
        "changeId": row.change_id,
        "change": plain(row.change.to_json()),
        "proposer": f"{row.proposer.namespace}/{row.proposer.name}",
        "status": row.status.value,
        "digest": row.digest,
        "approval": row.approval,
        "expiresAt": _moment(row.expires_at),
        "consumedAt": _moment(row.consumed_at),
    }


def plain(value: Any) -> Any:
    """Any of our values as JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    return value
