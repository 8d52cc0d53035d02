"""What call control, intake and people ask of the books, as data and one protocol.

A reservation is one round trip under the lock of one account's month. A settlement is counted once,
by the key of its leg, however often it is handed in. Everything that changes a balance is a posting
of the same transaction, and postings are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol

from callplane.billing.clip import Grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.increments import Increment
from callplane.billing.mediation import Leg
from callplane.billing.postings import Posting
from callplane.billing.prices import Price
from callplane.billing.quotes import Mode, Quote, RefusalReason
from callplane.billing.settlement import Settlement
from callplane.billing.terms import Limits
from callplane.values import Period


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose month and day a call counts in: chosen by its set-up and kept."""

    account: str
    currency: str
    period: Period
    day: date

    @classmethod
    def at(cls, account: str, currency: str, zone: str, setup: datetime) -> Payer:
        period = Period.of(setup, zone)
        return cls(account, currency, period, period.local_day(setup))


@dataclass(frozen=True, slots=True)
class PlanHolder:
    """A holder and one plan of his; a holder of two plans is there twice."""

    holder: str
    plan: str
    seconds: int


class ReservationState(Enum):
    """Held while it rings, Active from the answer on; the others are ends."""

    HELD = "Held"
    ACTIVE = "Active"
    POSTED = "Posted"
    VOIDED = "Voided"
    EXPIRED = "Expired"

    @property
    def is_live(self) -> bool:
        return self in (ReservationState.HELD, ReservationState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Reserve:
    """A call that wants to begin. `now` is when it is asked, `expires_at` when its hold ends."""

    attempt_id: str
    payer: Payer
    line: str
    quote: Quote
    now: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is held for a call and was pinned at its set-up. `seen_at` is its last proof of life."""

    attempt_id: str
    account: str
    period_start: datetime
    day: date
    line: str
    mode: Mode
    state: ReservationState
    granted: Grant
    pool: Increment | None
    price: Price | None
    answered_at: datetime | None
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One call to account for.

    `granted_seconds` is the grant that the settlement was computed from, None where none was known.
    `leg` is None for what is presumed of a call whose record has not come.
    """

    attempt_id: str
    payer: Payer
    line: str
    mode: Mode
    settlement: Settlement
    leg: Leg | None
    price: Price | None = None
    granted_seconds: int | None = None


class Outcome(Enum):
    """What became of an entry. CHANGED: the grant is another one by now; read and settle again."""

    SETTLED = "settled"
    DUPLICATE = "duplicate"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class StoredPosting:
    """A posting with its place in the ledger."""

    id: int
    at: datetime
    posting: Posting
    #: When the month began that this belongs to, if it was closed before.
    adjusts: datetime | None = None


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call of a month as it was accounted for. Digits are empty once they are redacted."""

    source: str
    attempt_id: str
    leg: str
    line: str
    caller: str
    destination: str
    setup: datetime
    duration_seconds: int
    mode: Mode
    pool_seconds: int
    grace_seconds: int
    uncharged_seconds: int
    charge_micros: int
    was_reserved: bool
    price: Price | None
    inbound: bool = False
    #: When the month began that the call belongs to, if another one bears its charge.
    adjusts: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One row of the books: an account, its month and what it has used."""

    account: str
    period_start: datetime
    period_end: datetime
    currency: str
    counters: Counters


#: What shows numbers of a record in suspense; `line` is one of a spool that could not be read.
SUSPENDED_DIGITS = ("caller", "dialled", "destination", "line")


@dataclass(frozen=True, slots=True)
class Suspended:
    """A record that waits: it can be read and not be rated. `record` is what is needed to retry."""

    source: str
    attempt_id: str
    leg: str
    reason: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Closing:
    """A month to close: what its statement says, and the counters it was made of."""

    payer: Payer
    counters: Counters
    document: Mapping[str, Any]
    digest: str
    postings: tuple[Posting, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosedStatement:
    """A statement as it was closed; nothing about it changes any more."""

    account: str
    period_start: datetime
    number: int
    digest: str
    closed_at: datetime
    document: Mapping[str, Any]


class Books(Protocol):
    """Pools, ceilings, reservations, records and the ledger. Methods raise StoreUnavailable."""

    async def set_plans(
        self, payer: Payer, holders: Sequence[PlanHolder], *, now: datetime
    ) -> None:
        """Who holds which plan from now on; new minutes are in this month's pool at once."""
        ...

    async def counters(self, payer: Payer) -> Counters:
        """The account's month as seen on the payer's day, opened if nobody has used it yet."""
        ...

    async def free_seconds(self, payers: Sequence[Payer], *, now: datetime) -> tuple[int, ...]:
        """What nobody has used or holds of many pools at once, in the order of the payers."""
        ...

    async def line_counters(self, account: str, line: str, *, now: datetime) -> LineCounters: ...

    async def reserve(self, request: Reserve) -> Grant | RefusalReason:
        """Hold what can be had. The same attempt again gets the same answer while it is live, and
        ATTEMPT_OVER afterwards: nothing is held for it any more, and its leg is charged once.
        """
        ...

    async def extend(
        self, attempt_id: str, limits: Limits, *, now: datetime, expires_at: datetime
    ) -> Grant | None:
        """More for a live call, under the limits of now. None: the call holds nothing any more."""
        ...

    async def answered(self, attempt_id: str, *, at: datetime, expires_at: datetime) -> bool:
        """The call was answered. False: it holds nothing any more."""
        ...

    async def void(self, attempt_id: str) -> bool:
        """The call never came about. False: it holds nothing any more."""
        ...

    async def reservations(self, attempt_ids: Sequence[str]) -> tuple[Reservation, ...]:
        """Those that there are, in the order of their attempts."""
        ...

    async def due(self, *, now: datetime, limit: int = 500) -> tuple[Reservation, ...]:
        """Live reservations whose time is over, the oldest first."""
        ...

    async def settle(self, entries: Sequence[Entry], *, now: datetime) -> tuple[Outcome, ...]:
        """Account for calls: all of them in one transaction, each leg once.

        What belongs to a month whose statement is closed is charged in the first that is open. A
        leg that is accounted for leaves suspense. A month that had ended before anybody used it is
        opened without the plans of today, unless plans were there before.
        """
        ...

    async def close_month(self, closing: Closing, *, now: datetime) -> ClosedStatement | None:
        """Number a statement and post what closing adds. A month that was closed before gives the
        statement of then. None: the counters are others by now, or the month ended less than 72 h
        ago.
        """
        ...

    async def statements(self, account: str | None = None) -> tuple[ClosedStatement, ...]:
        """Closed statements of one account, or of all, in the order of their numbers."""
        ...

    async def months(self, account: str | None = None) -> tuple[AccountMonth, ...]:
        """Every month of one account, or of all, by account and time."""
        ...

    async def plans(self, account: str, period_start: datetime) -> tuple[PlanHolder, ...]:
        """What each holder has brought into a month: the highest plan held in it, by holder."""
        ...

    async def postings(self, account: str, period_start: datetime) -> tuple[StoredPosting, ...]: ...

    async def calls(self, account: str, period_start: datetime) -> tuple[CallRow, ...]: ...

    async def known(self, keys: Sequence[tuple[str, str, str]]) -> frozenset[tuple[str, str, str]]:
        """Those of these legs that are accounted for: by source, attempt and leg."""
        ...

    async def suspend(self, records: Sequence[Suspended], *, now: datetime) -> None:
        """Keep records until they can be rated; one that waits already gets the new reason, and
        one that was settled does not wait any more.
        """
        ...

    async def suspended(self) -> tuple[Suspended, ...]: ...

    async def resume(self, keys: Sequence[tuple[str, str, str]]) -> None:
        """Forget records that were settled: by source, attempt and leg."""
        ...

    async def redact(self, account: str, *, before: datetime) -> int:
        """Take the digits out of calls set up before that; the ledger stays as it is."""
        ...

    async def redact_suspense(self, *, before: datetime) -> int:
        """Take the digits out of records that wait since before that: `SUSPENDED_DIGITS` of each.
        They still wait, and only one that has a reservation can be settled any more.
        """
        ...
