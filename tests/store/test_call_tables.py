"""Both kinds of call control's tables: written together, read by version, never by halves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from callplane.callcontrol import refreshing
from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.cli import connecting
from callplane.store import schema
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Books, Outcome, Payer, PlanHolder, Suspended
from callplane.store.books_postgres import PostgresBooks
from callplane.store.call_tables import PHONE, CallTables, Entry, Holders, Passage
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.call_tables_postgres import PostgresCallTables
from callplane.store.evidence_postgres import PostgresEvidence
from callplane.store.schema import SchemaMismatch
from callplane.testing import books_builders as calls
from callplane.testing import call_builders as build

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
PAYER = Payer.at(build.ACCOUNT, "GBP", "Europe/London", NOW)
CLUSTER = "cluster-a"


@pytest.fixture
async def postgres_tables(migrated_dsn: str) -> AsyncIterator[tuple[CallTables, Books]]:
    tables, books = PostgresCallTables(migrated_dsn), PostgresBooks(migrated_dsn)
    await tables.open()
    await books.open()
    yield tables, books
    await tables.close()
    await books.close()


@pytest.fixture(params=["memory", "postgres"])
def both(request: pytest.FixtureRequest) -> tuple[CallTables, Books]:
    if request.param == "memory":
        books = MemoryBooks()
        return MemoryCallTables(books), books
    found: tuple[CallTables, Books] = request.getfixturevalue("postgres_tables")
    return found


@pytest.fixture
def tables(both: tuple[CallTables, Books]) -> CallTables:
    return both[0]


def entries(passage: Passage) -> list[Entry]:
    return sorted((one.entry for one in passage.entries), key=lambda one: (one.kind, one.name))


def ordered(*found: Entry) -> list[Entry]:
    return sorted(found, key=lambda one: (one.kind, one.name))


async def test_call_control_waits_for_the_schema_and_for_its_rights(database_dsn: str) -> None:
    role, password = "calls_before_the_schema", "only-for-this-test"
    with psycopg.connect(database_dsn, autocommit=True) as owner:
        owner.execute(f"create role {role} login password '{password}'")
    scheme, _, rest = database_dsn.partition("://")
    tables = PostgresCallTables(f"{scheme}://{role}:{password}@{rest.rpartition('@')[2]}")
    await tables.open()
    directory, known = TablesDirectory(), asyncio.Event()
    keeping = asyncio.create_task(refreshing.keep_fresh(tables, directory, changed=known.set))
    try:
        with pytest.raises(SchemaMismatch, match="has no schema"):
            await tables.read(0)
        # Made by somebody who does not know the role, or before there was one.
        await asyncio.to_thread(schema.upgrade, database_dsn, call_role="nobody_of_that_name")
        with pytest.raises(SchemaMismatch, match="may not be read by this role: run the upgrade"):
            await tables.read(0)
        assert not known.is_set()
        await asyncio.to_thread(schema.upgrade, database_dsn, call_role=role)
        await asyncio.wait_for(known.wait(), 60)
        assert directory.is_known
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await tables.close()


async def test_what_is_new_is_read_by_version(tables: CallTables) -> None:
    assert await tables.read(0) == Passage(0, (), is_whole=True)
    first = await tables.write(CLUSTER, build.everything(), [], now=NOW)
    whole = await tables.read(0)
    assert (whole.version, whole.is_whole) == (first, True)
    assert entries(whole) == ordered(*build.everything())
    assert {one.installation for one in whole.entries} == {CLUSTER}
    changed = build.account(ceiling="5")
    second = await tables.write(CLUSTER, [changed], [], now=NOW)
    assert second > first
    news = await tables.read(first)
    assert (news.version, entries(news), news.is_whole) == (second, [changed], False)
    assert (await tables.read(second)).entries == ()


async def test_what_is_gone_is_told_to_those_who_knew_it(tables: CallTables) -> None:
    number, line = build.line()
    known = await tables.write(CLUSTER, [number, line], [], now=NOW)
    gone = replace(line, content=None)
    await tables.write(CLUSTER, [gone], [], now=NOW)
    assert entries(await tables.read(known)) == [gone]
    back = await tables.write(CLUSTER, [line], [], now=NOW)
    news = await tables.read(known)
    assert (news.version, entries(news)) == (back, [line])


async def test_a_version_of_another_database_gets_everything(tables: CallTables) -> None:
    await tables.write(CLUSTER, build.line(), [], now=NOW)
    found = await tables.read(1000)
    assert found.is_whole
    assert entries(found) == ordered(*build.line())


async def test_plans_are_in_the_books_with_the_lines(both: tuple[CallTables, Books]) -> None:
    tables, books = both
    held = (PlanHolder("anna", build.PLAN, 600), PlanHolder("ben", build.PLAN, 300))
    await tables.write(CLUSTER, build.everything(), [Holders(PAYER, held)], now=NOW)
    assert (await books.counters(PAYER)).entitlement_seconds == 900
    # The same again brings nothing, and taking it away lowers the next month only.
    await tables.write(CLUSTER, build.everything(), [Holders(PAYER, held)], now=NOW)
    await tables.write(CLUSTER, build.everything(), [Holders(PAYER, ())], now=NOW)
    assert (await books.counters(PAYER)).entitlement_seconds == 900


async def test_countries_are_remembered(tables: CallTables) -> None:
    await tables.called(build.ACCOUNT, "FR", now=NOW)
    await tables.called(build.ACCOUNT, "FR", now=NOW)
    assert await tables.countries() == {(build.ACCOUNT, "FR")}


async def test_r7_phones_that_registered_are_kept_by_month(tables: CallTables) -> None:
    following = Payer.at(build.ACCOUNT, "GBP", "Europe/London", NOW + timedelta(days=30))
    for line in ("sip/d/phone:bob", "sip/d/phone:carol", "sip/d/phone:bob"):
        await tables.note_registered(PAYER, line, now=NOW)
    await tables.note_registered(following, "sip/d/phone:dan", now=NOW)
    await tables.note_registered(replace(PAYER, account="sales/other"), "sip/d/phone:eve", now=NOW)
    found = await tables.registered(build.ACCOUNT, PAYER.period.start)
    assert found == {"sip/d/phone:bob", "sip/d/phone:carol"}
    assert await tables.registered("sales/nobody", PAYER.period.start) == frozenset()


async def test_who_listens_hears_of_a_write_at_once(tables: CallTables) -> None:
    news = tables.listen(poll_seconds=60)
    await anext(news)
    hearing = asyncio.ensure_future(anext(news))
    await asyncio.sleep(0.05)
    assert not hearing.done()
    await tables.write(CLUSTER, build.line(), [], now=NOW)
    await asyncio.wait_for(hearing, 20)
    await news.aclose()


async def test_who_listens_looks_by_himself_after_a_while(tables: CallTables) -> None:
    news = tables.listen(poll_seconds=0.05)
    await anext(news)
    await asyncio.wait_for(anext(news), 20)
    await news.aclose()


async def test_writers_at_the_same_time_are_read_one_after_the_other(
    postgres_tables: tuple[CallTables, Books],
) -> None:
    """Nothing that commits later may have a version that a reader has passed already."""
    tables, _ = postgres_tables
    seen: dict[str, int] = {}

    async def read() -> None:
        known = 0
        while len(seen) < 40:
            passage = await tables.read(known)
            for one in passage.entries:
                seen[one.entry.name] = passage.version
            known = passage.version

    async def write(nth: int) -> None:
        entry = Entry("Number", f"+4420794600{nth:02}", "TeamsUser/a/b", {})
        await tables.write(CLUSTER, [entry], [], now=NOW)

    await asyncio.wait_for(asyncio.gather(read(), *(write(nth) for nth in range(40))), 60)
    assert len(seen) == 40


CALLS = "calls_of_test"


@pytest.fixture
def calls_dsn(database_dsn: str) -> str:
    """The DSN of call control's role in a database with the newest schema."""
    with psycopg.connect(database_dsn, autocommit=True) as owner:
        if owner.execute("select from pg_roles where rolname = %s", (CALLS,)).fetchone() is None:
            owner.execute(f"create role {CALLS} login password 'for-this-test'")
        owner.execute(f"grant connect on database {database_dsn.rpartition('/')[2]} to {CALLS}")
    schema.upgrade(database_dsn, call_role=CALLS)
    scheme, _, rest = database_dsn.partition("://")
    return f"{scheme}://{CALLS}:for-this-test@{rest.rpartition('@')[2]}"


@pytest.mark.parametrize(
    "statement",
    [
        "update calls.entries set content = '{}'",
        "insert into calls.entries values ('Line', 'a', 'b', 'c', '{}', 1)",
        "delete from calls.entries",
        "update calls.state set version = 7",
        "select calls.write('a', '{Line}', '{x}', '{y}', '{null}')",
        "update calls.countries set country = 'XX'",
        "delete from calls.countries",
        "update calls.registrations set line = 'x'",
        "delete from calls.registrations",
        "select * from register.numbers",
        "update books.postings set amount = amount + 1",
        "delete from books.postings",
        "truncate books.postings",
        "delete from books.cdrs",
        "update books.cdrs set charge_micros = 0",
        "delete from books.leg_keys",
        "insert into books.plan_holders values ('a', 'b', 'c', 1)",
        "update books.charging_sources set source = 'csv'",
        "delete from books.charging_sources",
        "insert into books.evidence select * from books.evidence",
        "update books.evidence set state = 'Confirmed'",
        "insert into books.active_users select * from books.active_users",
        "update books.active_users set users = 0",
        "insert into books.hosted_numbers select * from books.hosted_numbers",
        "insert into books.feed_positions select * from books.feed_positions",
        "insert into books.statements select * from books.statements",
        "insert into decks.prices select * from decks.prices",
    ],
)
def test_call_control_reads_what_it_decides_by_and_cannot_write_it(
    calls_dsn: str, statement: str
) -> None:
    with (
        psycopg.connect(calls_dsn, autocommit=True) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute(statement)


def test_rights_that_call_control_had_before_are_taken_back(
    calls_dsn: str, database_dsn: str
) -> None:
    with psycopg.connect(database_dsn, autocommit=True) as owner:
        owner.execute(f"grant insert, update on books.evidence, books.charging_sources to {CALLS}")
    schema.upgrade(database_dsn, call_role=CALLS)
    with psycopg.connect(calls_dsn, autocommit=True) as session:
        for statement in (
            "update books.evidence set state = 'Confirmed'",
            "update books.charging_sources set source = 'csv'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


async def test_call_control_may_do_all_its_work(calls_dsn: str, database_dsn: str) -> None:
    owner = PostgresCallTables(database_dsn)
    await owner.open()
    held = (PlanHolder("anna", build.PLAN, 600),)
    await owner.write(CLUSTER, build.everything(), [Holders(PAYER, held)], now=NOW)
    await owner.close()
    tables, books = PostgresCallTables(calls_dsn), PostgresBooks(calls_dsn)
    evidence = PostgresEvidence(calls_dsn)
    await evidence.open()
    await tables.open()
    await books.open()
    try:
        assert len((await tables.read(0)).entries) == len(build.everything())
        await tables.called(build.ACCOUNT, "FR", now=NOW)
        await tables.note_registered(PAYER, "sip/d/phone:bob", now=NOW)
        assert (await books.counters(PAYER)).entitlement_seconds == 600
        await books.line_counters(build.ACCOUNT, "anna", now=NOW)
        assert await books.due(now=NOW) == ()
        assert await evidence.claim(["trunks/teams"], "sbc", now=NOW) == {"trunks/teams": "sbc"}
        assert await evidence.claim(["trunks/teams"], "csv", now=NOW) == {"trunks/teams": "sbc"}
        # A call that is held, answered and settled, one that is given back, and one that waits.
        for attempt_id in ("a-1", "a-2"):
            asked = calls.request(attempt_id, calls.priced_quote())
            grant = await calls.granted(books, asked)
        later = asked.now + timedelta(minutes=5)
        assert await books.answered("a-1", at=asked.now, expires_at=later)
        assert await books.void("a-2")
        entry = calls.entry("a-1", 5, grant, pool=None, price=calls.PENNY)
        assert await books.settle([entry], now=later) == (Outcome.SETTLED,)
        await books.suspend([Suspended("sbc", "a-3", "1", "NoPlan", {})], now=later)
        await books.resume([("sbc", "a-3", "1")])
        assert await books.suspended() == ()
    finally:
        await evidence.close()
        await tables.close()
        await books.close()


def test_digests_of_phones_are_read_for_the_rendering_of_an_sbc(migrated_dsn: str) -> None:
    async def write() -> None:
        tables = PostgresCallTables(migrated_dsn)
        await tables.open()
        name = "bob@sip.callplane.example"
        content = {"username": "bob", "realm": "sip.callplane.example", "digest": "a" * 32}
        gone = Entry(PHONE, "ann@sip.callplane.example", "SipPhone/a/ann#phone", None)
        phone = Entry(PHONE, name, "SipPhone/a/bob#phone", content)
        await tables.write(CLUSTER, [phone, gone], [], now=NOW)
        await tables.close()

    asyncio.run(write())
    assert connecting.phone_digests(migrated_dsn) == {"bob@sip.callplane.example": "a" * 32}
