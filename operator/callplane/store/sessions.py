"""Sessions with PostgreSQL: a pool that fails quickly, recovers quickly, and never waits for ever.

Called by `postgres` and `listening`. Whatever ends a session, or an answer that does not come in
time, is `StoreUnavailable`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from callplane.errors import scrub
from callplane.store import addresses, schema
from callplane.store.ports import StoreUnavailable

_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # After a failover the pool may still know a server that only answers questions.
    psycopg.errors.ReadOnlySqlTransaction,
)


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """`wait_seconds` for a free session, `answer_seconds` for any one answer. Sessions that are
    `read_only` refuse to write, and a standby will do for them.
    """

    sessions: int = 8
    wait_seconds: float = 2.0
    answer_seconds: float = 5.0
    read_only: bool = False


def session_options(limits: SessionLimits) -> dict[str, Any]:
    """Parameters of libpq for every session of ours."""
    timeout_milliseconds = round(limits.answer_seconds * 1000)
    read_only = " -c default_transaction_read_only=on" if limits.read_only else ""
    return {
        "autocommit": True,
        "application_name": "callplane",
        "connect_timeout": max(2, round(limits.wait_seconds)),
        "options": f"-c statement_timeout={timeout_milliseconds} -c timezone=UTC{read_only}",
        "target_session_attrs": "any" if limits.read_only else "read-write",
        "tcp_user_timeout": timeout_milliseconds,
    }


class Sessions:
    """The pool of one process. `open` before use, `close` after it; neither needs the database."""

    def __init__(self, dsn: str, limits: SessionLimits) -> None:
        self._limits = limits
        self._schema_checked = False
        self._check: asyncio.Task[None] | None = None
        self._pool = AsyncConnectionPool(
            # Asked for each session: the password may have changed since the last one.
            lambda: addresses.current(dsn),
            open=False,
            min_size=1,
            max_size=limits.sessions,
            timeout=limits.wait_seconds,
            # Giving up soon is what keeps the pauses between attempts short while it is away.
            reconnect_timeout=limits.wait_seconds,
            kwargs=session_options(limits),
            name="register",
        )

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        if self._check is not None:
            self._check.cancel()
        await self._pool.close()

    @asynccontextmanager
    async def session(
        self, *, answer_seconds: float | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """Lend a session in autocommit. Raises StoreUnavailable, and SchemaMismatch."""
        try:
            async with self._pool.connection() as connection:
                watchdog = asyncio.get_running_loop().call_later(
                    (answer_seconds or self._limits.answer_seconds) + 0.5, _cut, connection
                )
                try:
                    if not self._schema_checked:
                        await self._check_schema(connection)
                    yield connection
                finally:
                    watchdog.cancel()
        except _UNAVAILABLE as error:
            self._renew()
            raise StoreUnavailable(f"PostgreSQL: {scrub(str(error))}") from error

    async def _check_schema(self, connection: AsyncConnection) -> None:
        try:
            cursor = await connection.execute(schema.VERSION_QUERY)
            row = await cursor.fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
        except psycopg.errors.InsufficientPrivilege:
            raise schema.SchemaMismatch(
                "the database's schema may not be read by this role: run the upgrade, which "
                "grants what is needed"
            ) from None
        schema.check(None if row is None else row[0])
        self._schema_checked = True

    def _renew(self) -> None:
        """Have the other sessions looked at too: when one is lost, mostly all are."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._renew_all())

    async def _renew_all(self) -> None:
        with suppress(psycopg.Error):
            await self._pool.check()


def _cut(connection: AsyncConnection) -> None:
    """End a session whose server says nothing. Cancelling would ask that very server."""
    with suppress(OSError, psycopg.Error):
        duplicate = socket.socket(fileno=os.dup(connection.pgconn.socket))
        with duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
