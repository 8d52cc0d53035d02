"""The schema: made once, checked by who uses it, with a clear word when it does not fit."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from alembic.script import ScriptDirectory

from callplane.store import schema
from callplane.store.ports import StoreUnavailable
from callplane.store.postgres import PostgresRegister


def objects(dsn: str) -> list[tuple[str, ...]]:
    with psycopg.connect(dsn) as session:
        return session.execute(
            "select relkind::text, relname from pg_class "
            "where relnamespace = 'register'::regnamespace order by 1, 2"
        ).fetchall()


async def open_and_ask(dsn: str) -> None:
    register = PostgresRegister(dsn)
    await register.open()
    try:
        await register.connections()
    finally:
        await register.close()


def set_version(dsn: str, version: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("update alembic_version set version_num = %s", (version,))


def test_an_upgrade_is_made_once(database_dsn: str) -> None:
    schema.upgrade(database_dsn)
    first = objects(database_dsn)
    assert ("r", "numbers") in first
    schema.upgrade(database_dsn)
    assert objects(database_dsn) == first


def test_the_head_is_the_last_migration() -> None:
    scripts = ScriptDirectory(str(schema.MIGRATIONS))
    assert scripts.get_heads() == [schema.HEAD]


async def test_two_upgrades_at_once_make_one_schema(database_dsn: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(schema.upgrade, database_dsn) for _ in range(3)))
    await open_and_ask(database_dsn)


async def test_a_database_without_schema_is_refused(database_dsn: str) -> None:
    with pytest.raises(schema.SchemaMismatch, match="has no schema of Callplane"):
        await open_and_ask(database_dsn)


async def test_an_older_schema_is_refused(migrated_dsn: str) -> None:
    set_version(migrated_dsn, "0000")
    with pytest.raises(schema.SchemaMismatch, match=r"0000, older than .* run the upgrade"):
        await open_and_ask(migrated_dsn)


async def test_a_newer_schema_is_refused(migrated_dsn: str) -> None:
    set_version(migrated_dsn, "9999")
    with pytest.raises(schema.SchemaMismatch, match="9999, newer than"):
        await open_and_ask(migrated_dsn)
    with pytest.raises(schema.SchemaMismatch, match="too old for it"):
        schema.upgrade(migrated_dsn)


async def test_the_upgrade_is_noticed_without_a_restart(database_dsn: str) -> None:
    register = PostgresRegister(database_dsn)
    await register.open()
    with pytest.raises(schema.SchemaMismatch):
        await register.connections()
    await asyncio.to_thread(schema.upgrade, database_dsn)
    assert await register.connections() == ()
    await register.close()


def test_a_failed_upgrade_leaves_nothing(database_dsn: str) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as session:
        session.execute("create schema register")
    with pytest.raises(Exception, match="already exists"):
        schema.upgrade(database_dsn)
    assert objects(database_dsn) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqlite:///file", "as in postgresql://USER:PASSWORD@HOST/NAME"),
        ("host=/nowhere dbname=callplane", "begins with postgresql://"),
    ],
)
def test_something_else_than_a_uri_of_postgresql_is_refused(address: str, said: str) -> None:
    with pytest.raises(StoreUnavailable, match=said):
        schema.upgrade(address)


def test_a_database_that_is_away_is_unavailable(migrated_dsn: str) -> None:
    with pytest.raises(StoreUnavailable):
        schema.upgrade(migrated_dsn + "-of-nobody")
