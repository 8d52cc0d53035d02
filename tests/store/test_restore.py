"""The database is lost and comes back from last night's dump: all that the dump had is there, the
check says so, and says what is not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from callplane.billing import statements
from callplane.billing.clip import Grant
from callplane.cli import app
from callplane.store import examining, schema
from callplane.store.books_audit import Standing
from callplane.store.books_ports import Closing, Entry
from callplane.store.books_postgres import PostgresBooks
from callplane.store.examining import Record
from callplane.store.ports import Commit
from callplane.store.postgres import PostgresRegister
from callplane.testing import backups
from callplane.testing.billing_builders import ACCOUNT
from callplane.testing.books_builders import (
    NOW,
    PENNY,
    entry,
    granted,
    holder,
    leg,
    payer,
    priced_quote,
    request,
    unreserved,
)
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.register_builders import NOW as REGISTER_NOW
from callplane.testing.register_builders import TENANT, claim, confirm, hold, holder_row, person

ROLES = (schema.SERVICE_ROLE, schema.CALL_ROLE, schema.READER_ROLE)
PASSWORD = "for-this-test"
PEOPLE = ("anna", "ben", "carl")
CALLS = tuple(f"call-{n}" for n in range(3))
LATER_CALLS = ("later-1", "later-2")
OCTOBER = datetime(2026, 10, 5, 9, tzinfo=UTC)


@asynccontextmanager
async def books_of(dsn: str) -> AsyncIterator[PostgresBooks]:
    books = PostgresBooks(dsn)
    await books.open()
    try:
        yield books
    finally:
        await books.close()


@asynccontextmanager
async def register_of(dsn: str) -> AsyncIterator[PostgresRegister]:
    register = PostgresRegister(dsn)
    await register.open()
    try:
        yield register
    finally:
        await register.close()


async def give(dsn: str, *names: str, first: int) -> None:
    """Numbers to people, claimed, confirmed and chained."""
    async with register_of(dsn) as register:
        epoch = await hold(register)
        for index, name in enumerate(names, start=first):
            one = person(name)
            taken = Commit(moves=(claim(index, one),), holders=(holder_row(name),))
            await register.commit(TENANT, taken, epoch=epoch, now=REGISTER_NOW)
            done = Commit(moves=(confirm(index, one),))
            await register.commit(TENANT, done, epoch=epoch, now=REGISTER_NOW)
        await register.link_events()


async def call(books: PostgresBooks, *names: str, seconds: int = 90) -> None:
    """Calls from the pool, each reserved and settled."""
    for name in names:
        held = await granted(books, request(name))
        await books.settle([entry(name, seconds, held)], now=NOW)


def october(name: str) -> Entry:
    of = replace(leg(name, 60), setup=OCTOBER)
    return unreserved(name, 60, of=of, whose=payer(setup=OCTOBER))


async def lived(dsn: str) -> None:
    """Some of everything: people, a month that is closed, minutes, money, a live call, a presumed
    one.
    """
    await give(dsn, *PEOPLE, first=1)
    async with books_of(dsn) as books:
        await books.settle([october("october")], now=OCTOBER)
        then = payer(setup=OCTOBER)
        digest = statements.digest({"says": "so"})
        closing = Closing(then, await books.counters(then), {"says": "so"}, digest)
        assert await books.close_month(closing, now=OCTOBER + timedelta(days=35)) is not None
        await books.set_plans(payer(), [holder("anna", 300), holder("ben", 300)], now=NOW)
        await call(books, *CALLS)
        held = await granted(books, request("priced", priced_quote()))
        await books.settle([entry("priced", 61, held, pool=None, price=PENNY)], now=NOW)
        held = await granted(books, request("presumed"))
        await books.settle([entry("presumed", 30, held, presumed=True)], now=NOW)
        await granted(books, request("live"))


@pytest.fixture
def production(throw_away_postgres: ThrowAwayPostgres) -> Iterator[str]:
    """A database in use, with the roles of the service and of call control."""
    throw_away_postgres.prepare_template("lived", _prepare)
    with throw_away_postgres.database(template="lived") as dsn:
        yield dsn


def _prepare(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as owner:
        for role in ROLES:
            known = owner.execute("select from pg_roles where rolname = %s", (role,)).fetchone()
            if known is None:
                owner.execute(f"create role {role} login")
            owner.execute(f"alter role {role} password '{PASSWORD}'")
    schema.upgrade(dsn)
    asyncio.run(lived(dsn))


async def recorded(dsn: str) -> Record:
    async with register_of(dsn) as register:
        head = await register.checkpoint()
    return examining.recorded(examining.examine(dsn), head, now=NOW)


def as_role(dsn: str, role: str) -> str:
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{role}:{PASSWORD}@{rest.rpartition('@')[2]}"


async def test_all_that_was_dumped_comes_back_and_is_proven(
    throw_away_postgres: ThrowAwayPostgres, production: str, tmp_path: Path
) -> None:
    record = await recorded(production)
    assert {month.account for month in record.months} == {ACCOUNT}
    assert len(record.months) >= 2
    assert list(record.statements) == [1]
    file = backups.dump(throw_away_postgres, production, tmp_path / "night.dump")
    before = rows_of(production)
    throw_away_postgres.drop_database(production)

    restored = backups.restore(throw_away_postgres, file)
    assert rows_of(restored) == before
    # The migrations know where they are: an upgrade has nothing to do.
    schema.upgrade(restored)
    found = examining.examine(restored, record=record)
    assert (found.findings, found.missing, found.notes) == ((), (), ())
    assert {one.standing for one in found.comparisons} == {Standing.UNCHANGED}
    assert found.numbers == {"Assigned": 3}
    async with register_of(restored) as register:
        report = await register.verify(checkpoint=record.head)
    assert (report.first_broken, report.details, report.events) == (None, (), 6)
    # The record is a file that a person keeps.
    assert examining.from_json(examining.to_json(record)) == record


async def test_the_restored_books_go_on_and_the_service_still_cannot_change_them(
    throw_away_postgres: ThrowAwayPostgres, production: str, tmp_path: Path
) -> None:
    file = backups.dump(throw_away_postgres, production, tmp_path / "night.dump")
    throw_away_postgres.drop_database(production)
    restored = backups.restore(throw_away_postgres, file)
    service, calls, _ = (as_role(restored, role) for role in ROLES)
    async with books_of(calls) as books:
        await call(books, "after")
        # The call that was up when the dump was made ends as one whose record has not come.
        [live] = await books.due(now=NOW + timedelta(hours=1))
        held = live.granted
        await books.settle([entry("live", 0, held, presumed=True)], now=NOW)
    await give(service, "dora", first=4)
    for change in (
        "update books.postings set amount = amount + 1",
        "delete from books.postings",
        "delete from register.number_events",
        "update books.statements set document = '{}'",
    ):
        with (
            psycopg.connect(service, autocommit=True) as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute(change)
    found = examining.examine(restored)
    assert (found.findings, found.notes) == ((), ())


async def test_what_is_newer_than_the_backup_is_said_and_replayed_records_balance_again(
    throw_away_postgres: ThrowAwayPostgres, production: str, tmp_path: Path
) -> None:
    file = backups.dump(throw_away_postgres, production, tmp_path / "night.dump")
    await give(production, "dora", first=4)
    async with books_of(production) as books:
        await call(books, *LATER_CALLS)
    record = await recorded(production)
    throw_away_postgres.drop_database(production)

    restored = backups.restore(throw_away_postgres, file)
    found = examining.examine(restored, record=record)
    assert found.findings == ()
    assert len(found.missing) == 1
    assert "2 calls, 180 s and 0.00 GBP are not there" in found.missing[0]
    async with register_of(restored) as register:
        assert (await register.checkpoint()).position == record.head.position - 2
    # The SBC's spool still has every record; those that were taken before are not taken again.
    unkept = Grant(pool_seconds=90)
    async with books_of(restored) as books:
        outcomes = await books.settle(
            [entry(name, 90, unkept, known=False) for name in (*CALLS, *LATER_CALLS)],
            now=NOW + timedelta(hours=9),
        )
    assert [one.value for one in outcomes] == ["duplicate"] * 3 + ["settled"] * 2
    again = examining.examine(restored, record=record)
    assert (again.findings, again.missing) == ((), ())
    standings = [one.standing for one in again.comparisons]
    assert standings.count(Standing.SAME_SUMS) == 1
    assert set(standings) == {Standing.UNCHANGED, Standing.SAME_SUMS}


def rows_of(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of ours, partitions included."""
    with psycopg.connect(dsn) as session:
        tables = session.execute(
            "select n.nspname || '.' || c.relname from pg_class as c "
            "join pg_namespace as n on n.oid = relnamespace where relkind = 'r' "
            "and (nspname = any(%s) or relname = 'alembic_version') order by 1",
            (["register", "books", "calls", "decks"],),
        ).fetchall()
        return {
            table: session.execute(f"select t::text from {table} as t order by 1").fetchall()
            for (table,) in tables
        }


@dataclass(frozen=True, slots=True)
class Mutant:
    """A restore that went wrong, or a hand in the books; the check must say `says`."""

    name: str
    change: str
    says: str


MUTANTS = (
    Mutant(
        "a posting is missing",
        "delete from books.postings where attempt_id = 'priced'",
        "money owed by the postings",
    ),
    Mutant(
        "an amount is another one",
        "update books.postings set amount = amount + 1 where attempt_id = 'call-1'",
        "minutes left by the postings",
    ),
    Mutant(
        "a call is missing",
        "delete from books.cdrs where attempt_id = 'call-1'",
        "was accounted for and its call is missing",
    ),
    Mutant(
        "the key of a call is missing",
        "delete from books.leg_keys where attempt_id = 'call-1'",
        "could be charged again",
    ),
    Mutant(
        "a month is missing",
        "delete from books.account_periods where posted_micros = 10000",
        "of a month that is not there",
    ),
    Mutant(
        "the counter of a month is another one",
        "update books.account_periods set posted_micros = posted_micros + 1",
        "and the month says",
    ),
    Mutant(
        "a holder's minutes are missing",
        "delete from books.entitlements where holder = 'anna'",
        "minutes that holders have brought",
    ),
    Mutant(
        "a live call is forgotten",
        "delete from books.reservations where attempt_id = 'live'",
        "live calls",
    ),
    Mutant(
        "a statement says something else",
        """update books.statements set document = '{"says": "no"}'""",
        "is not what its digest says",
    ),
    Mutant(
        "a statement is missing",
        "update books.statements set number = 2",
        "statements are missing: 1",
    ),
    Mutant(
        "a number is lost",
        "delete from register.numbers where number like '%1'",
        "is Free, and its history ends with Assigned",
    ),
    Mutant(
        "a number is nobody's",
        "update register.numbers set state = 'Quarantined' where number like '%1'",
        "is Quarantined, and its history ends with Assigned",
    ),
    Mutant(
        "the service may change postings",
        "grant update on books.postings to callplane_service",
        "callplane_service may update books.postings",
    ),
    Mutant(
        "call control may take calls out",
        "grant delete on books.cdrs to callplane_calls",
        "callplane_calls may delete books.cdrs",
    ),
    Mutant(
        "the admin API may read past its views",
        "grant select on register.numbers to callplane_reader",
        "callplane_reader may select register.numbers",
    ),
    Mutant(
        "the service may change the charge of a call",
        "grant update (charge_micros) on books.cdrs to callplane_service",
        "callplane_service may update (caller, destination, charge_micros) books.cdrs",
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_what_is_not_whole_is_found(production: str, mutant: Mutant) -> None:
    with psycopg.connect(production) as owner:
        owner.execute(mutant.change)
        owner.commit()
    found = examining.examine(production)
    # Rights belong to the role in this database alone, and go with it.
    assert any(mutant.says in text for text in found.findings), found.findings


async def test_changed_postings_are_told_from_missing_ones(production: str) -> None:
    record = await recorded(production)
    with psycopg.connect(production) as owner:
        owner.execute("update books.postings set purpose = 'Fee' where purpose = 'Entitlement'")
        owner.commit()
    found = examining.examine(production, record=replace(record, statements={1: "another"}))
    assert any("the same calls, minutes and money" in one.text for one in found.comparisons)
    assert "statement 1 is another one than that of the record" in found.findings


Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str | Path, code: int = 0) -> str:
        ended = app.run([str(each) for each in arguments])
        printed = capsys.readouterr()
        assert ended == code, printed
        return printed.out + printed.err

    return ran


async def test_a_person_rehearses_with_one_command(
    throw_away_postgres: ThrowAwayPostgres, production: str, tmp_path: Path, run: Run
) -> None:
    kept = tmp_path / "night.json"
    url = f"--database-url={production}"

    def rehearsed() -> None:
        assert run("database", "verify", url, "--save", kept).endswith(
            f"recorded in {kept}\nverified\n"
        )
        file = backups.dump(throw_away_postgres, production, tmp_path / "night.dump")
        said = run("database", "rehearse", file, "--against", kept)
        assert "2 months unchanged" in said
        assert "verified" in said.splitlines()
        with psycopg.connect(production) as owner:
            owner.execute("delete from books.postings where attempt_id = 'priced'")
            owner.commit()
        said = run("database", "verify", url, "--against", kept, code=1)
        assert "NOT WHOLE" in said
        assert "not verified" in said
        file = backups.dump(throw_away_postgres, production, tmp_path / "broken.dump")
        assert "not verified" in run("database", "rehearse", file, code=1)
        (tmp_path / "half.dump").write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        said = run("database", "rehearse", tmp_path / "half.dump", code=1)
        assert "cannot be restored" in said
        assert "no such file" in run("database", "rehearse", tmp_path / "none", code=1)
        assert "is no record" in run("database", "verify", url, "--against", file, code=1)

    await asyncio.to_thread(rehearsed)


@pytest.mark.parametrize("tables", [(), ("orders",)], ids=["empty", "somebody's"])
async def test_a_dump_of_something_else_is_not_called_whole(
    throw_away_postgres: ThrowAwayPostgres, tmp_path: Path, run: Run, tables: tuple[str, ...]
) -> None:
    def rehearsed() -> str:
        foreign = throw_away_postgres.create_database()
        with psycopg.connect(foreign, autocommit=True) as owner:
            for table in tables:
                owner.execute(f"create table {table} (id int)")
        file = backups.dump(throw_away_postgres, foreign, tmp_path / "foreign.dump")
        throw_away_postgres.drop_database(foreign)
        return run("database", "rehearse", file, code=1)

    said = await asyncio.to_thread(rehearsed)
    assert "foreign.dump" in said
    assert "is no dump of Callplane's database" in said


async def test_a_dump_of_a_newer_program_says_so(
    throw_away_postgres: ThrowAwayPostgres, production: str, tmp_path: Path, run: Run
) -> None:
    def rehearsed() -> str:
        with psycopg.connect(production, autocommit=True) as owner:
            owner.execute("update alembic_version set version_num = '9999'")
        file = backups.dump(throw_away_postgres, production, tmp_path / "newer.dump")
        return run("database", "rehearse", file, code=1)

    said = await asyncio.to_thread(rehearsed)
    assert "newer than" in said
    assert "Traceback" not in said


async def test_the_record_of_what_is_missing_is_not_written_over(
    throw_away_postgres: ThrowAwayPostgres, production: str, tmp_path: Path, run: Run
) -> None:
    file = backups.dump(throw_away_postgres, production, tmp_path / "night.dump")
    await give(production, "dora", first=4)
    kept = tmp_path / "night.json"

    def verified() -> None:
        run("database", "verify", f"--database-url={production}", "--save", kept)
        record = kept.read_text()
        restored = f"--database-url={backups.restore(throw_away_postgres, file)}"
        said = run("database", "verify", restored, "--against", kept, "--save", kept, code=2)
        assert "is left as it was" in said
        assert kept.read_text() == record
        other = tmp_path / "other.json"
        run("database", "verify", restored, "--against", kept, "--save", other, code=2)
        assert other.read_text() != record

    await asyncio.to_thread(verified)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"format": 1}'])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, run: Run, text: str) -> None:
    kept = tmp_path / "night.json"
    kept.write_text(text)
    said = run("database", "verify", "--database-url=postgresql://none", "--against", kept, code=1)
    assert "is no record of a database" in said


def test_a_record_whose_parts_are_wrong_is_refused(tmp_path: Path, run: Run) -> None:
    kept = tmp_path / "night.json"
    document = {"format": examining.FORMAT, "takenAt": "2026-10-10T00:00:00Z", "schema": "0010"}
    head = {"position": 1, "link": "x"}
    kept.write_text(json.dumps({**document, "numbersHead": head, "months": [], "statements": []}))
    said = run("database", "verify", "--database-url=postgresql://none", "--against", kept, code=1)
    assert "is no record of a database" in said
