"""The history of numbers in PostgreSQL: read, chain, verify, redact. Called by `postgres`."""

from __future__ import annotations

from callplane.store import chain, listening, rows, statements
from callplane.store.ports import ChainReport, Checkpoint, NumberEvent
from callplane.store.sessions import Sessions
from callplane.values import E164, HolderId

_VERIFY_PAGE = 2000
# link, then the four personal columns, then the event's.
_PERSONAL = slice(1, 5)
_EVENT = slice(5, None)


class History:
    """The part of `Register` that is about events; the methods are described there."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def of_number(self, number: E164) -> tuple[NumberEvent, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.HISTORY, (number.text,))
            return tuple(
                chain.public_event(
                    rows.chained_event(columns[_EVENT]),
                    rows.personal(columns[_PERSONAL]),
                    columns[0],
                )
                for columns in await cursor.fetchall()
            )

    async def link_events(self, *, limit: int) -> int:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.HAS_UNLINKED)
            if await cursor.fetchone() == (False,):
                return 0
            async with session.transaction():
                cursor = await session.execute(statements.TRY_LINKER_LOCK)
                if await cursor.fetchone() == (False,):
                    return 0
                cursor = await session.execute(statements.CHAIN_HEAD)
                position, head = await cursor.fetchone() or (0, chain.GENESIS)
                cursor = await session.execute(statements.TAKE_UNLINKED, (limit,))
                events = [rows.chained_event(columns) for columns in await cursor.fetchall()]
                if not events:
                    return 0
                links = []
                for event in events:
                    head = chain.link(head, event)
                    links.append(head)
                positions = list(range(position + 1, position + 1 + len(events)))
                await session.execute(
                    statements.ADD_LINKS,
                    (positions, [event.sequence for event in events], links),
                )
                await session.execute(statements.ADD_CHECKPOINT, (positions[-1], head))
                return len(events)

    async def verify(self, checkpoint: Checkpoint | None) -> ChainReport:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.CHECKPOINTS)
            expected = [Checkpoint(at, link.hex()) for at, link in await cursor.fetchall()]
        verifier = chain.Verifier([*expected, checkpoint] if checkpoint else expected)
        position = 0
        while True:
            # A page is a session of its own, so that a long chain starves nobody.
            async with self._sessions.session() as session:
                cursor = await session.execute(statements.LINKED, (position, _VERIFY_PAGE))
                page = await cursor.fetchall()
            for position, sequence, *columns in page:
                gone = columns[5] is None
                verifier.see(
                    position,
                    sequence,
                    stored=columns[0],
                    event=None if gone else rows.chained_event(columns[_EVENT]),
                    personal=rows.personal(columns[_PERSONAL]),
                )
            if len(page) < _VERIFY_PAGE:
                break
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.COUNT_EVENTS)
            ((events, unlinked, unqueued),) = await cursor.fetchall()
        if unqueued is not None:
            verifier.see_unqueued(unqueued)
        return verifier.report(events=events, unlinked=unlinked)

    async def checkpoint(self) -> Checkpoint:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.CHAIN_HEAD)
            row = await cursor.fetchone()
            return Checkpoint(0, "") if row is None else Checkpoint(row[0], row[1].hex())

    async def redact(self, subject: E164 | HolderId) -> int:
        async with self._sessions.session() as session, session.transaction():
            if isinstance(subject, E164):
                cursor = await session.execute(statements.REDACT_NUMBER, (subject.text,))
            else:
                key = (rows.holder_key(subject),)
                cursor = await session.execute(statements.REDACT_HOLDER, key)
            await session.execute(statements.NOTIFY, (listening.payload(None),))
            return cursor.rowcount
