"""Between the values of `ports` and what PostgreSQL is given and gives, in both directions.

Columns are in the order of `statements`; a commit is one JSON document for `register.commit`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Cause, Change
from callplane.plan.gate import GateRow, GateStatus
from callplane.store import commits
from callplane.store.chain import PERSONAL_FIELDS, ChainedEvent, Personal
from callplane.store.ports import (
    Commit,
    ConnectionRow,
    HolderRow,
    IllegalCommit,
    Intent,
    IntentState,
    Move,
    NumberRow,
)
from callplane.values import (
    E164,
    ConnectionId,
    DeclaringObject,
    HolderId,
    ObjectKey,
    Platform,
)

Columns = Sequence[Any]


def holder_key(holder: HolderId) -> str:
    """The holder as text that `holder_from` reads back."""
    if "/" in holder.tenant_id:
        raise IllegalCommit(f"a tenant id must not hold a slash: {holder.tenant_id!r}")
    return f"{holder.platform.value}/{holder.tenant_id}/{holder.user_id}"


def _holder_or_none(key: str | None) -> HolderId | None:
    return None if key is None else holder_from(key)


def holder_from(key: str) -> HolderId:
    platform, tenant_id, user_id = key.split("/", 2)
    return HolderId(Platform(platform), tenant_id, user_id)


def declaring_object(content: Mapping[str, str] | None) -> DeclaringObject | None:
    return None if content is None else DeclaringObject(**content)


def declaring_object_json(declared_by: DeclaringObject) -> dict[str, str]:
    return {
        "installation": declared_by.installation,
        "kind": declared_by.kind,
        "namespace": declared_by.namespace,
        "name": declared_by.name,
        "uid": declared_by.uid,
    }


def commit_json(commit: Commit, moves: Sequence[Move]) -> str:
    """The document `register.commit` takes; `moves` are the commit's in order of number.

    Every part is sorted by its key and left out when empty, every field left out when None.
    """
    parts: dict[str, Any] = {}
    if moves:
        names = {row.holder: row.user_name for row in commit.holders}
        parts["moves"] = [_move(move, names) for move in moves]
    if commit.holders or commit.dropped_holders:
        holders = [_holder_row(row) for row in commit.holders]
        holders += [
            {"holder": holder_key(holder), "is_dropped": True} for holder in commit.dropped_holders
        ]
        parts["holders"] = sorted(holders, key=_by("holder"))
    if commit.intents:
        parts["intents"] = sorted((_intent(row) for row in commit.intents), key=_by("request_id"))
    if commit.gate_rows or commit.gate_dropped:
        gate_rows = [_gate_row(row) for row in commit.gate_rows]
        gate_rows += [
            {"change_id": change_id, "is_dropped": True} for change_id in commit.gate_dropped
        ]
        parts["gate_rows"] = sorted(gate_rows, key=_by("change_id"))
    return json.dumps(parts, default=_plain, separators=(",", ":"))


def _by(name: str) -> Any:
    return lambda content: content[name]


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise IllegalCommit(f"{type(value).__name__} cannot be stored as JSON")


def _without_nothing(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value is not None}


def _move(move: Move, names: Mapping[HolderId, str]) -> dict[str, Any]:
    required_holder = commits.required_holder(move)
    required_receiver = commits.required_receiver(move)
    return _without_nothing(
        {
            "number": move.number.text,
            "expected": move.expected.value,
            "state": move.to.value,
            "cause": str(move.cause),
            "required_holder": holder_key(required_holder) if required_holder else None,
            "required_receiver": holder_key(required_receiver) if required_receiver else None,
            "must_have_rested": commits.must_have_rested(move) or None,
            "holder": holder_key(move.holder) if move.holder else None,
            "user_name": names.get(move.holder) if move.holder else None,
            "declared_by": declaring_object_json(move.declared_by) if move.declared_by else None,
            "range_name": move.range_name,
            "number_type": move.number_type,
            "transfer_to": holder_key(move.transfer_to) if move.transfer_to else None,
            "quarantined_until": move.quarantined_until,
            "reason": move.reason,
        }
    )


def _holder_row(row: HolderRow) -> dict[str, Any]:
    return _without_nothing(
        {
            "holder": holder_key(row.holder),
            "declared_by": declaring_object_json(row.declared_by) if row.declared_by else None,
            "user_name": row.user_name,
            "applied": row.applied,
            "undone": row.undone,
        }
    )


def _intent(intent: Intent) -> dict[str, Any]:
    return {
        "request_id": intent.request_id,
        "change_id": intent.change_id,
        "epoch": intent.epoch,
        "holder": holder_key(intent.holder),
        "change": intent.change,
        "sent_at": intent.sent_at,
        "state": intent.state.value,
        "operation": intent.operation,
        "detail": intent.detail,
    }


def _gate_row(row: GateRow) -> dict[str, Any]:
    return _without_nothing(
        {
            "change_id": row.change_id,
            "change": row.change.to_json(),
            "cause": row.change.cause.value,
            "proposer": asdict(row.proposer),
            "range_name": row.range_name,
            "status": row.status.value,
            "proposed_at": row.proposed_at,
            "digest": row.digest,
            "approval": row.approval,
            "expires_at": row.expires_at,
            "consumed_at": row.consumed_at,
            "used_approvals": list(row.used_approvals),
            "earlier_runs": [at.isoformat() for at in row.earlier_runs],
        }
    )


def connection_row(columns: Columns) -> ConnectionRow:
    provider, external_id, installation, declared_by, epoch, heartbeat_at, mirrored = columns
    return ConnectionRow(
        connection=ConnectionId(provider, external_id),
        installation=installation,
        declared_by=DeclaringObject(**declared_by),
        epoch=epoch,
        heartbeat_at=heartbeat_at,
        mirrored=mirrored,
    )


def number_row(columns: Columns) -> NumberRow:
    number, provider, external_id, state, holder, declared_by, range_name, number_type = columns[:8]
    transfer_to, quarantined_until, reason, updated_at, version = columns[8:]
    return NumberRow(
        number=E164(number),
        connection=ConnectionId(provider, external_id),
        state=NumberState(state),
        holder=_holder_or_none(holder),
        declared_by=declaring_object(declared_by),
        range_name=range_name,
        number_type=number_type,
        transfer_to=_holder_or_none(transfer_to),
        quarantined_until=quarantined_until,
        reason=reason,
        updated_at=updated_at,
        version=version,
    )


def holder_row(connection: ConnectionId, columns: Columns) -> HolderRow:
    holder, declared_by, user_name, applied, undone, version = columns
    return HolderRow(
        holder=holder_from(holder),
        connection=connection,
        declared_by=declaring_object(declared_by),
        user_name=user_name,
        applied=applied,
        undone={setting: tuple(times) for setting, times in undone.items()},
        version=version,
    )


def intent(connection: ConnectionId, columns: Columns) -> Intent:
    request_id, change_id, epoch, holder, change, sent_at, state, operation, detail = columns
    return Intent(
        change_id=change_id,
        connection=connection,
        epoch=epoch,
        holder=holder_from(holder),
        change=change,
        request_id=request_id,
        sent_at=sent_at,
        state=IntentState(state),
        operation=operation,
        detail=detail,
    )


def gate_row(columns: Columns) -> GateRow:
    change, cause, proposer, range_name, status, proposed_at = columns[:6]
    digest, approval, expires_at, consumed_at, used_approvals, earlier_runs = columns[6:]
    return GateRow(
        change=replace_cause(Change.from_json(change), cause),
        proposer=ObjectKey(**proposer),
        range_name=range_name,
        status=GateStatus(status),
        proposed_at=proposed_at,
        digest=digest,
        approval=approval,
        expires_at=expires_at,
        consumed_at=consumed_at,
        used_approvals=tuple(used_approvals),
        earlier_runs=tuple(datetime.fromisoformat(at) for at in earlier_runs),
    )


def replace_cause(change: Change, cause: str) -> Change:
    """The cause is no part of a change's content and is stored beside it."""
    return replace(change, cause=Cause(cause))


def chained_event(columns: Columns) -> ChainedEvent:
    sequence, number, at, cause, from_state, to_state, provider, external_id = columns[:8]
    installation, reason, *hashes = columns[8:]
    return ChainedEvent(
        sequence=sequence,
        number=number,
        at=at,
        cause=cause,
        from_state=from_state,
        to_state=to_state,
        connection=(provider, external_id),
        installation=installation,
        reason=reason,
        personal_hashes={
            name: bytes(value).hex() for name, value in zip(PERSONAL_FIELDS, hashes, strict=True)
        },
    )


def personal(columns: Columns) -> Personal | None:
    """None when the event was redacted, which an outer join shows as nothing but NULL."""
    salt, holder, user_name, declared_by = columns
    return None if salt is None else Personal(bytes(salt), holder, user_name, declared_by)
