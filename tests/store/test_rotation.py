"""Passwords of the database change while everything runs: sessions go on, new ones sign in anew."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from callplane.store import schema
from callplane.store.decks_postgres import PostgresDecks
from callplane.store.ports import StoreUnavailable
from callplane.store.postgres import PostgresRegister
from callplane.store.sessions import SessionLimits, Sessions

SESSIONS = 8
ROLE, FIRST, SECOND = "rotating_service", "rotating_a", "rotating_b"


@pytest.fixture
def owner(database_dsn: str) -> Iterator[psycopg.Connection]:
    """The owner, and two roles that sign in with the rights of the service's."""
    with psycopg.connect(database_dsn, autocommit=True) as session:
        for role in (ROLE, FIRST, SECOND):
            session.execute(f"drop role if exists {role}")
        session.execute(f"create role {ROLE}")
        for role in (FIRST, SECOND):
            session.execute(f"create role {role} login password 'of-{role}' in role {ROLE}")
        schema.upgrade(database_dsn, service_role=ROLE)
        yield session
        session.execute(f"drop owned by {ROLE}")
        session.execute(f"drop role {FIRST}, {SECOND}, {ROLE}")


def address(dsn: str, role: str) -> str:
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{role}:of-{role}@{rest.rpartition('@')[2]}\n"


async def signed_in(sessions: Sessions) -> str:
    async with sessions.session() as session:
        row = await (await session.execute("select session_user")).fetchone()
        assert row is not None
        # Long enough that the next one who asks needs a session of its own.
        await session.execute("select pg_sleep(0.3)")
        return str(row[0])


async def test_two_roles_take_turns_and_nothing_fails(
    owner: psycopg.Connection, database_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "uri"
    file.write_text(address(database_dsn, FIRST))
    sessions = Sessions(f"file://{file}", SessionLimits(sessions=SESSIONS))
    await sessions.open()
    try:
        assert await signed_in(sessions) == FIRST
        file.write_text(address(database_dsn, SECOND))
        owner.execute(f"alter role {FIRST} nologin")
        # The session that is open goes on; those that are made now are the other role's.
        found = await asyncio.gather(*(signed_in(sessions) for _ in range(SESSIONS)))
        assert sorted(set(found)) == [FIRST, SECOND], found
    finally:
        await sessions.close()


async def test_a_password_is_changed_in_place(
    owner: psycopg.Connection, database_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "uri"
    file.write_text(address(database_dsn, FIRST))
    register = PostgresRegister(f"file://{file}")
    await register.open()
    try:
        assert await register.connections() == ()
        owner.execute(f"alter role {FIRST} password 'another'")
        # Whoever is signed in stays so.
        assert await register.connections() == ()
        file.write_text(address(database_dsn, FIRST).replace(f"of-{FIRST}", "another"))
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (FIRST,)
        )
        # Every session that was cut off is noticed once, and none is made with the old password.
        for _ in range(SESSIONS):
            with contextlib.suppress(StoreUnavailable):
                await register.connections()
        assert await register.connections() == ()
    finally:
        await register.close()
    assert list(PostgresDecks(f"file://{file}").rates("0" * 64)) == []


async def test_a_file_that_is_not_there_is_a_database_that_is_away(
    owner: psycopg.Connection, database_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "uri"
    register = PostgresRegister(f"file://{file}")
    await register.open()
    try:
        with pytest.raises(StoreUnavailable):
            await register.connections()
        file.write_text("\n")
        with pytest.raises(StoreUnavailable, match="is empty"):
            schema.upgrade(f"file://{file}")
        file.write_text(address(database_dsn, FIRST))
        assert await register.connections() == ()
    finally:
        await register.close()
