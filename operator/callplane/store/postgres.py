"""The register over PostgreSQL: what the engine works with in production.

Every hot call is one round trip. SQL is in `statements` and `migrations/sql`, conversion in `rows`,
the rules that both implementations share in `commits`, `holding`, `rebuilding` and `chain`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from callplane.store import commits, holding, listening, rebuilding, rows, statements
from callplane.store.history import History
from callplane.store.holding import HoldRequest
from callplane.store.ports import (
    ChainReport,
    Checkpoint,
    Commit,
    Committed,
    ConnectionRow,
    DatabaseIdentity,
    EpochLost,
    HeldElsewhere,
    IllegalCommit,
    MoveRefused,
    NumberEvent,
    NumberRow,
    ObservedNumber,
    RegisterState,
)
from callplane.store.sessions import SessionLimits, Sessions
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId, NumberSpan

_EPOCH_LOST = "CP001"
_MOVE_REFUSED = "CP002"
_REBUILD_SECONDS = 120.0


class PostgresRegister:
    """`Register` over the database at `dsn`, a `postgresql://` URI.

    `open` needs no database; the first use of one raises SchemaMismatch when it is not ours.
    `listen_dsn` goes straight to the server where `dsn` goes to a pooler.
    """

    def __init__(
        self,
        dsn: str,
        *,
        limits: SessionLimits | None = None,
        listen_dsn: str | None = None,
        poll_seconds: float = 10.0,
    ) -> None:
        self._limits = limits or SessionLimits()
        self._sessions = Sessions(dsn, self._limits)
        self._history = History(self._sessions)
        self._listen_dsn = listen_dsn or dsn
        self._poll_seconds = poll_seconds

    async def open(self) -> None:
        await self._sessions.open()

    async def close(self) -> None:
        await self._sessions.close()

    async def hold_connection(  # noqa: PLR0913 - all are facts of one request, all named
        self,
        connection: ConnectionId,
        *,
        declared_by: DeclaringObject,
        now: datetime,
        stale_after_seconds: float,
        new_epoch: bool,
        force: bool = False,
    ) -> ConnectionRow | HeldElsewhere:
        request = HoldRequest(connection, declared_by, now, stale_after_seconds, new_epoch, force)
        async with self._sessions.session() as session, session.transaction():
            await session.execute(statements.SETTLED, _key(connection))
            cursor = await session.execute(statements.CONNECTION, _key(connection))
            known = await cursor.fetchone()
            row = None if known is None else rows.connection_row(known[:-1])
            answer = holding.decide(request, row, released=known is not None and known[-1])
            if isinstance(answer, HeldElsewhere):
                return answer
            await session.execute(
                statements.HOLD,
                (
                    *_key(connection),
                    answer.installation,
                    Jsonb(rows.declaring_object_json(answer.declared_by)),
                    answer.epoch,
                    answer.heartbeat_at,
                    answer.mirrored,
                ),
            )
            if holding.changes_hands(row, answer):
                await session.execute(statements.NOTIFY, (listening.payload(connection),))
            return answer

    async def heartbeat(
        self, connection: ConnectionId, *, epoch: int, now: datetime, mirrored: int = 0
    ) -> None:
        async with self._sessions.session() as session:
            cursor = await session.execute(
                statements.HEARTBEAT, (now, mirrored, *_key(connection), epoch)
            )
            if not cursor.rowcount:
                raise _epoch_lost(connection, epoch)

    async def release_connection(self, connection: ConnectionId, *, epoch: int) -> None:
        async with self._sessions.session() as session, session.transaction():
            await session.execute(statements.SETTLED, _key(connection))
            cursor = await session.execute(statements.RELEASE, (*_key(connection), epoch))
            if not cursor.rowcount:
                raise _epoch_lost(connection, epoch)

    async def connections(self) -> tuple[ConnectionRow, ...]:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.CONNECTIONS)
            return tuple([rows.connection_row(columns) async for columns in cursor])

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState:
        key = _key(connection)
        async with self._sessions.session() as session:
            # Asked before the snapshot is taken: everything up to here is in it, though commits
            # finish in another order than they began in.
            cursor = await session.execute(statements.SETTLED, key)
            ((sequence,),) = await cursor.fetchall()
            async with session.transaction():
                await session.execute(statements.SNAPSHOT)
                numbers = await session.execute(statements.LOAD_NUMBERS, (*key, since))
                holders = await session.execute(statements.LOAD_HOLDERS, (*key, since))
                intents = await session.execute(statements.LOAD_INTENTS, key)
                gate_rows = await session.execute(statements.LOAD_GATE_ROWS, key)
                removed = await session.execute(statements.LOAD_REMOVED, (*key, since))
            gone = await removed.fetchall()
            return RegisterState(
                numbers=tuple(map(rows.number_row, await numbers.fetchall())),
                holders=tuple(
                    rows.holder_row(connection, columns) for columns in await holders.fetchall()
                ),
                open_intents=tuple(
                    rows.intent(connection, columns) for columns in await intents.fetchall()
                ),
                gate_rows=tuple(map(rows.gate_row, await gate_rows.fetchall())),
                sequence=sequence,
                removed_numbers=tuple(E164(key) for kind, key in gone if kind == "number"),
                removed_holders=tuple(
                    rows.holder_from(key) for kind, key in gone if kind == "holder"
                ),
            )

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        commits.check(commit)
        async with self._sessions.session() as session:
            return await _write(session, connection, commit, epoch=epoch, now=now)

    async def forget_intents(self, before: datetime) -> int:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.FORGET_INTENTS, (before,))
            return cursor.rowcount

    async def numbers_in(self, first: E164, last: E164) -> tuple[NumberRow, ...]:
        NumberSpan(first, last)
        async with self._sessions.session() as session:
            cursor = await session.execute(
                statements.NUMBERS_IN, (first.text, last.text, len(first.text))
            )
            return tuple(map(rows.number_row, await cursor.fetchall()))

    async def drained_since(self, first: E164, last: E164, *, since: datetime) -> int:
        NumberSpan(first, last)
        async with self._sessions.session() as session:
            cursor = await session.execute(
                statements.DRAINED_SINCE, (first.text, last.text, len(first.text), since)
            )
            found = await cursor.fetchone()
            return int(found[0]) if found is not None else 0

    async def history(self, number: E164) -> tuple[NumberEvent, ...]:
        return await self._history.of_number(number)

    async def link_events(self, *, limit: int = 1000) -> int:
        return await self._history.link_events(limit=limit)

    async def verify(self, *, checkpoint: Checkpoint | None = None) -> ChainReport:
        return await self._history.verify(checkpoint)

    async def checkpoint(self) -> Checkpoint:
        return await self._history.checkpoint()

    async def redact(self, subject: E164 | HolderId) -> int:
        return await self._history.redact(subject)

    async def replace_from_observation(
        self,
        connection: ConnectionId,
        observed: Sequence[ObservedNumber],
        *,
        now: datetime,
        quarantined_until: datetime,
    ) -> Committed:
        numbers = [seen.number.text for seen in observed]
        session_for_long = self._sessions.session(answer_seconds=_REBUILD_SECONDS)
        async with session_for_long as session, session.transaction():
            await session.execute(f"set local statement_timeout = '{_REBUILD_SECONDS}s'")
            await session.execute(statements.SETTLED, _key(connection))
            cursor = await session.execute(statements.NUMBERS, (numbers,))
            known = {row.number: row for row in map(rows.number_row, await cursor.fetchall())}
            moves = rebuilding.moves(
                known, observed, connection=connection, quarantined_until=quarantined_until
            )
            commit = Commit(moves=moves)
            commits.check(commit)
            committed = await _write(session, connection, commit, epoch=None, now=now)
            await session.execute(statements.RAISE_EPOCH, _key(connection))
            await session.execute(statements.NOTIFY, (listening.payload(connection),))
            return committed

    async def identity(self) -> DatabaseIdentity:
        async with self._sessions.session() as session:
            cursor = await session.execute(statements.IDENTITY)
            ((identity, sequence),) = await cursor.fetchall()
            return DatabaseIdentity(identity, sequence)

    def listen(self) -> AsyncGenerator[ConnectionId | None, None]:
        return listening.listen(self._listen_dsn, self._limits, poll_seconds=self._poll_seconds)


def _key(connection: ConnectionId) -> tuple[str, str]:
    return (connection.provider, connection.external_id)


def _epoch_lost(connection: ConnectionId, epoch: int) -> EpochLost:
    return EpochLost(f"{connection} is not worked with epoch {epoch} any more")


async def _write(
    session: AsyncConnection,
    connection: ConnectionId,
    commit: Commit,
    *,
    epoch: int | None,
    now: datetime,
) -> Committed:
    moves = sorted(commit.moves, key=lambda move: move.number.text)
    document = rows.commit_json(commit, moves)
    try:
        # Within a transaction a savepoint lets the refused row still be read.
        async with session.transaction() if epoch is None else nullcontext():
            cursor = await session.execute(
                statements.COMMIT, (*_key(connection), epoch, now, document, *_key(connection))
            )
            ((version, found),) = await cursor.fetchall()
    except psycopg.DataError as error:
        raise IllegalCommit("the commit holds text that PostgreSQL cannot store") from error
    except psycopg.Error as error:
        if error.sqlstate == _EPOCH_LOST and epoch is not None:
            raise _epoch_lost(connection, epoch) from None
        if error.sqlstate == _MOVE_REFUSED:
            move = moves[int(error.diag.message_detail or 1) - 1]
            raise MoveRefused(move.number, await _number(session, move.number)) from None
        raise
    return Committed(
        numbers=tuple(
            row
            for move in moves
            if (row := commits.row_after(move, connection=connection, now=now, version=version))
        ),
        holders=tuple(
            replace(row, connection=connection, version=version) for row in commit.holders
        ),
        sequence=version,
        found=found,
    )


async def _number(session: AsyncConnection, number: E164) -> NumberRow | None:
    cursor = await session.execute(statements.NUMBER, (number.text,))
    columns = await cursor.fetchone()
    return None if columns is None else rows.number_row(columns)
