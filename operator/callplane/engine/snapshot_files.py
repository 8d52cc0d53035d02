"""Observations as a file: JSON lines, compressed, one listing after the other.

`callplane snapshot save` writes it and `callplane plan --snapshot` reads it. Rows are lists, in
pieces of a thousand a line, because a plan of ten thousand people must read them in a fraction of a
second. The last line says how many there were, so that a file that was cut off is noticed.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from callplane.engine import snapshot_carriers
from callplane.engine.observations import (
    Body,
    CarrierObservation,
    ConnectionObservation,
    Observations,
)
from callplane.errors import CallplaneError
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change
from callplane.plan.gate import GateRow, GateStatus
from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.store.ports import HolderRow, Intent, NumberRow, RegisterState
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId, ObjectKey, Platform

FORMAT = "callplane-snapshot"
VERSION = 2
#: Files of the version before know no carriers and no services; all else is the same. A reader
#: leaves out lists that it does not know: writes under way are in newer files of this version.
_READABLE = (1, VERSION)
ROWS_A_LINE = 1000
CONNECTION, CARRIER = "connection", "carrier"
_PRIVATE = 0o600
_SPEED_OVER_SIZE = 3

Row = Sequence[Any]


class SnapshotUnreadable(CallplaneError):
    """A file that is no snapshot, of another version, or cut off."""


def save(path: Path, observations: Observations) -> None:
    """Write the file whole or not at all, readable by its owner: it names people and numbers."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with (
            os.fdopen(handle, "wb") as file,
            gzip.GzipFile("", "wb", _SPEED_OVER_SIZE, file, mtime=0) as packed,
        ):
            for line in _lines(observations):
                packed.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        os.chmod(temporary, _PRIVATE)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> Observations:
    """Read a file that `save` wrote. Raises SnapshotUnreadable."""
    try:
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        return _observations(lines)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        reason = (error.strerror or str(error)).lower()
        raise SnapshotUnreadable(f"{path}: {reason}") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise SnapshotUnreadable(
            f"{path} is no snapshot that can be read here ({error}); make one with "
            "callplane snapshot save"
        ) from None


# Writing


def _lines(observations: Observations) -> Iterator[dict[str, Any]]:
    lines = 0
    for line in _content(observations):
        lines += 1
        yield line
    yield {"kind": "end", "lines": lines}


def _content(observations: Observations) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "header",
        "format": FORMAT,
        "version": VERSION,
        "takenAt": observations.taken_at.isoformat(),
        "takenBy": observations.taken_by,
        "installation": observations.installation,
        "namespaces": {name: dict(of) for name, of in observations.namespace_labels.items()},
    }
    yield from _pieces("objects", observations.objects)
    for each in observations.connections:
        yield from _connection_lines(each)
    for carrier in observations.carriers:
        yield from _carrier_lines(carrier)


def _head(kind: str, each: ConnectionObservation | CarrierObservation) -> dict[str, Any]:
    register = each.register
    return {
        "kind": kind,
        "object": [each.key.kind, each.key.namespace, each.key.name],
        "provider": each.connection.provider,
        "externalId": each.connection.external_id,
        "sequence": register.sequence if register is not None else None,
    }


def _carrier_lines(each: CarrierObservation) -> Iterator[dict[str, Any]]:
    balance = snapshot_carriers.balance_row(each.balance)
    yield {**_head(CARRIER, each), "balance": balance}
    yield from _pieces("owned", map(snapshot_carriers.number_row, each.numbers))
    yield from _register_lines(each.register)


def _connection_lines(each: ConnectionObservation) -> Iterator[dict[str, Any]]:
    yield _head(CONNECTION, each)
    yield from _pieces("people", map(_person_row, each.people))
    yield from _pieces("numbers", map(_number_row, each.numbers))
    yield from _pieces("configurations", map(_configuration_row, each.configurations))
    yield from _pieces("services", map(_person_row, each.services))
    yield from _register_lines(each.register)


def _register_lines(register: RegisterState | None) -> Iterator[dict[str, Any]]:
    if register is not None:
        yield from _pieces("claims", map(_claim_row, register.numbers))
        yield from _pieces("holders", map(_holder_row, register.holders))
        yield from _pieces("gate", map(_gate_row, register.gate_rows))
        yield from _pieces("intents", map(_intent_row, register.open_intents))


def _pieces(kind: str, rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    everything = list(rows)
    for start in range(0, len(everything), ROWS_A_LINE):
        yield {"kind": kind, "rows": everything[start : start + ROWS_A_LINE]}


def _person_row(person: Person) -> Row:
    return (
        person.user_id,
        person.user_principal_name,
        person.usage_location,
        person.account_enabled,
        person.licence.value,
        person.deleted,
    )


def _number_row(row: NumberOnPlatform) -> Row:
    return (
        row.number.text,
        row.number_type.value,
        row.holder_id,
        row.held_by_user,
        row.location_id,
        row.on_premises,
        row.assignable_to_users,
        row.settled,
        row.is_primary,
        row.managed_by,
    )


def _configuration_row(row: CallingConfiguration) -> Row:
    return (
        row.user_id,
        row.account_type.value,
        row.phone_system_ready,
        row.enterprise_voice,
        [number.text for number in row.numbers],
        [(policy_type, policy.name, policy.origin.value) for policy_type, policy in row.policies],
        sorted(row.unlisted),
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


def _holder_row(row: HolderRow) -> Row:
    return (
        _holder_id(row.holder, row.connection),
        _declaring_row(row.declared_by),
        row.user_name,
        dict(row.applied),
        {name: list(times) for name, times in row.undone.items()},
        row.version,
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


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


# Reading


@dataclass(slots=True)
class _Rows:
    """The rows of one connection or carrier as they come in."""

    header: Mapping[str, Any]
    by_kind: dict[str, list[Any]] = field(default_factory=dict)


def _observations(lines: Sequence[Mapping[str, Any]]) -> Observations:
    if not lines or not isinstance(lines[0], dict) or lines[0].get("format") != FORMAT:
        raise ValueError("it has no header of a snapshot")
    header, end = lines[0], lines[-1]
    if header["version"] not in _READABLE:
        raise ValueError(f"it has version {header['version']}, and this reads {VERSION}")
    if end["kind"] != "end" or end["lines"] != len(lines) - 1:
        raise ValueError("it was cut off")
    objects: list[Body] = []
    observed: list[_Rows] = []
    for line in lines[1:-1]:
        if line["kind"] == "objects":
            objects.extend(line["rows"])
        elif line["kind"] in (CONNECTION, CARRIER):
            observed.append(_Rows(line))
        else:
            observed[-1].by_kind.setdefault(line["kind"], []).extend(line["rows"])
    return Observations(
        taken_at=datetime.fromisoformat(header["takenAt"]),
        taken_by=header["takenBy"],
        connections=tuple(
            _connection(rows) for rows in observed if rows.header["kind"] == CONNECTION
        ),
        installation=header["installation"],
        objects=tuple(objects),
        namespace_labels=header["namespaces"],
        carriers=tuple(_carrier(rows) for rows in observed if rows.header["kind"] == CARRIER),
    )


def _connection(rows: _Rows) -> ConnectionObservation:
    connection = ConnectionId(rows.header["provider"], rows.header["externalId"])
    kinds = rows.by_kind
    return ConnectionObservation(
        key=ObjectKey(*rows.header["object"]),
        connection=connection,
        people=tuple(map(_person, kinds.get("people", ()))),
        numbers=tuple(map(_number, kinds.get("numbers", ()))),
        configurations=tuple(map(_configuration, kinds.get("configurations", ()))),
        register=_register(rows, connection),
        services=tuple(map(_person, kinds.get("services", ()))),
    )


def _carrier(rows: _Rows) -> CarrierObservation:
    connection = ConnectionId(rows.header["provider"], rows.header["externalId"])
    return CarrierObservation(
        key=ObjectKey(*rows.header["object"]),
        connection=connection,
        numbers=tuple(map(snapshot_carriers.number, rows.by_kind.get("owned", ()))),
        balance=snapshot_carriers.balance(rows.header["balance"]),
        register=_register(rows, connection),
    )


def _register(rows: _Rows, connection: ConnectionId) -> RegisterState | None:
    if rows.header["sequence"] is None:
        return None

    def holder(row: Any) -> HolderId | None:
        if row is None:
            return None
        if isinstance(row, list):
            platform, tenant_id, user_id = row
            return HolderId(Platform(platform), tenant_id, user_id)
        return HolderId(Platform(connection.provider), connection.external_id, row)

    kinds = rows.by_kind
    return RegisterState(
        numbers=tuple(_claim(row, connection, holder) for row in kinds.get("claims", ())),
        holders=tuple(_holder(row, connection, holder) for row in kinds.get("holders", ())),
        open_intents=tuple(_intent(row, connection, holder) for row in kinds.get("intents", ())),
        gate_rows=tuple(map(_gate, kinds.get("gate", ()))),
        sequence=rows.header["sequence"],
    )


_LICENCES = {state.value: state for state in LicenceState}
_NUMBER_TYPES = {number_type.value: number_type for number_type in NumberType}
_ACCOUNT_TYPES = {account.value: account for account in AccountType}
_ORIGINS = {origin.value: origin for origin in PolicyOrigin}
_STATES = {state.value: state for state in NumberState}


def _person(row: Row) -> Person:
    user_id, name, location, enabled, licence, deleted = row
    return Person(user_id, name, location, enabled, _LICENCES[licence], deleted)


def _number(row: Row) -> NumberOnPlatform:
    number, number_type, *rest = row
    return NumberOnPlatform(E164(number), _NUMBER_TYPES[number_type], *rest)


def _configuration(row: Row) -> CallingConfiguration:
    user_id, account_type, ready, voice, numbers, policies, *rest = row
    return CallingConfiguration(
        user_id,
        _ACCOUNT_TYPES[account_type],
        ready,
        voice,
        tuple(map(E164, numbers)),
        tuple(
            (policy_type, PolicyOnLine(name, _ORIGINS[origin]))
            for policy_type, name, origin in policies
        ),
        frozenset(*rest),
    )


_Holder = Callable[[Any], HolderId | None]


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


def _declaring(row: Row | None) -> DeclaringObject | None:
    return None if row is None else DeclaringObject(*row)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
