"""The books over PostgreSQL. Every call on the path of a telephone call is one round trip.

What is compared and taken under the row's lock is in the functions of the database; their pure
twins are `callplane.billing.clip` and `books_memory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from callplane.billing.clip import Grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import Limits
from callplane.store import books_rows as rows
from callplane.store import books_statements as statements
from callplane.store.books_ports import (
    SUSPENDED_DIGITS,
    AccountMonth,
    CallRow,
    ClosedStatement,
    Closing,
    Entry,
    Outcome,
    Payer,
    PlanHolder,
    Reservation,
    ReservationState,
    Reserve,
    StoredPosting,
    Suspended,
)
from callplane.store.sessions import SessionLimits, Sessions

#: Fewer calls than this are not worth a copy: they are settled one by one.
COPY_MIN = 8


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
        # Who is said to hold one plan twice holds it once.
        once = {(one.holder, one.plan): one for one in sorted(holders, key=lambda one: one.seconds)}
        columns = [[holder for holder, _ in once], [plan for _, plan in once]]
        seconds = [one.seconds for one in once.values()]
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

    async def free_seconds(self, payers: Sequence[Payer], *, now: datetime) -> tuple[int, ...]:
        keys = [[one.account for one in payers], [one.period.start for one in payers]]
        async with self._sessions.session() as session:
            await _open_past(session, payers, now)
            cursor = await session.execute(statements.FREE_SECONDS, keys)
            found = dict(await cursor.fetchall())
        free = []
        for nth, one in enumerate(payers, start=1):
            # A month that nobody has used yet is opened: it happens once.
            seconds = found[nth] if nth in found else (await self.counters(one)).free_seconds
            free.append(seconds)
        return tuple(free)

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
                statements.RESERVE,
                (request.attempt_id, *parameters, None if price is None else Jsonb(price)),
            )
            (found,) = await cursor.fetchall()
        before = found[-1]
        if before is not None and not ReservationState(before).is_live:
            return RefusalReason.ATTEMPT_OVER
        return rows.granted(found[:-1])

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
        async with self._sessions.session() as session:
            await _open_past(session, [entries[nth].payer for nth in order], now)
            if sum(map(rows.is_copied, entries)) < COPY_MIN:
                found = await _settle_each(session, [entries[nth] for nth in order], now)
            else:
                found = await _settle_copied(session, [entries[nth] for nth in order], now)
        placed = sorted(zip(order, found, strict=True), key=lambda pair: pair[0])
        return tuple(outcome for _, outcome in placed)

    async def close_month(self, closing: Closing, *, now: datetime) -> ClosedStatement | None:
        async with self._sessions.session() as session:
            document = Jsonb(rows.closing_json(closing))
            cursor = await session.execute(statements.CLOSE_MONTH, (document, now))
            found = await cursor.fetchone()
        return None if found is None else ClosedStatement(*found)

    async def statements(self, account: str | None = None) -> tuple[ClosedStatement, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.STATEMENTS, (account, account))
            return tuple(ClosedStatement(*found) for found in await cursor.fetchall())

    async def months(self, account: str | None = None) -> tuple[AccountMonth, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.MONTHS, (account, account))
            return tuple(map(rows.account_month, await cursor.fetchall()))

    async def plans(self, account: str, period_start: datetime) -> tuple[PlanHolder, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.PLANS, (account, period_start))
            return tuple(PlanHolder(*found) for found in await cursor.fetchall())

    async def postings(self, account: str, period_start: datetime) -> tuple[StoredPosting, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.POSTINGS, (account, period_start))
            return tuple(map(rows.stored_posting, await cursor.fetchall()))

    async def calls(self, account: str, period_start: datetime) -> tuple[CallRow, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.CALLS, (account, period_start))
            return tuple(map(rows.call_row, await cursor.fetchall()))

    async def known(self, keys: Sequence[tuple[str, str, str]]) -> frozenset[tuple[str, str, str]]:
        if not keys:
            return frozenset()
        columns = [list(column) for column in zip(*keys, strict=True)]
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.KNOWN, columns)
            return frozenset(await cursor.fetchall())

    async def suspend(self, records: Sequence[Suspended], *, now: datetime) -> None:
        if not records:
            return
        columns = (
            [one.source for one in records],
            [one.attempt_id for one in records],
            [one.leg for one in records],
            [one.reason for one in records],
            [Jsonb(dict(one.record)) for one in records],
        )
        async with self._sessions.session() as session:
            await session.execute(statements.SUSPEND, (now, *columns))

    async def suspended(self) -> tuple[Suspended, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.SUSPENDED)
            return tuple(map(rows.suspended, await cursor.fetchall()))

    async def resume(self, keys: Sequence[tuple[str, str, str]]) -> None:
        if keys:
            columns = [list(column) for column in zip(*keys, strict=True)]
            async with self._sessions.session() as session:
                await session.execute(statements.RESUME, columns)

    async def redact(self, account: str, *, before: datetime) -> int:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.REDACT, (account, before))
        return cursor.rowcount

    async def redact_suspense(self, *, before: datetime) -> int:
        names = list(SUSPENDED_DIGITS)
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.REDACT_SUSPENSE, (names, before, names))
        return cursor.rowcount


def _month(payer: Payer) -> tuple[str, datetime, datetime, str]:
    return (payer.account, payer.period.start, payer.period.end, payer.currency)


async def _open_past(session: AsyncConnection, payers: Sequence[Payer], now: datetime) -> None:
    """Open months that ended before anybody used them: with no plan, if none was there yet."""
    months = {_month(one): None for one in payers if one.period.end <= now}
    if months:
        columns = [list(column) for column in zip(*months, strict=True)]
        await session.execute(statements.OPEN_PAST, (*columns, now))


async def _settle_each(
    session: AsyncConnection, entries: Sequence[Entry], now: datetime
) -> list[Outcome]:
    documents = Jsonb([rows.entry_json(entry) for entry in entries])
    cursor = await session.execute(statements.SETTLE, (now, documents))
    return [Outcome(text) for (text,) in await cursor.fetchall()]


async def _settle_copied(
    session: AsyncConnection, entries: Sequence[Entry], now: datetime
) -> list[Outcome]:
    """Copy all of them; those that the database does not settle together follow one by one."""
    async with session.transaction():
        await session.execute(statements.COPY_TABLE)
        cursor = session.cursor()
        async with cursor.copy(statements.COPY) as copy:
            for row in rows.copied(entries):
                await copy.write_row(row)
        await cursor.execute(statements.SETTLE_COPIED, (now,))
        found = [text for (text,) in await cursor.fetchall()]
        alone = [nth for nth, text in enumerate(found) if text == "single"]
        if not alone:
            return [Outcome(text) for text in found]
        each = await _settle_each(session, [entries[nth] for nth in alone], now)
    late = dict(zip(alone, each, strict=True))
    return [late[nth] if nth in late else Outcome(text) for nth, text in enumerate(found)]
