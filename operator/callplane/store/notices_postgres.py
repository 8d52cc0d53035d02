"""Notices over PostgreSQL; their twin is `notices_memory`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from callplane.billing.notices import NoticeKind, Threshold
from callplane.store.books_ports import Payer
from callplane.store.notices_ports import Delivery, DeliveryState, Notice
from callplane.store.sessions import SessionLimits, Sessions

CROSS = """
with new as (
    insert into books.notices (account, period_start, what, percent, limit_amount, used_amount,
        crossed_at)
    select %s, %s, what, percent, limit_amount, used_amount, %s
    from unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
        as given (what, percent, limit_amount, used_amount)
    on conflict do nothing returning *
), addressed as (
    insert into books.notice_deliveries (account, period_start, what, percent, limit_amount, target,
        state, next_at)
    select account, period_start, what, percent, limit_amount, target, 'Waiting', crossed_at
    from new cross join unnest(%s::text[]) as target
)
select what, percent, limit_amount from new
"""
TAKE = """
update books.notice_deliveries as d set state = 'Sending', attempts = d.attempts + 1
from books.notices as n
where (d.account, d.period_start, d.what, d.percent, d.limit_amount, d.target) in (
    select account, period_start, what, percent, limit_amount, target
    from books.notice_deliveries where state = 'Waiting' and next_at <= %s
    order by next_at, target limit %s for update skip locked)
and n.account = d.account and n.period_start = d.period_start and n.what = d.what
and n.percent = d.percent and n.limit_amount = d.limit_amount
returning d.account, d.period_start, d.what, d.percent, d.limit_amount, n.used_amount, n.crossed_at,
    d.target, d.attempts
"""
END = """
update books.notice_deliveries set state = %s, next_at = coalesce(%s, next_at)
where account = %s and period_start = %s and what = %s and percent = %s and limit_amount = %s
and target = %s and state = 'Sending'
"""
ABANDON = "update books.notice_deliveries set state = 'Unknown' where state = 'Sending'"
STATES = "select state, count(*) from books.notice_deliveries group by state"


class PostgresNotices:
    """`NoticeBook` over the database at `dsn`. `open` needs no database."""

    def __init__(self, dsn: str, *, limits: SessionLimits | None = None) -> None:
        self._sessions = Sessions(dsn, limits or SessionLimits(sessions=2))

    async def open(self) -> None:
        await self._sessions.open()

    async def close(self) -> None:
        await self._sessions.close()

    async def cross(
        self,
        payer: Payer,
        thresholds: Sequence[Threshold],
        *,
        targets: Sequence[str],
        now: datetime,
    ) -> tuple[Notice, ...]:
        if not thresholds:
            return ()
        columns = (
            [one.what for one in thresholds],
            [one.percent for one in thresholds],
            [one.limit_amount for one in thresholds],
            [one.used_amount for one in thresholds],
        )
        key = (payer.account, payer.period.start, now)
        async with self._sessions.session() as session:
            cursor = await session.execute(CROSS, (*key, *columns, sorted(set(targets))))
            new = set(await cursor.fetchall())
        return tuple(
            Notice(payer.account, payer.period.start, one, now)
            for one in thresholds
            if (one.what, one.percent, one.limit_amount) in new
        )

    async def take(self, *, now: datetime, limit: int = 50) -> tuple[Delivery, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(TAKE, (now, limit))
            rows = await cursor.fetchall()
        found = []
        for account, start, what, percent, limit_amount, used, at, target, attempts in rows:
            kind, _, about = what.partition(" ")
            threshold = Threshold(NoticeKind(kind), percent, limit_amount, used, about)
            found.append(Delivery(Notice(account, start, threshold, at), target, attempts))
        return tuple(sorted(found, key=lambda one: (one.notice.key, one.target)))

    async def end(
        self, delivery: Delivery, state: DeliveryState, *, next_at: datetime | None = None
    ) -> None:
        key = (*delivery.notice.key, delivery.target)
        async with self._sessions.session() as session:
            await session.execute(END, (state.value, next_at, *key))

    async def abandon(self) -> int:
        async with self._sessions.session() as session:
            cursor = await session.execute(ABANDON)
        return cursor.rowcount

    async def states(self) -> dict[DeliveryState, int]:
        async with self._sessions.session() as session:
            cursor = await session.execute(STATES)
            return {DeliveryState(state): count for state, count in await cursor.fetchall()}
