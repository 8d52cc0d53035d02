"""Two hundred callers and the last of something: what holds always holds at every commit.

A trigger of the test's looks at each version of a month's row in the transaction that writes it, so
that no state between two commits escapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from callplane.billing.clip import Grant
from callplane.billing.increments import PER_SECOND, Increment
from callplane.billing.prices import Price
from callplane.billing.quotes import Quote, RefusalReason
from callplane.store.books_ports import Outcome
from callplane.store.books_postgres import COPY_MIN, PostgresBooks
from callplane.store.sessions import SessionLimits
from callplane.testing.books_builders import (
    ABROAD_PRICE,
    NOW,
    RICH,
    entry,
    holder,
    payer,
    pool_quote,
    priced_quote,
    request,
    unreserved,
)

CALLERS = 200
CEILING_MICROS = 1_000_000
LIMITS = replace(RICH, ceiling_micros=CEILING_MICROS)
WATCH = f"""
create table watched (is_right boolean not null);
create function watch() returns trigger language plpgsql security definer as $$
begin
    insert into watched values (
        new.used_seconds + new.held_seconds <= new.entitlement_seconds
        and new.posted_micros + new.held_micros <= {CEILING_MICROS}
        and least(new.used_seconds, new.held_seconds, new.posted_micros, new.held_micros,
            new.live_calls) >= 0
    );
    return new;
end $$;
create trigger watch after insert or update on books.account_periods
    for each row execute function watch();
"""


@pytest.fixture
async def books(migrated_dsn: str) -> AsyncIterator[PostgresBooks]:
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:
        owner.execute(WATCH)
    limits = SessionLimits(sessions=8, wait_seconds=60, answer_seconds=60)
    found = PostgresBooks(migrated_dsn, limits=limits)
    await found.open()
    yield found
    await found.close()


def watched(dsn: str) -> list[bool]:
    with psycopg.connect(dsn) as owner:
        return [row[0] for row in owner.execute("select is_right from watched")]


async def live(
    books: PostgresBooks, n: int, quote: Quote, pool: Increment | None, price: Price | None
) -> Grant | RefusalReason:
    """A call's whole life, of every kind that there is."""
    attempt = f"call-{n}"
    found = await books.reserve(request(attempt, quote, line=f"sales/{n}"))
    if isinstance(found, RefusalReason):
        return found
    if n % 4 == 0:
        await books.void(attempt)
        return found
    await books.answered(attempt, at=NOW, expires_at=NOW + timedelta(minutes=3))
    await books.extend(attempt, LIMITS, now=NOW, expires_at=NOW + timedelta(minutes=3))
    (held,) = await books.reservations([attempt])
    ended = entry(attempt, 20 + n % 50, held.granted, pool=pool, price=price)
    await books.settle([ended, ended], now=NOW)
    return found


async def test_months_are_made_and_locked_in_one_order(
    books: PostgresBooks, migrated_dsn: str
) -> None:
    """A batch over two accounts, the first of which has begun its month and the second has not,
    while somebody else settles for the same accounts one by one.
    """
    first, second = payer("sales/a"), payer("sales/b")
    await books.counters(first)
    batch = [
        unreserved(f"call-{n}", 60, whose=whose)
        for n, whose in enumerate([second, first] * COPY_MIN)
    ]
    lock = "select from books.lock_period(%s, %s, %s, 'GBP', %s)"
    async with (
        await psycopg.AsyncConnection.connect(migrated_dsn) as other,
        await psycopg.AsyncConnection.connect(migrated_dsn, autocommit=True) as watcher,
    ):
        period = first.period
        await other.execute(lock, (first.account, period.start, period.end, NOW))
        task = asyncio.create_task(books.settle(batch, now=NOW))
        waiting = "select count(*) from pg_locks where not granted"
        async with asyncio.timeout(30):
            while (await (await watcher.execute(waiting)).fetchone()) == (0,):
                assert not task.done()
                await asyncio.sleep(0.01)
        # Had the batch made the second month first, both would wait for one another here.
        await other.execute(lock, (second.account, period.start, period.end, NOW))
        await other.commit()
        assert set(await task) == {Outcome.SETTLED}


async def test_batches_in_opposite_orders_in_a_fresh_month(books: PostgresBooks) -> None:
    both = [payer("sales/a"), payer("sales/b")]
    for nth in range(12):
        setup = NOW + timedelta(days=31 * nth)
        whose = [payer(one.account, setup=setup) for one in both]
        sizes = (1, COPY_MIN, COPY_MIN, 1)
        batches = [
            [
                unreserved(f"{nth}-{place}-{n}-{one.account}", 1, whose=one)
                for n in range(size)
                for one in order
            ]
            for place, (size, order) in enumerate(
                zip(sizes, (whose, whose[::-1], whose, whose[::-1]), strict=True)
            )
        ]
        found = await asyncio.gather(*(books.settle(one, now=setup) for one in batches))
        assert {outcome for each in found for outcome in each} == {Outcome.SETTLED}


@pytest.mark.parametrize(
    ("quote", "pool", "price"),
    [
        (pool_quote(limits=LIMITS), PER_SECOND, None),
        (priced_quote(ABROAD_PRICE, limits=LIMITS), None, ABROAD_PRICE),
        (pool_quote(price=ABROAD_PRICE, limits=LIMITS), PER_SECOND, ABROAD_PRICE),
    ],
    ids=["the last minute of a pool", "the last pound of a ceiling", "both"],
)
async def test_two_hundred_callers_race(
    books: PostgresBooks, migrated_dsn: str, quote: Quote, pool: Increment | None, price: Price
) -> None:
    await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
    found = await asyncio.gather(*(live(books, n, quote, pool, price) for n in range(CALLERS)))
    seen = watched(migrated_dsn)
    assert all(seen)
    granted = sum(isinstance(one, Grant) for one in found)
    # Each that was granted was written at least twice, and somebody was refused.
    assert len(seen) >= 2 * granted > 0
    assert granted < CALLERS
    after = await books.counters(payer())
    assert (after.held_seconds, after.held_micros, after.live_calls) == (0, 0, 0)


async def test_the_trigger_would_see_it(books: PostgresBooks, migrated_dsn: str) -> None:
    await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:
        with pytest.raises(psycopg.errors.CheckViolation):
            # Of minutes the table itself makes sure.
            owner.execute("update books.account_periods set held_seconds = 61")
        owner.execute(f"update books.account_periods set held_micros = {CEILING_MICROS + 1}")
    assert watched(migrated_dsn)[-1] is False
