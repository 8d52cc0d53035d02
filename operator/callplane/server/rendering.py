"""From records of the database to responses, numbers masked unless they may be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callplane.errors import mask_number, mask_numbers
from callplane.plan.change import plan_name
from callplane.server import responses
from callplane.store.admin_ports import (
    HeldChangeRecord,
    HeldPlanRecord,
    NumberEventRecord,
    NumberRecord,
    PoolRecord,
    PostingRecord,
    StatementRecord,
)
from callplane.values.money import amount_text

SECONDS = "s"


def number(record: NumberRecord, *, full: bool) -> responses.Number:
    declared = None
    if record.declared_kind is not None and record.declared_name is not None:
        declared = responses.DeclaredBy(kind=record.declared_kind, name=record.declared_name)
    return responses.Number(
        number=record.number if full else mask_number(record.number),
        state=record.state,
        namespace=record.namespace,
        connection=record.connection,
        range=record.range_name or None,
        type=record.number_type or None,
        holder=_text(record.holder, full=full),
        user_name=_text(record.user_name, full=full),
        declared_by=declared,
        quarantined_until=record.quarantined_until,
        reason=_text(record.reason, full=full),
        updated_at=record.updated_at,
    )


def number_event(record: NumberEventRecord, *, full: bool) -> responses.NumberEvent:
    return responses.NumberEvent(
        sequence=record.sequence,
        at=record.at,
        cause=record.cause,
        from_state=record.from_state,
        to_state=record.to_state,
        connection=record.connection,
        holder=_text(record.holder, full=full),
        user_name=_text(record.user_name, full=full),
        declared_by=record.declared_by or None,
        reason=_text(record.reason, full=full),
        chained=record.is_linked,
    )


def held_plan(record: HeldPlanRecord) -> responses.HeldPlan:
    return responses.HeldPlan(
        digest=record.digest,
        name=plan_name(record.digest),
        namespace=record.namespace,
        connection_kind=record.connection_kind,
        connection_name=record.connection_name,
        connection=record.connection,
        total=record.total,
        irreversible=record.irreversible,
        operations=dict(record.operations),
        proposed_at=record.proposed_at,
    )


def held_change(record: HeldChangeRecord, *, full: bool) -> responses.HeldChange:
    change, proposer = record.change, record.proposer
    platform, subject = change["subject"]
    return responses.HeldChange(
        id=record.change_id,
        operation=change["op"],
        platform=platform,
        subject=subject if full else mask_numbers(subject),
        before=change["from"] if full else masked(change["from"]),
        after=change["to"] if full else masked(change["to"]),
        irreversible=change["irreversible"],
        cause=record.cause,
        proposer=f"{proposer['kind']} {proposer['namespace']}/{proposer['name']}",
        range=record.range_name or None,
        proposed_at=record.proposed_at,
    )


def pool(record: PoolRecord) -> responses.Pool:
    return responses.Pool(
        account=record.account,
        month=record.month,
        currency=record.currency,
        period_start=record.period_start,
        period_end=record.period_end,
        minutes_seconds=record.entitlement_seconds,
        used_seconds=record.used_seconds,
        held_seconds=record.held_seconds,
        free_seconds=record.entitlement_seconds - record.used_seconds - record.held_seconds,
        grace_seconds=record.grace_used_seconds,
        live_calls=record.live_calls,
        spent=amount_text(record.posted_micros),
        held_money=amount_text(record.held_micros),
        unsecured=amount_text(record.unsecured_micros),
    )


def statement_head(record: StatementRecord) -> responses.StatementHead:
    return responses.StatementHead(**_head(record))


def statement(record: StatementRecord, *, full: bool) -> responses.Statement:
    document = dict(record.document) if full else masked(record.document)
    return responses.Statement(**_head(record), document=document, masked=not full)


def _head(record: StatementRecord) -> dict[str, Any]:
    return {
        "account": record.account,
        "month": record.month,
        "number": record.number,
        "digest": record.digest,
        "closed_at": record.closed_at,
        "currency": record.document["currency"],
        "net": record.document["net"],
        "total": record.document["total"],
    }


def posting(record: PostingRecord, *, full: bool) -> responses.Posting:
    is_time = record.unit == SECONDS
    return responses.Posting(
        id=record.id,
        at=record.at,
        account=record.account,
        month=record.month,
        debit=record.debit,
        credit=record.credit,
        unit=record.unit,
        amount=str(record.amount) if is_time else amount_text(record.amount),
        purpose=record.purpose,
        attempt=record.attempt_id if full else mask_numbers(record.attempt_id),
        presumed=record.presumed,
        reverses=record.reverses,
        adjusts=record.adjusts,
    )


def masked(content: Any) -> Any:
    """JSON with every number in its texts masked, names of its fields included."""
    if isinstance(content, str):
        return mask_numbers(content)
    if isinstance(content, Mapping):
        return {mask_numbers(name): masked(value) for name, value in content.items()}
    if isinstance(content, list):
        return [masked(each) for each in content]
    return content


def _text(text: str | None, *, full: bool) -> str | None:
    if not text:
        return None
    return text if full else mask_numbers(text)
