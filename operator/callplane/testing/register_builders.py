"""Samples for tests of the register: numbers of the drama range, holders, objects, moves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change, Operation
from callplane.plan.gate import GateRow, GateStatus
from callplane.store.ports import ConnectionRow, HolderRow, Intent, Move, Register
from callplane.values import (
    E164,
    ConnectionId,
    DeclaringObject,
    HolderId,
    ObjectKey,
    Platform,
)

NOW = datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)
TENANT = ConnectionId("teams", "tenant-1")
OTHER_TENANT = ConnectionId("teams", "tenant-2")
STALE_AFTER_SECONDS = 300.0


def later(**units: float) -> datetime:
    """NOW plus that many `days`, `seconds`, …"""
    return NOW + timedelta(**units)


def number(index: int) -> E164:
    """One of a thousand numbers that belong to nobody."""
    return E164(f"+442079460{index:03}")


def person(name: str, *, tenant: str = "tenant-1") -> HolderId:
    return HolderId(Platform.TEAMS, tenant, f"id-of-{name}")


def tenant_object(name: str = "contoso", *, installation: str = "cluster-1") -> DeclaringObject:
    return DeclaringObject(installation, "TeamsTenant", "voice", name, f"uid-of-{name}")


def user_object(name: str) -> DeclaringObject:
    return DeclaringObject("cluster-1", "TeamsUser", "voice", name, f"uid-of-{name}")


async def hold(
    register: Register,
    connection: ConnectionId = TENANT,
    *,
    declared_by: DeclaringObject | None = None,
    new_epoch: bool = True,
) -> int:
    """Take the connection; returns the epoch to commit with."""
    row = await register.hold_connection(
        connection,
        declared_by=declared_by or tenant_object(),
        now=NOW,
        stale_after_seconds=STALE_AFTER_SECONDS,
        new_epoch=new_epoch,
    )
    assert isinstance(row, ConnectionRow), row
    return row.epoch


def claim(index: int, holder: HolderId, **fields: Any) -> Move:
    return Move(
        number(index),
        expected=NumberState.FREE,
        to=NumberState.CLAIMED,
        cause=Cause.ALLOCATE,
        holder=holder,
        **fields,
    )


def confirm(index: int, holder: HolderId, **fields: Any) -> Move:
    return Move(
        number(index),
        expected=NumberState.CLAIMED,
        to=NumberState.ASSIGNED,
        cause=Cause.CONFIRM,
        holder=holder,
        **fields,
    )


def adopt(index: int, holder: HolderId, **fields: Any) -> Move:
    return Move(
        number(index),
        expected=NumberState.FREE,
        to=NumberState.ASSIGNED,
        cause=Cause.ADOPT,
        holder=holder,
        **fields,
    )


def unassign(index: int, holder: HolderId, *, until: datetime | None, **fields: Any) -> Move:
    return Move(
        number(index),
        expected=NumberState.ASSIGNED,
        to=NumberState.QUARANTINED,
        cause=Cause.UNASSIGN,
        expected_holder=holder,
        holder=holder,
        quarantined_until=until,
        **fields,
    )


def give_back(index: int, holder: HolderId) -> Move:
    return Move(
        number(index),
        expected=NumberState.QUARANTINED,
        to=NumberState.CLAIMED,
        cause=Cause.RETURN_TO_HOLDER,
        holder=holder,
    )


def elapse(index: int) -> Move:
    return Move(
        number(index),
        expected=NumberState.QUARANTINED,
        to=NumberState.FREE,
        cause=Cause.ELAPSE,
    )


def abandon(index: int) -> Move:
    return Move(
        number(index), expected=NumberState.CLAIMED, to=NumberState.FREE, cause=Cause.ABANDON
    )


def transfer(index: int, giver: HolderId, receiver: HolderId) -> Move:
    return Move(
        number(index),
        expected=NumberState.ASSIGNED,
        to=NumberState.TRANSFERRING,
        cause=Cause.TRANSFER,
        expected_holder=giver,
        holder=giver,
        transfer_to=receiver,
    )


def receive(index: int, receiver: HolderId) -> Move:
    return Move(
        number(index),
        expected=NumberState.TRANSFERRING,
        to=NumberState.CLAIMED,
        cause=Cause.RECEIVE,
        holder=receiver,
    )


def holder_row(
    name: str, *, applied: Mapping[str, Any] | None = None, connection: ConnectionId = TENANT
) -> HolderRow:
    return HolderRow(
        holder=person(name),
        connection=connection,
        declared_by=user_object(name),
        user_name=f"{name}@contoso.example",
        applied=applied if applied is not None else {"number": number(0).text},
        undone={"number": ("2026-03-01T00:00:00+00:00",)},
    )


def change(index: int, name: str = "ann", *, connection: ConnectionId = TENANT) -> Change:
    return Change(
        connection=connection,
        operation=Operation.UNASSIGN_NUMBER,
        platform=Platform.TEAMS,
        subject=f"id-of-{name}",
        before={"number": number(index).text, "type": "directRouting"},
        after=None,
    )


def intent(request_id: str, name: str = "ann", **fields: Any) -> Intent:
    planned = change(1, name)
    stated: dict[str, Any] = {
        "change_id": planned.change_id,
        "connection": TENANT,
        "epoch": 1,
        "holder": person(name),
        "change": planned.to_json(),
        "request_id": request_id,
        "sent_at": NOW,
    }
    return Intent(**{**stated, **fields})


def gate_row(index: int, **fields: Any) -> GateRow:
    stated: dict[str, Any] = {
        "change": change(index),
        "proposer": ObjectKey("TeamsUser", "voice", "ann"),
        "range_name": "voice/london",
        "status": GateStatus.OPEN,
        "proposed_at": NOW,
    }
    return GateRow(**{**stated, **fields})
