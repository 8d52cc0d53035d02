"""What the admin API answers: the contract with whoever reads it. Fields are added and never change
their meaning within `/v1`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Item = TypeVar("Item")


class Response(BaseModel):
    """Camel case outside, and nothing that is not described."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class PageOf(Response, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    masked: bool = Field(description="Whether numbers are masked, as in +44…0001.")


class DeclaredBy(Response):
    """The object that declares a holder."""

    kind: str
    name: str


class Number(Response):
    """One number in use, reserved or resting. Free numbers are not listed."""

    number: str
    state: str
    namespace: str | None
    connection: str
    range: str | None = Field(description="NAMESPACE/NAME of its range or PhoneNumber.")
    type: str | None
    holder: str | None
    user_name: str | None
    declared_by: DeclaredBy | None
    quarantined_until: datetime | None
    reason: str | None
    updated_at: datetime


class NumberEvent(Response):
    """One event of a number's life."""

    sequence: int
    at: datetime
    cause: str
    from_state: str
    to_state: str
    connection: str
    holder: str | None
    user_name: str | None
    declared_by: str | None
    reason: str | None
    chained: bool = Field(description="Whether the event is in the chain of hashes already.")


class HeldPlan(Response):
    """A batch of changes that waits for an approval of its digest."""

    digest: str
    name: str = Field(description="Name of the ChangePlan.")
    namespace: str
    connection_kind: str
    connection_name: str
    connection: str
    total: int
    irreversible: int
    operations: dict[str, int]
    proposed_at: datetime


class HeldChange(Response):
    """One change of a held batch."""

    id: str
    operation: str
    platform: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    irreversible: bool
    cause: str
    proposer: str = Field(description="KIND NAMESPACE/NAME of the object that proposes it.")
    range: str | None
    proposed_at: datetime


class Pool(Response):
    """An account's month. Money is text in the currency's main unit."""

    account: str
    month: str
    currency: str
    period_start: datetime
    period_end: datetime
    minutes_seconds: int
    used_seconds: int
    held_seconds: int
    free_seconds: int
    grace_seconds: int
    live_calls: int
    spent: str
    held_money: str
    unsecured: str


class StatementHead(Response):
    """A closed statement without its lines."""

    account: str
    month: str
    number: int
    digest: str
    closed_at: datetime
    currency: str
    net: str
    total: str


class Statement(StatementHead):
    """A closed statement; `document` is what the paper says. The digest is that of the full one."""

    document: dict[str, Any]
    masked: bool


class Posting(Response):
    """One row of the ledger. In seconds when `unit` is `s`, else money as text."""

    id: int
    at: datetime
    account: str
    month: str
    debit: str
    credit: str
    unit: str
    amount: str
    purpose: str
    attempt: str
    presumed: bool
    reverses: int | None
    adjusts: datetime | None


class ProblemDetails(Response):
    """RFC 9457. `code` is stable; `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[dict[str, str]] = []
