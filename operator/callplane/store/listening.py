"""Tells readers that an administrator changed rows behind their back; called by `postgres`.

A listener has a session of its own, straight to the server: a pooler in between would lose what
is sent to it. Notifications are a hint and never the only way to learn of a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import psycopg

from callplane.store import addresses, statements
from callplane.store.sessions import SessionLimits, session_options
from callplane.values import ConnectionId


async def listen(
    dsn: str, limits: SessionLimits, *, poll_seconds: float, retry_seconds: float = 1.0
) -> AsyncGenerator[ConnectionId | None, None]:
    """See `Register.listen`. Close the iterator (`aclose`) to give the session back."""
    while True:
        try:
            session = await psycopg.AsyncConnection.connect(
                addresses.current(dsn), **session_options(limits)
            )
            async with session:
                await session.execute(statements.LISTEN)
                while True:
                    yield None
                    async for notice in session.notifies(timeout=poll_seconds):
                        yield _connection(notice.payload)
        except psycopg.OperationalError:
            await asyncio.sleep(retry_seconds)


def payload(connection: ConnectionId | None) -> str:
    """What a notification says; an empty one is about all connections."""
    return "" if connection is None else f"{connection.provider} {connection.external_id}"


def _connection(text: str) -> ConnectionId | None:
    provider, _, external_id = text.partition(" ")
    return ConnectionId(provider, external_id) if external_id else None
