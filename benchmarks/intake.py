"""How fast call records get into the books, alone and beside calls that are being made.

    python benchmarks/intake.py [--smoke]

Starts a PostgreSQL of its own with fsync and synchronous_commit on. Records of 1,000 accounts, two
of three from the pool and one by the card, are believed, rated and settled through
`callcontrol.intake`: alone in batches of at most 500, then at a fixed pace in batches of 100 while
calls of the same accounts are reserved in an open loop. The reference of the same run is the bare
SQL: the same rows copied and settled with nothing before it. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from dataclasses import dataclass, replace
from datetime import timedelta

from callplane.billing.clip import Grant
from callplane.billing.mediation import Leg
from callplane.billing.terms import Line
from callplane.callcontrol import intake
from callplane.sandbox.postgres import PostgresAddress
from callplane.store import schema
from callplane.store.books_ports import Entry, Outcome
from callplane.store.books_postgres import PostgresBooks
from callplane.store.sessions import SessionLimits
from callplane.testing.billing_builders import INGRESS, account, line, plan
from callplane.testing.books_builders import (
    NOW,
    entry,
    holder,
    payer,
    pool_quote,
    request,
    unreserved,
)
from callplane.testing.control_plane import ThrowAwayPostgres

SESSIONS = 16
BATCH_ALONE, BATCH_BESIDE = 500, 100
RESERVES_PER_SECOND = 300


@dataclass(frozen=True, slots=True)
class Sizes:
    accounts: int
    alone: int
    bare: int
    beside_seconds: float
    beside_per_second: int


FULL = Sizes(1_000, 100_000, 40_000, 15.0, 5_500)
SMOKE = Sizes(10, 1_500, 500, 1.0, 500)


class Feed:
    """Records without end: the n-th belongs to the n-th line, round and round."""

    def __init__(self, accounts: int) -> None:
        self.payers = [payer(f"bench/{n}") for n in range(accounts)]
        self.lines: dict[str, Line] = {}
        self._numbers = itertools.count()
        terms = [
            account(name=one.account, pay_as_you_go=True, overspend=True) for one in self.payers
        ]
        bundle = plan()
        for nth in range(accounts * 3):
            number = f"+4420794{nth:05}"
            found = line(
                terms[nth % accounts],
                plan=bundle if nth % 3 else None,
                caller_ids=frozenset({number}),
            )
            self.lines[number] = replace(found, name=f"line-{nth}")
        self._callers = list(self.lines)

    def take(self, count: int) -> list[Leg]:
        return [self._leg(nth) for nth in itertools.islice(self._numbers, count)]

    def _leg(self, nth: int) -> Leg:
        setup = NOW + timedelta(seconds=nth % 86_400)
        destination = f"+4416149{nth % 60_000:05}"
        return Leg(
            source="sbc",
            attempt_id=f"record-{nth:09}",
            leg="1",
            caller=self._callers[nth % len(self._callers)],
            dialled=destination,
            destination=destination,
            ingress=INGRESS,
            setup=setup,
            answered=setup + timedelta(seconds=7),
            released=setup + timedelta(seconds=8 + nth % 600),
        )


async def alone(books: PostgresBooks, feed: Feed, count: int) -> float:
    legs = feed.take(count)
    began = time.perf_counter()
    report = await intake.take(
        books, legs, lines=feed.lines, now=NOW + timedelta(days=2), batch_max=BATCH_ALONE
    )
    if report.settled != count:
        raise SystemExit(f"{count - report.settled} records were not settled: {report}")
    return count / (time.perf_counter() - began)


async def bare(books: PostgresBooks, feed: Feed, count: int) -> float:
    """The same kinds of rows, made beforehand: what the database takes by itself."""
    batches: list[list[Entry]] = []
    for start in range(0, count, BATCH_ALONE):
        batch = []
        for n in range(start, min(count, start + BATCH_ALONE)):
            whose = feed.payers[n % len(feed.payers)]
            if n % 3:
                one = entry(f"bare-{n}", 60, Grant(pool_seconds=60), known=False, whose=whose)
            else:
                one = unreserved(f"bare-{n}", 60, whose=whose)
            batch.append(one)
        batches.append(batch)
    began = time.perf_counter()
    for batch in batches:
        if set(await books.settle(batch, now=NOW)) != {Outcome.SETTLED}:
            raise SystemExit("a bare row was not settled")
    return count / (time.perf_counter() - began)


async def beside(books: PostgresBooks, feed: Feed, sizes: Sizes) -> tuple[float, list[float]]:
    """Records at their pace and reserves at theirs, each whatever the other does."""
    latencies: list[float] = []
    tasks: list[asyncio.Task[None]] = []
    count = int(sizes.beside_per_second * sizes.beside_seconds)
    begin = time.perf_counter() + 0.2

    async def reserve(nth: int, at: float) -> None:
        whose = feed.payers[nth * 7 % len(feed.payers)]
        asked = request(
            f"live-{nth}",
            pool_quote(),
            payer=whose,
            line=f"line-{nth}",
            expires_at=NOW + timedelta(hours=1),
        )
        if not isinstance(await books.reserve(asked), Grant):
            raise SystemExit("a reservation was refused")
        latencies.append(time.perf_counter() - at)

    async def reserves() -> None:
        for nth in range(int(RESERVES_PER_SECOND * sizes.beside_seconds)):
            at = begin + nth / RESERVES_PER_SECOND
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            tasks.append(asyncio.create_task(reserve(nth, at)))

    async def records() -> float:
        step = BATCH_BESIDE
        for start in range(0, count, step):
            at = begin + start / sizes.beside_per_second
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            await intake.take(
                books,
                # Made as they come: a feed holds no minutes of records in memory.
                feed.take(min(step, count - start)),
                lines=feed.lines,
                now=NOW + timedelta(days=2),
                batch_max=BATCH_BESIDE,
            )
        return count / (time.perf_counter() - begin)

    _, rate = await asyncio.gather(reserves(), records())
    await asyncio.gather(*tasks)
    return rate, latencies


async def run(dsn: str, sizes: Sizes, server: PostgresAddress) -> dict[str, object]:
    limits = SessionLimits(sessions=SESSIONS, wait_seconds=30, answer_seconds=30)
    books = PostgresBooks(dsn, limits=limits)
    await books.open()
    feed = Feed(sizes.accounts)
    for one in feed.payers:
        await books.set_plans(one, [holder("all", 10_000_000)], now=NOW)
    await alone(books, feed, sizes.alone // 10)
    reference = await bare(books, feed, sizes.bare)
    idle = await alone(books, feed, sizes.alone)
    # A server that has been up for a while has files of its log to use again; a fresh one fills
    # each with zeros first, and everybody's commit waits for that.
    await asyncio.to_thread(server.run_sql, "checkpoint")
    rate, latencies = await beside(books, feed, sizes)
    await books.close()
    return {
        "benchmark": "intake",
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "cdrs_per_second": round(idle),
        "bare_sql_per_second": round(reference),
        "ratio": round(idle / reference, 2),
        "beside_cdrs_per_second": round(rate),
        "beside_reserve_p50_ms": round(1_000 * statistics.median(latencies), 2),
        "beside_reserve_p99_ms": round(1_000 * statistics.quantiles(latencies, n=100)[98], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small: it still runs")
    sizes = SMOKE if parser.parse_args().smoke else FULL
    with ThrowAwayPostgres(durable=True) as server, server.database() as dsn:
        schema.upgrade(dsn)
        result = asyncio.run(run(dsn, sizes, server.address))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
