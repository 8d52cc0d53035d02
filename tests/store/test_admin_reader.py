"""The admin API's reader sees what its reach says, like its twin in memory, in a role that can do
nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callplane.store import admin_postgres, schema
from callplane.store.admin_ports import NumberFilter, PageRequest, Reach
from callplane.store.admin_postgres import PostgresAdminReader
from callplane.store.ports import StoreUnavailable
from callplane.testing import admin_api_rows
from callplane.testing.admin_api_world import (
    ACCOUNT_B,
    DIGEST,
    ELSEWHERE,
    FOREIGN,
    HERE,
    MONTH,
    NUMBERS,
    OF_A,
    OF_B,
    TEAM_A,
    TEAM_B,
    MemoryAdminReader,
)

REACHES = [
    Reach(installation, namespace)
    for installation in (HERE, ELSEWHERE, "no-cluster")
    for namespace in (None, TEAM_A, TEAM_B, "no-team", "")
]
ANY = NumberFilter()


@pytest.fixture
def reader_dsn(migrated_dsn: str) -> str:
    admin_api_rows.fill(migrated_dsn, HERE)
    return admin_api_rows.as_reader(migrated_dsn)


@pytest.fixture
async def reader(reader_dsn: str) -> AsyncIterator[PostgresAdminReader]:
    made = PostgresAdminReader(reader_dsn)
    await made.open()
    yield made
    await made.close()


async def seen(reader: Any, reach: Reach, page: PageRequest) -> dict[str, Any]:
    """Everything that a reader shows, posting ids apart: the database gives those."""
    numbers = [*OF_A, *OF_B, FOREIGN]
    events = [
        (row.number, row.at, row.cause, row.holder, row.user_name, row.declared_by)
        for number in numbers
        for row in (await reader.number_events(reach, number, page)).rows
    ]
    postings = (await reader.postings(reach, page, account=ACCOUNT_B, month=MONTH)).rows
    return {
        "numbers": await reader.numbers(reach, ANY, page),
        "of range": await reader.numbers(reach, NumberFilter(range_name="team-b/main"), page),
        "of state": await reader.numbers(reach, NumberFilter(state="Quarantined"), page),
        "of connection": await reader.numbers(reach, NumberFilter(connection="teams/x"), page),
        "one by one": [await reader.number(reach, number) for number in numbers],
        "events": events,
        "plans": await reader.held_plans(reach, page),
        "plan": await reader.held_plan(reach, DIGEST),
        "another plan": await reader.held_plan(reach, "cp1:" + "0" * 64),
        "changes": await reader.held_changes(reach, DIGEST, page),
        "pools": await reader.pools(reach, page),
        "pool": await reader.pools(reach, page, account=ACCOUNT_B, month=MONTH),
        "another month": await reader.pools(reach, page, month="2026-09"),
        "statements": await reader.statements(reach, page),
        "statement": await reader.statement(reach, 2),
        "of account": await reader.statement(reach, 2, account="team-b/support"),
        "postings": [(row.account, row.month, row.debit, row.amount) for row in postings],
    }


@pytest.mark.parametrize("reach", REACHES, ids=str)
async def test_it_shows_what_its_twin_shows(reader: PostgresAdminReader, reach: Reach) -> None:
    for limit in (1, 2, 500):
        page = PageRequest(limit)
        assert await seen(reader, reach, page) == await seen(MemoryAdminReader(), reach, page)


async def test_pages_go_on_where_the_one_before_ended(reader: PostgresAdminReader) -> None:
    reach = Reach(HERE, None)
    twin = MemoryAdminReader()
    for name in ("held_plans", "pools", "statements"):
        page = PageRequest(1)
        while True:
            found = await getattr(reader, name)(reach, page)
            expected = await getattr(twin, name)(reach, page)
            assert found == expected
            if found.next is None:
                break
            page = PageRequest(1, found.next)
    rows: list[str] = []
    after = None
    while True:
        numbers = await reader.numbers(reach, ANY, PageRequest(2, after))
        rows += [row.number for row in numbers.rows]
        after = numbers.next
        if after is None:
            break
    assert rows == list(NUMBERS[:5])


@pytest.mark.parametrize(
    ("statement", "guard"),
    [
        ("_NUMBERS", "installation = %(installation)s and "),
        ("_NUMBERS", admin_postgres._NAMESPACE),
        ("_NUMBER", admin_postgres._NAMESPACE),
        ("_NUMBER_EVENTS", admin_postgres._NAMESPACE),
        ("_HELD_PLANS", admin_postgres._NAMESPACE),
        ("_HELD_CHANGES", admin_postgres._NAMESPACE),
        ("_POOLS", admin_postgres._NAMESPACE),
        ("_STATEMENTS", admin_postgres._NAMESPACE),
        ("_POSTINGS", admin_postgres._NAMESPACE),
    ],
)
async def test_a_missing_guard_shows(
    reader: PostgresAdminReader, monkeypatch: pytest.MonkeyPatch, statement: str, guard: str
) -> None:
    known = getattr(admin_postgres, statement)
    assert guard in known
    without = known.replace(guard, "" if guard.endswith("and ") else "true")
    monkeypatch.setattr(admin_postgres, statement, without)
    page = PageRequest(500)
    differs = [
        reach
        for reach in REACHES
        if await seen(reader, reach, page) != await seen(MemoryAdminReader(), reach, page)
    ]
    assert differs


REFUSED = (
    "select * from register.numbers",
    "select * from register.holders",
    "select * from register.number_event_people",
    "select * from register.intents",
    "select * from books.cdrs",
    "select * from books.postings",
    "select * from books.evidence",
    "select * from books.notices",
    "select * from calls.entries",
    "select * from decks.prices",
    "select nextval('register.version')",
    "insert into admin_api.cursor_key (key) values ('x')",
    "update admin_api.cursor_key set key = key",
    # A view of one table could be written to.
    "update admin_api.pools set used_seconds = 0",
    "delete from admin_api.pools",
    "create table admin_api.mine (x int)",
    "create schema mine",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_its_role_can_do_nothing_else(reader_dsn: str, statement: str) -> None:
    with psycopg.connect(reader_dsn, autocommit=True) as session:
        session.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


async def test_its_sessions_refuse_to_write_whatever_the_role(migrated_dsn: str) -> None:
    reader = PostgresAdminReader(migrated_dsn)
    await reader.open()
    try:
        async with reader._sessions.session() as session:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await session.execute("delete from register.numbers")
    except StoreUnavailable:
        # What a failed-over server says is taken for its absence; the row is there all the same.
        pass
    finally:
        await reader.close()


async def test_every_process_seals_with_the_same_key(reader_dsn: str, migrated_dsn: str) -> None:
    first, second = PostgresAdminReader(reader_dsn), PostgresAdminReader(migrated_dsn)
    for each in (first, second):
        await each.open()
    assert await first.cursor_key() == await second.cursor_key()
    assert len(set(await first.cursor_key())) > 32
    for each in (first, second):
        await each.close()


async def test_its_address_may_be_in_a_file_that_comes_later(
    reader_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "uri"
    reader = PostgresAdminReader(f"file://{file}")
    await reader.open()
    try:
        with pytest.raises(StoreUnavailable):
            await reader.pools(Reach(HERE, None), PageRequest(1))
        file.write_text(reader_dsn)

        async def answers() -> bool:
            try:
                return bool((await reader.pools(Reach(HERE, None), PageRequest(1))).rows)
            except StoreUnavailable:
                return False

        while not await answers():
            pass
    finally:
        await reader.close()


async def test_a_number_without_an_object_belongs_to_its_range_then_to_its_connection(
    reader: PostgresAdminReader, migrated_dsn: str
) -> None:
    with psycopg.connect(migrated_dsn, autocommit=True) as session:
        session.execute("update register.numbers set declared_by = null")
        session.execute("update register.numbers set range_name = '' where number = %s", (OF_B[0],))
    page = PageRequest(500)
    of_b = await reader.numbers(Reach(HERE, TEAM_B), ANY, page)
    assert [row.number for row in of_b.rows] == [OF_B[1]]
    # The connection is this cluster's, and declared in team A.
    of_a = await reader.numbers(Reach(HERE, TEAM_A), ANY, page)
    assert [row.number for row in of_a.rows] == [*OF_A, OF_B[0], FOREIGN]


async def test_a_redacted_event_belongs_to_nobody(
    reader: PostgresAdminReader, migrated_dsn: str
) -> None:
    with psycopg.connect(migrated_dsn, autocommit=True) as session:
        session.execute("delete from register.number_event_people")
    page = PageRequest(500)
    assert (await reader.number_events(Reach(HERE, TEAM_A), OF_A[0], page)).rows == ()
    (event,) = (await reader.number_events(Reach(HERE, None), OF_A[0], page)).rows
    assert (event.holder, event.user_name, event.declared_by) == (None, None, None)


async def test_an_older_schema_is_said(database_dsn: str) -> None:
    reader = PostgresAdminReader(database_dsn)
    await reader.open()
    with pytest.raises(schema.SchemaMismatch, match="no schema"):
        await reader.pools(Reach(HERE, None), PageRequest(1))
    await reader.close()
