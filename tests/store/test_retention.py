"""What is dropped with old months, and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from callplane.clock import SystemClock
from callplane.store import examining, schema
from callplane.store.books_ports import Outcome
from callplane.store.books_postgres import PostgresBooks
from callplane.testing.billing_builders import ACCOUNT
from callplane.testing.books_builders import leg, payer, unreserved

OLD = datetime(2024, 5, 10, 12, tzinfo=UTC)


async def test_old_months_go_and_balances_stay(migrated_dsn: str) -> None:
    today = SystemClock().now()
    recent = today - timedelta(days=40)
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:
        owner.execute("select books.make_months(%s, 3)", (OLD.date(),))
    books = PostgresBooks(migrated_dsn)
    await books.open()
    try:
        for name, setup in (
            ("old", OLD),
            ("older", OLD - timedelta(days=90)),
            ("recent", recent),
        ):
            call = replace(leg(name, 60), setup=setup)
            entry = unreserved(name, 60, of=call, whose=payer(setup=setup))
            assert await books.settle([entry], now=setup) == (Outcome.SETTLED,)
        dropped = schema.drop_months(migrated_dsn, keep=14, today=today)
        assert dropped == [
            f"{table}_2024_0{n}" for table in ("cdrs", "postings") for n in (5, 6, 7)
        ]
        assert schema.drop_months(migrated_dsn, keep=14, today=today) == []
        spent = [month.counters.posted_micros for month in await books.months(ACCOUNT)]
        assert spent == [10_000] * 3
        for setup, count in ((OLD, 0), (OLD - timedelta(days=90), 0), (recent, 1)):
            start = payer(setup=setup).period.start
            assert len(await books.calls(ACCOUNT, start)) == count
            assert len(await books.postings(ACCOUNT, start)) == count
    finally:
        await books.close()
    audited = examining.examine(migrated_dsn)
    assert (audited.findings, audited.books.dropped, len(audited.books.months)) == ((), 2, 1)
    with psycopg.connect(migrated_dsn) as owner:
        keys = owner.execute("select attempt_id from books.leg_keys").fetchall()
        assert keys == [("recent",)]


def test_what_may_still_be_asked_for_is_not_dropped(migrated_dsn: str) -> None:
    with pytest.raises(ValueError, match="the last 400 days are kept"):
        schema.drop_months(migrated_dsn, keep=3, today=SystemClock().now())


def test_the_service_may_not_drop_months(migrated_dsn: str) -> None:
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:
        owner.execute("create role retention_service")
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute("set role retention_service; select books.drop_months('2020-01-01')")
        finally:
            owner.execute("reset role; drop role retention_service")
