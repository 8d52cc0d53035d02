"""The tables of call control over PostgreSQL. What is written together is one transaction under
the lock of one row, so that versions come in the order of commits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

import psycopg

from callplane.store import addresses, books_statements
from callplane.store.books_ports import Payer
from callplane.store.call_tables import Dialog, Entry, Holders, Passage, StoredEntry
from callplane.store.sessions import SessionLimits, Sessions, session_options

RETRY_SECONDS: Final = 0.5
#: Reading everything of a large estate takes longer than an answer to a call may.
LIMITS: Final = SessionLimits(sessions=2, answer_seconds=30.0)

_WRITE = "select calls.write(%s, %s, %s, %s, %s)"
# One statement sees one state of the database.
_READ = """
select state.version, state.version < %(known)s, kind, name, owner, content, installation
from calls.state as state
left join calls.entries as entries on entries.version >
    case when state.version < %(known)s then 0 else %(known)s end
"""
_COUNTRIES = "select account, country from calls.countries"
_CALLED = "insert into calls.countries values (%s, %s, %s) on conflict do nothing"
_REGISTERED = "insert into calls.registrations values (%s, %s, %s, %s) on conflict do nothing"
_ALL_REGISTERED = "select line from calls.registrations where account = %s and period_start = %s"
_DIALOG = "insert into calls.dialogs values (%s, %s, %s, %s) on conflict do nothing"
_OVER = """
delete from calls.dialogs as dialog where not exists (
    select from books.reservations as held where held.attempt_id = dialog.attempt_id
    and held.state in ('Held', 'Active'))
"""
# A grant counts from the answer; what ended a while ago has ended at the SBC as well.
_NEAR_END = """
with ends as (
    select attempt_id, answered_at + make_interval(
        secs => pool_seconds + priced_seconds + grace_seconds + free_seconds) as at
    from books.reservations where state = 'Active' and not is_final)
select attempt_id, boot_id, he, hi from calls.dialogs join ends using (attempt_id)
where at between %(now)s - interval '2 seconds' and %(now)s + make_interval(secs => %(within)s)
order by at
"""
_LISTEN = "listen callplane_calls"


class PostgresCallTables:
    """`CallTables` over the database at `dsn`, a `postgresql://` URI. `listen_dsn` goes straight
    to the server where `dsn` goes to a pooler.
    """

    def __init__(
        self, dsn: str, *, limits: SessionLimits | None = None, listen_dsn: str | None = None
    ) -> None:
        self._limits = limits or LIMITS
        self._sessions = Sessions(dsn, self._limits)
        self._listen_dsn = listen_dsn or dsn

    async def open(self) -> None:
        await self._sessions.open()

    async def close(self) -> None:
        await self._sessions.close()

    async def write(
        self,
        installation: str,
        entries: Sequence[Entry],
        holders: Sequence[Holders],
        *,
        now: datetime,
    ) -> int:
        columns = (
            [one.kind for one in entries],
            [one.name for one in entries],
            [one.owner for one in entries],
            [None if one.content is None else json.dumps(one.content) for one in entries],
        )
        async with self._sessions.session() as session, session.transaction():
            cursor = await session.execute(_WRITE, (installation, *columns))
            ((version,),) = await cursor.fetchall()
            # Accounts in one order, as everywhere where several are locked.
            for one in sorted(holders, key=lambda each: each.payer.account):
                period = one.payer.period
                await session.execute(
                    books_statements.SET_PLANS,
                    (
                        one.payer.account,
                        period.start,
                        period.end,
                        one.payer.currency,
                        now,
                        [held.holder for held in one.holders],
                        [held.plan for held in one.holders],
                        [held.seconds for held in one.holders],
                    ),
                )
        return int(version)

    async def read(self, known: int) -> Passage:
        async with self._sessions.session() as session:
            cursor = await session.execute(_READ, {"known": known})
            rows = await cursor.fetchall()
        version, is_another = rows[0][:2]
        entries = tuple(
            StoredEntry(Entry(kind, name, owner, content), installation)
            for _, _, kind, name, owner, content, installation in rows
            if kind is not None
        )
        return Passage(version, entries, is_whole=is_another or known == 0)

    async def countries(self) -> frozenset[tuple[str, str]]:
        async with self._sessions.session() as session:
            cursor = await session.execute(_COUNTRIES)
            return frozenset(await cursor.fetchall())

    async def called(self, account: str, country: str, *, now: datetime) -> None:
        async with self._sessions.session() as session:
            await session.execute(_CALLED, (account, country, now))

    async def note_registered(self, payer: Payer, line: str, *, now: datetime) -> None:
        key = (payer.account, payer.period.start, line)
        async with self._sessions.session() as session:
            await session.execute(_REGISTERED, (*key, now))

    async def registered(self, account: str, period_start: datetime) -> frozenset[str]:
        async with self._sessions.session() as session:
            cursor = await session.execute(_ALL_REGISTERED, (account, period_start))
            return frozenset(line for (line,) in await cursor.fetchall())

    async def note_dialog(self, dialog: Dialog) -> None:
        key = (dialog.attempt_id, dialog.boot_id, dialog.he, dialog.hi)
        async with self._sessions.session() as session:
            await session.execute(_DIALOG, key)

    async def dialogs_near_end(self, *, now: datetime, within_seconds: float) -> tuple[Dialog, ...]:
        async with self._sessions.session() as session:
            await session.execute(_OVER)
            cursor = await session.execute(_NEAR_END, {"now": now, "within": within_seconds})
            return tuple(Dialog(*row) for row in await cursor.fetchall())

    async def listen(self, *, poll_seconds: float) -> AsyncGenerator[None]:
        while True:
            try:
                session = await psycopg.AsyncConnection.connect(
                    addresses.current(self._listen_dsn), **session_options(self._limits)
                )
                async with session:
                    await session.execute(_LISTEN)
                    while True:
                        yield
                        # Many at one time are one reason to look.
                        async for _ in session.notifies(timeout=poll_seconds, stop_after=1):
                            pass
            except psycopg.OperationalError:
                await asyncio.sleep(RETRY_SECONDS)
                # What was missed while nobody listened is looked at when somebody does again.
