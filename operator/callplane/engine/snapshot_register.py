"""The number register as rows of a snapshot file, and back, for `snapshot_files`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change
from callplane.plan.gate import GateRow, GateStatus
from callplane.store.ports import HolderRow, Intent, NumberRow, RegisterState
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId, ObjectKey, Platform

Row = Sequence[Any]
_Holder = Callable[[Any], HolderId | None]

_STATES = {state.value: state for state in NumberState}


def rows(register: RegisterState) -> Iterator[tuple[str, Iterable[Row]]]:
    """The register's lists by the names that they have in the file."""
    yield "claims", map(_claim_row, register.numbers)
    yield "holders", map(_holder_row, register.holders)
    yield "gate", map(_gate_row, register.gate_rows)
    yield "intents", map(_intent_row, register.open_intents)


def state(
    kinds: Mapping[str, Sequence[Row]], connection: ConnectionId, sequence: int
) -> RegisterState:
    """The register of a connection, from its lists by name; what is not there is empty."""

    def holder(row: Any) -> HolderId | None:
        if row is None:
            return None
        if isinstance(row, list):
            platform, tenant_id, user_id = row
            return HolderId(Platform(platform), tenant_id, user_id)
        return HolderId(Platform(connection.provider), connection.external_id, row)

    return RegisterState(
        numbers=tuple(_claim(row, connection, holder) for row in kinds.get("claims", ())),
        holders=tuple(_holder(row, connection, holder) for row in kinds.get("holders", ())),
        open_intents=tuple(_intent(row, connection, holder) for row in kinds.get("intents", ())),
        gate_rows=tuple(map(_gate, kinds.get("gate", ()))),
        sequence=sequence,
    )


def _claim_row(row: NumberRow) -> Row:
    return (
        row.number.text,
        row.state.value,
        _holder_id(row.holder, row.connection),
        _declaring_row(row.declared_by),
        row.range_name,
        row.number_type,
        _holder_id(row.transfer_to, row.connection),
        _time(row.quarantined_until),
        row.reason,
        _time(row.updated_at),
        row.version,
    )


def _claim(row: Row, connection: ConnectionId, holder: _Holder) -> NumberRow:
    number, state, user_id, declared, range_name, number_type, receiver, until, *rest = row
    reason, updated_at, version = rest
    return NumberRow(
        number=E164(number),
        connection=connection,
        state=_STATES[state],
        holder=holder(user_id),
        declared_by=_declaring(declared),
        range_name=range_name,
        number_type=number_type,
        transfer_to=holder(receiver),
        quarantined_until=_moment(until),
        reason=reason,
        updated_at=datetime.fromisoformat(updated_at),
        version=version,
    )


def _holder_row(row: HolderRow) -> Row:
    return (
        _holder_id(row.holder, row.connection),
        _declaring_row(row.declared_by),
        row.user_name,
        dict(row.applied),
        {name: list(times) for name, times in row.undone.items()},
        row.version,
    )


def _holder(row: Row, connection: ConnectionId, holder: _Holder) -> HolderRow:
    user_id, declared, user_name, applied, undone, version = row
    held_by = holder(user_id)
    if held_by is None:
        raise ValueError("a holder has no id")
    return HolderRow(
        holder=held_by,
        connection=connection,
        declared_by=_declaring(declared),
        user_name=user_name,
        applied=applied,
        undone=undone,
        version=version,
    )


def _gate_row(row: GateRow) -> Row:
    proposer = row.proposer
    return (
        row.change.to_json(),
        [proposer.kind, proposer.namespace, proposer.name],
        row.range_name,
        row.status.value,
        _time(row.proposed_at),
        row.digest,
        row.approval,
        _time(row.expires_at),
        _time(row.consumed_at),
        list(row.used_approvals),
        [_time(at) for at in row.earlier_runs],
    )


def _gate(row: Row) -> GateRow:
    change, proposer, range_name, status, proposed_at, digest, *rest = row
    approval, expires_at, consumed_at, used, earlier_runs = rest
    return GateRow(
        change=Change.from_json(change),
        proposer=ObjectKey(*proposer),
        range_name=range_name,
        status=GateStatus(status),
        proposed_at=datetime.fromisoformat(proposed_at),
        digest=digest,
        approval=approval,
        expires_at=_moment(expires_at),
        consumed_at=_moment(consumed_at),
        used_approvals=tuple(used),
        earlier_runs=tuple(datetime.fromisoformat(at) for at in earlier_runs),
    )


def _intent_row(intent: Intent) -> Row:
    return (
        _holder_id(intent.holder, intent.connection),
        dict(intent.change),
        intent.request_id,
        intent.epoch,
        _time(intent.sent_at),
        intent.operation,
        intent.detail,
    )


def _intent(row: Row, connection: ConnectionId, holder: _Holder) -> Intent:
    held_by, content, request_id, epoch, sent_at, operation, detail = row
    subject = holder(held_by)
    if subject is None:
        raise ValueError("an intent has no holder")
    return Intent(
        change_id=Change.from_json(content).change_id,
        connection=connection,
        epoch=epoch,
        holder=subject,
        change=content,
        request_id=request_id,
        sent_at=datetime.fromisoformat(sent_at),
        operation=operation,
        detail=detail,
    )


def _holder_id(holder: HolderId | None, connection: ConnectionId) -> Any:
    """The holder's id; with platform and organisation where they are in another system."""
    if holder is None:
        return None
    if holder.connection == connection:
        return holder.user_id
    return [holder.platform.value, holder.tenant_id, holder.user_id]


def _declaring_row(declared_by: DeclaringObject | None) -> Row | None:
    if declared_by is None:
        return None
    key = declared_by.key
    return (declared_by.installation, key.kind, key.namespace, key.name, declared_by.uid)


def _declaring(row: Row | None) -> DeclaringObject | None:
    return None if row is None else DeclaringObject(*row)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
