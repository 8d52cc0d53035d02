"""Both books do what `callplane.testing.books_contract` says; the ledger is only added to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest

from callplane.store import examining, schema
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Books, Closing, Suspended
from callplane.store.books_postgres import PostgresBooks
from callplane.store.evidence_postgres import PostgresEvidence
from callplane.store.notices_postgres import PostgresNotices
from callplane.testing import (
    books_contract,
    books_months_contract,
    evidence_contract,
    notices_contract,
)
from callplane.testing.billing_builders import ACCOUNT
from callplane.testing.books_builders import (
    NOW,
    PENNY,
    RICH,
    entry,
    granted,
    holder,
    payer,
    pool_quote,
    request,
    unreserved,
)


@pytest.fixture
async def postgres_books(migrated_dsn: str) -> AsyncIterator[PostgresBooks]:
    books = PostgresBooks(migrated_dsn)
    await books.open()
    yield books
    await books.close()


@pytest.fixture(params=["memory", "postgres"])
def books(request: pytest.FixtureRequest) -> Books:
    if request.param == "memory":
        return MemoryBooks()
    found: PostgresBooks = request.getfixturevalue("postgres_books")
    return found


CHECKS = books_contract.CHECKS | books_months_contract.CHECKS


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_books(
    books: Books, check: books_contract.Check, request: pytest.FixtureRequest
) -> None:
    await check(books)
    if isinstance(books, PostgresBooks):
        # Whatever may be is found whole by the audit of restored databases, which reads SQL alone.
        found = examining.examine(request.getfixturevalue("migrated_dsn")).findings
        # But for its statements: their digests are words here.
        assert [text for text in found if "its digest says" not in text] == []


SERVICE = "books_service"


@pytest.fixture
def service_dsn(database_dsn: str) -> str:
    """The DSN of the service's role, which owns nothing, in a database with the newest schema."""
    with psycopg.connect(database_dsn, autocommit=True) as owner:
        if owner.execute("select from pg_roles where rolname = %s", (SERVICE,)).fetchone() is None:
            owner.execute(f"create role {SERVICE} login password 'for-this-test'")
        owner.execute(f"grant connect on database {database_dsn.rpartition('/')[2]} to {SERVICE}")
    schema.upgrade(database_dsn, service_role=SERVICE)
    scheme, _, rest = database_dsn.partition("://")
    return f"{scheme}://{SERVICE}:for-this-test@{rest.rpartition('@')[2]}"


@pytest.mark.parametrize(
    "change",
    [
        "update books.postings set amount = amount + 1",
        "delete from books.postings",
        "truncate books.postings",
        "delete from books.cdrs",
        "update books.cdrs set charge_micros = 0",
        "delete from books.leg_keys",
        "delete from books.account_periods",
        "update books.statements set document = '{}'",
        "delete from books.statements",
        "delete from books.notices",
        "delete from books.active_users",
        "select books.drop_months('2020-01-01')",
        "update books.postings_other set amount = 1",
    ],
)
def test_the_service_adds_to_the_ledger_and_never_changes_it(service_dsn: str, change: str) -> None:
    with psycopg.connect(service_dsn, autocommit=True) as session:
        assert session.execute("select current_user").fetchone() == (SERVICE,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(change)


async def test_the_service_may_do_everything_the_books_ask(service_dsn: str) -> None:
    books = PostgresBooks(service_dsn)
    await books.open()
    try:
        await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
        grant = await granted(books, request("one", pool_quote(price=PENNY)))
        await books.answered("one", at=NOW, expires_at=NOW)
        await books.extend("one", RICH, now=NOW, expires_at=NOW)
        (row,) = await books.due(now=NOW)
        presumed = entry("one", 70, row.granted, price=PENNY, presumed=True)
        await books.settle([presumed], now=NOW)
        await books.settle([entry("one", 9, grant, price=PENNY, known=False)], now=NOW)
        await books.suspend([Suspended("csv", "a", "1", "NoRate", {})], now=NOW)
        await books.resume([("csv", "a", "1")])
        batch = [unreserved(f"call-{n}", 60) for n in range(12)]
        assert len(await books.settle(batch, now=NOW)) == 12
        closing = Closing(payer(), await books.counters(payer()), {}, "digest")
        assert await books.close_month(closing, now=NOW + timedelta(days=60))
        await books.redact(ACCOUNT, before=NOW + timedelta(days=1))
        await books.suspend([Suspended("csv", "b", "1", "NoRate", {"caller": "+1"})], now=NOW)
        assert await books.redact_suspense(before=NOW + timedelta(days=1)) == 1
        await books_contract.audit(books)
    finally:
        await books.close()


async def test_the_service_may_do_everything_that_evidence_and_notices_ask(
    service_dsn: str,
) -> None:
    books = PostgresBooks(service_dsn)
    evidence, notices = PostgresEvidence(service_dsn), PostgresNotices(service_dsn)
    opened = (books, evidence, notices)
    for one in opened:
        await one.open()
    try:
        for name in (
            "a_sighting_confirms_the_call_it_is_of",
            "whoever_was_active_counts_once_in_the_month",
            "whatever_was_hosted_bears_its_fee_in_the_month",
            "a_feed_is_read_on_from_where_it_was",
        ):
            await evidence_contract.CHECKS[name](books, evidence)
        await evidence.appoint("trunks/other", "csv", now=NOW)
        await evidence.redact(before=NOW + timedelta(days=1))
        await notices_contract.CHECKS["what_was_refused_waits_for_its_time"](notices)
        await notices.abandon()
    finally:
        for one in opened:
            await one.close()


def test_months_are_partitions_and_what_waited_moves_into_them(migrated_dsn: str) -> None:
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:
        owner.execute(
            "select books.post('2020-05-31T23:59:59Z', 'a', '2020-05-01Z', 'x', 'y', 's', 1,"
            " 'Pool', 'z')"
        )
        where = "select tableoid::regclass::text from books.postings"
        assert owner.execute(where).fetchall() == [("books.postings_other",)]
        for _ in range(2):
            owner.execute("select books.make_months('2020-05-15', 2)")
        assert owner.execute(where).fetchall() == [("books.postings_2020_05",)]
