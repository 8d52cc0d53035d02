"""The books over PostgreSQL. Every call on the path of a telephone call is one round trip.

What is compared and taken under the row's lock is in the functions of the database; their pure
twins are `callplane.billing.clip` and `books_memory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from callplane.billing.clip import Grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import Limits
from callplane.store import books_rows as rows
from callplane.store import books_statements as statements
from callplane.store.books_ports import (
    AccountMonth,
    CallRow,
    Entry,
    Outcome,
    Payer,
    PlanHolder,
    Reservation,
    Reserve,
    StoredPosting,
    Suspended,
)
from callplane.store.sessions import SessionLimits, Sessions


class PostgresBooks:
    """`Books` over the database at `dsn`, a `postgresql://` URI. `open` needs no database."""

    def __init__(self, dsn: str, *, limits: SessionLimits | None = None) -> None:
        self._sessions = Sessions(dsn, limits or SessionLimits())

    async def open(self) -> None:
        await self._sessions.open()

    async def close(self) -> None:
        await self._sessions.close()

    async def set_plans(
        self, payer: Payer, holders: Sequence[PlanHolder], *, now: datetime
    ) -> None:
        columns = [[one.holder for one in holders], [one.plan for one in holders]]
        seconds = [one.seconds for one in holders]
        async with self._sessions.session() as session:
            await session.execute(statements.SET_PLANS, (*_month(payer), now, *columns, seconds))

    async def counters(self, payer: Payer) -> Counters:
        key = (payer.account, payer.period.start)
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.COUNTERS, key)
            found = await cursor.fetchone()
            if found is None:
                await session.execute(statements.OPEN_MONTH, (*_month(payer), payer.period.start))
                cursor = await session.execute(statements.COUNTERS, key)
                (found,) = await cursor.fetchall()
        return rows.counters(found).on_day(payer.day)

    async def line_counters(self, account: str, line: str, *, now: datetime) -> LineCounters:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.LINE_COUNTERS, (now, account, line, now))
            (found,) = await cursor.fetchall()
        return LineCounters(*found)

    async def reserve(self, request: Reserve) -> Grant | RefusalReason:
        price = rows.price_json(request.quote.price)
        parameters = rows.reserve_parameters(request)
        async with self._sessions.session() as session:
            cursor = await session.execute(
                statements.RESERVE, (*parameters, None if price is None else Jsonb(price))
            )
            (found,) = await cursor.fetchall()
        return rows.granted(found)

    async def extend(
        self, attempt_id: str, limits: Limits, *, now: datetime, expires_at: datetime
    ) -> Grant | None:
        cap = rows.live_day_cap(limits)
        async with self._sessions.session() as session:
            cursor = await session.execute(
                statements.EXTEND, (attempt_id, limits.ceiling_micros, cap, now, expires_at)
            )
            (found,) = await cursor.fetchall()
        if found[1] is None:
            return None
        granted = rows.granted(found)
        assert isinstance(granted, Grant)
        return granted

    async def answered(self, attempt_id: str, *, at: datetime, expires_at: datetime) -> bool:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.ANSWERED, (at, at, expires_at, attempt_id))
        return cursor.rowcount == 1

    async def void(self, attempt_id: str) -> bool:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.VOID, (attempt_id,))
            ((done,),) = await cursor.fetchall()
        return bool(done)

    async def reservations(self, attempt_ids: Sequence[str]) -> tuple[Reservation, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.RESERVATIONS, (list(attempt_ids),))
            return tuple(map(rows.reservation, await cursor.fetchall()))

    async def due(self, *, now: datetime, limit: int = 500) -> tuple[Reservation, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.DUE, (now, limit))
            return tuple(map(rows.reservation, await cursor.fetchall()))

    async def settle(self, entries: Sequence[Entry], *, now: datetime) -> tuple[Outcome, ...]:
        # Months are locked in one order, so that two batches cannot wait for one another.
        order = sorted(
            range(len(entries)),
            key=lambda nth: (entries[nth].payer.account, entries[nth].payer.period.start, nth),
        )
        documents = Jsonb([rows.entry_json(entries[nth]) for nth in order])
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.SETTLE, (now, documents))
            found = [Outcome(text) for (text,) in await cursor.fetchall()]
        placed = sorted(zip(order, found, strict=True), key=lambda pair: pair[0])
        return tuple(outcome for _, outcome in placed)

    async def months(self, account: str | None = None) -> tuple[AccountMonth, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.MONTHS, (account, account))
            return tuple(map(rows.account_month, await cursor.fetchall()))

    async def postings(self, account: str, period_start: datetime) -> tuple[StoredPosting, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.POSTINGS, (account, period_start))
            return tuple(map(rows.stored_posting, await cursor.fetchall()))

    async def calls(self, account: str, period_start: datetime) -> tuple[CallRow, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.CALLS, (account, period_start))
            return tuple(map(rows.call_row, await cursor.fetchall()))

    async def suspend(self, records: Sequence[Suspended], *, now: datetime) -> None:
        async with self._sessions.session() as session, session.transaction():
            for one in records:
                key = (one.source, one.attempt_id, one.leg)
                await session.execute(
                    statements.SUSPEND, (*key, one.reason, Jsonb(dict(one.record)), now)
                )

    async def suspended(self) -> tuple[Suspended, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.SUSPENDED)
            return tuple(map(rows.suspended, await cursor.fetchall()))

    async def resume(self, keys: Sequence[tuple[str, str, str]]) -> None:
        async with self._sessions.session() as session, session.transaction():
            for key in keys:
                await session.execute(statements.RESUME, key)

    async def redact(self, account: str, *, before: datetime) -> int:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.REDACT, (account, before))
        return cursor.rowcount


def _month(payer: Payer) -> tuple[str, datetime, datetime, str]:
    return (payer.account, payer.period.start, payer.period.end, payer.currency)
