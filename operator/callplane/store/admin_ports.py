"""What the admin API asks of the database, as data and one protocol: pages of what is there.

Every question is asked within a `Reach`, which only an answered access review makes: one cluster,
and one of its namespaces or all of them. What lies outside is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

Row = TypeVar("Row")
#: Where a page ends: the sort key of its last row.
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """The cluster by its `installation`, and the namespace; None stands for all of them."""

    installation: str
    namespace: str | None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `limit` rows behind `after`."""

    limit: int
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`next` is where the next page begins, None when this is the last."""

    rows: tuple[Row, ...]
    next: Place | None = None


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """A number in use, reserved or resting, with who has it and who declares that."""

    number: str
    state: str
    namespace: str | None
    connection: str
    range_name: str
    number_type: str
    holder: str | None
    user_name: str | None
    declared_kind: str | None
    declared_name: str | None
    quarantined_until: datetime | None
    reason: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NumberEventRecord:
    """One event of a number's life."""

    sequence: int
    number: str
    at: datetime
    cause: str
    from_state: str
    to_state: str
    connection: str
    holder: str | None
    user_name: str | None
    declared_by: str | None
    reason: str
    is_linked: bool


@dataclass(frozen=True, slots=True)
class HeldPlanRecord:
    """A batch that waits: how much it is and whose. `operations` counts changes by operation."""

    digest: str
    namespace: str
    connection_kind: str
    connection_name: str
    connection: str
    total: int
    irreversible: int
    operations: Mapping[str, int]
    proposed_at: datetime


@dataclass(frozen=True, slots=True)
class HeldChangeRecord:
    """One change of a held batch; `change` is `Change.to_json()`."""

    change_id: str
    change: Mapping[str, Any]
    cause: str
    proposer: Mapping[str, str]
    range_name: str
    proposed_at: datetime


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """An account's month: minutes and money, used and held."""

    account: str
    month: str
    period_start: datetime
    period_end: datetime
    currency: str
    entitlement_seconds: int
    used_seconds: int
    held_seconds: int
    grace_used_seconds: int
    posted_micros: int
    held_micros: int
    unsecured_micros: int
    live_calls: int


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """A statement as it was closed."""

    account: str
    month: str
    number: int
    digest: str
    document: Mapping[str, Any] = field(repr=False)
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class PostingRecord:
    """One row of the ledger. `unit` is a currency with micro-units, or `s` with seconds."""

    id: int
    at: datetime
    account: str
    month: str
    debit: str
    credit: str
    unit: str
    amount: int
    purpose: str
    attempt_id: str
    presumed: bool
    reverses: int | None
    adjusts: datetime | None


@dataclass(frozen=True, slots=True)
class NumberFilter:
    """Empty: any."""

    state: str = ""
    range_name: str = ""
    connection: str = ""


class AdminReader(Protocol):
    """Reads and nothing else. Raises StoreUnavailable, and SchemaMismatch for another schema."""

    async def cursor_key(self) -> bytes:
        """64 bytes that seal cursors: the same for every process of a database."""
        ...

    async def numbers(
        self, reach: Reach, wanted: NumberFilter, page: PageRequest
    ) -> Page[NumberRecord]: ...

    async def number(self, reach: Reach, number: str) -> NumberRecord | None: ...

    async def number_events(
        self, reach: Reach, number: str, page: PageRequest
    ) -> Page[NumberEventRecord]:
        """Its life, as far as it was spent within the reach."""
        ...

    async def held_plans(self, reach: Reach, page: PageRequest) -> Page[HeldPlanRecord]: ...

    async def held_plan(self, reach: Reach, digest: str) -> HeldPlanRecord | None: ...

    async def held_changes(
        self, reach: Reach, digest: str, page: PageRequest
    ) -> Page[HeldChangeRecord]: ...

    async def pools(
        self, reach: Reach, page: PageRequest, *, account: str = "", month: str = ""
    ) -> Page[PoolRecord]: ...

    async def statements(
        self, reach: Reach, page: PageRequest, *, account: str = ""
    ) -> Page[StatementRecord]: ...

    async def statement(
        self, reach: Reach, number: int, *, account: str = ""
    ) -> StatementRecord | None: ...

    async def postings(
        self, reach: Reach, page: PageRequest, *, account: str, month: str
    ) -> Page[PostingRecord]: ...


def cut(rows: Sequence[tuple[Place, Row]], limit: int) -> Page[Row]:
    """A page of rows with their places, of which one more than `limit` was asked for."""
    shown = rows[:limit]
    return Page(tuple(row for _, row in shown), shown[-1][0] if len(rows) > limit else None)
