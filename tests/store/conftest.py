"""Both registers under one suite: `register` is the in-memory twin first, then PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from callplane.store import schema
from callplane.store.memory import MemoryRegister
from callplane.store.ports import Register
from callplane.store.postgres import PostgresRegister
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.fixtures import database_dsn, throw_away_postgres

__all__ = ["database_dsn", "throw_away_postgres"]

# The asserts of the checks then show what they compared.
pytest.register_assert_rewrite(
    "callplane.testing.register_contract",
    "callplane.testing.books_contract",
    "callplane.testing.books_months_contract",
    "callplane.testing.evidence_contract",
)


@pytest.fixture
def migrated_dsn(throw_away_postgres: ThrowAwayPostgres) -> Iterator[str]:
    """The DSN of a database with the newest schema and nothing in it."""
    throw_away_postgres.prepare_template("migrated", schema.upgrade)
    with throw_away_postgres.database(template="migrated") as dsn:
        yield dsn


@pytest.fixture
async def postgres_register(migrated_dsn: str) -> AsyncIterator[PostgresRegister]:
    register = PostgresRegister(migrated_dsn)
    await register.open()
    yield register
    await register.close()


@pytest.fixture(params=["memory", "postgres"])
async def register(request: pytest.FixtureRequest) -> AsyncIterator[Register]:
    if request.param == "memory":
        yield MemoryRegister()
        return
    dsn = request.getfixturevalue("migrated_dsn")
    postgres = PostgresRegister(dsn)
    await postgres.open()
    yield postgres
    await postgres.close()
