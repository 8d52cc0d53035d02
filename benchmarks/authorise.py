"""How fast calls are decided and reserved, and what the books add to the bare SQL.

    python benchmarks/authorise.py [--smoke]

Starts a PostgreSQL of its own with fsync and synchronous_commit on. The open loop is ten
alternating windows of 500 reserves, 500 settlements and 100 extensions a second over 1,000
accounts: in one, reserves go through decision and books; in the next, the same reserves go as bare
SQL with parameters at hand. The closed loops reserve as fast as 8 callers can, over 1,000 accounts
and over one; full calls reserve, read back, settle and post. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from callplane.billing.clip import Grant
from callplane.billing.counters import Counters
from callplane.billing.decision import Attempt, CallContext, decide
from callplane.billing.quotes import Quote
from callplane.billing.terms import Privilege, TimeBand, WhenPoolEmpty
from callplane.numbering.destinations import DestinationClass
from callplane.store import books_rows, books_statements, schema
from callplane.store.books_ports import Reserve
from callplane.store.books_postgres import PostgresBooks
from callplane.store.sessions import SessionLimits, Sessions
from callplane.testing.billing_builders import (
    ABROAD,
    FREEPHONE,
    LANDLINE,
    PREMIUM,
    account,
    attempt,
    line,
    plan,
)
from callplane.testing.books_builders import (
    NOW,
    RICH,
    entry,
    holder,
    payer,
    request,
)
from callplane.testing.control_plane import ThrowAwayPostgres

Work = Callable[[int], Awaitable[None]]
# When, what, for which call, and where its latency is noted.
Step = tuple[float, Work, int, list[float] | None]
CALLERS = 8
SESSIONS = 16


@dataclass(frozen=True, slots=True)
class Sizes:
    accounts: int
    windows: int
    window_seconds: float
    per_second: int
    closed: int
    decisions: int


FULL = Sizes(1_000, 10, 10.0, 500, 8_000, 300_000)
SMOKE = Sizes(10, 2, 1.0, 50, 200, 5_000)


class Calls:
    """Calls over the books: the n-th call belongs to the n-th account, round and round."""

    def __init__(self, books: PostgresBooks, accounts: int) -> None:
        self._books = books
        self._payers = [payer(f"bench/{n}") for n in range(accounts)]
        self._grants: dict[int, Grant] = {}
        self._snapshot = CallContext(line(plan=plan()), Counters(entitlement_seconds=10**9))
        self._attempt = attempt(LANDLINE)

    async def fill(self) -> None:
        for one in self._payers:
            await self._books.set_plans(one, [holder("all", 10_000_000)], now=NOW)

    def request(self, n: int) -> Reserve:
        """The n-th call, decided by a line with a plan."""
        found = decide(self._snapshot, self._attempt)
        assert isinstance(found, Quote)
        return request(
            f"call-{n}",
            found,
            payer=self._payers[n % len(self._payers)],
            line=f"line-{n}",
            expires_at=NOW + timedelta(hours=1),
        )

    async def reserve(self, n: int) -> None:
        found = await self._books.reserve(self.request(n))
        if not isinstance(found, Grant):
            raise SystemExit(f"a reservation was refused: {found}")
        self._grants[n] = found

    def note(self, n: int, grant: Grant) -> None:
        """What somebody else has reserved for the n-th call."""
        self._grants[n] = grant

    async def extend(self, n: int) -> None:
        found = await self._books.extend(f"call-{n}", RICH, now=NOW, expires_at=NOW)
        if found is not None:
            self._grants[n] = found

    async def settle(self, n: int) -> None:
        grant = self._grants.pop(n, None)
        if grant is not None:
            whose = self._payers[n % len(self._payers)]
            await self._books.settle([entry(f"call-{n}", 180, grant, whose=whose)], now=NOW)

    async def whole(self, n: int) -> None:
        await self.reserve(n)
        (row,) = await self._books.reservations([f"call-{n}"])
        self._grants[n] = row.granted
        await self.settle(n)


async def closed_loop(work: Work, count: int, start: int) -> float:
    """Work items a second, `CALLERS` at a time."""
    indices = itertools.count(start)

    async def caller() -> None:
        while (n := next(indices)) < start + count:
            await work(n)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return count / (time.perf_counter() - began)


async def open_loop(steps: list[Step]) -> None:
    """Start each step at its time, whatever the earlier ones do; note latencies from then on."""
    began = time.perf_counter()
    tasks = []

    async def timed(work: Work, n: int, at: float, latencies: list[float] | None) -> None:
        await work(n)
        if latencies is not None:
            latencies.append(time.perf_counter() - began - at)

    for at, work, n, latencies in steps:
        wait = at - (time.perf_counter() - began)
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(timed(work, n, at, latencies)))
    await asyncio.gather(*tasks)


def window(
    sizes: Sizes, start: int, calls: Calls, reserve: Work, latencies: list[float]
) -> list[Step]:
    """The steps of one window: reserves, settlements half a second later, every fifth extended."""
    steps: list[Step] = []
    for nth in range(int(sizes.per_second * sizes.window_seconds)):
        at = nth / sizes.per_second
        steps.append((at, reserve, start + nth, latencies))
        steps.append((at + 0.5, calls.settle, start + nth, None))
        if nth % 5 == 0:
            steps.append((at + 0.25, calls.extend, start + nth, None))
    return sorted(steps, key=lambda step: step[0])


def milliseconds(latencies: list[float], share: int) -> float:
    return round(1_000 * statistics.quantiles(latencies, n=100)[share - 1], 2)


def decisions_per_second(count: int) -> float:
    """The switch table over and over, with caps, windows and every limit looked at."""
    office = TimeBand("always", frozenset(range(7)), 0, 24 * 60)
    privilege = Privilege(classes=frozenset(DestinationClass), windows=(office,))
    cases: list[tuple[CallContext, Attempt]] = []
    for overspend, card, when in itertools.product((True, False), (True, False), WhenPoolEmpty):
        terms = account(
            overspend=overspend,
            rate_card_billing=card,
            when_pool_empty=when,
            day_cap_micros=50_000_000,
            line_calls=2,
            line_calls_per_minute=10,
            concurrent_calls=100,
            max_per_minute_micros=5_000_000,
        )
        caller = line(terms, plan=plan(), privilege=privilege)
        for used in (0, 18_000):
            counters = Counters(entitlement_seconds=18_000, used_seconds=used, live_calls=3)
            for dialled in ("999", LANDLINE, FREEPHONE, ABROAD, PREMIUM):
                pair = (CallContext(caller, counters), attempt(dialled))
                cases.append(pair)
    began = time.perf_counter()
    for _ in range(count // len(cases)):
        for context, asked in cases:
            decide(context, asked)
    return count // len(cases) * len(cases) / (time.perf_counter() - began)


async def run(dsn: str, sizes: Sizes) -> dict[str, object]:
    limits = SessionLimits(sessions=SESSIONS, wait_seconds=30, answer_seconds=30)
    books, bare = PostgresBooks(dsn, limits=limits), Sessions(dsn, limits)
    await books.open()
    await bare.open()
    calls = Calls(books, sizes.accounts)
    await calls.fill()

    async def bare_reserve(n: int) -> None:
        parameters = prepared.pop(n)
        async with bare.session() as session:
            cursor = await session.execute(books_statements.RESERVE, parameters)
            (found,) = await cursor.fetchall()
        calls.note(n, Grant(found[1]))

    prepared: dict[int, tuple[object, ...]] = {}
    numbers = itertools.count(0, 10_000_000)
    await closed_loop(calls.reserve, max(200, sizes.closed // 10), next(numbers))
    ours: list[list[float]] = []
    sql: list[list[float]] = []
    for nth in range(sizes.windows):
        latencies: list[float] = []
        reserve = calls.reserve if nth % 2 == 0 else bare_reserve
        start = next(numbers)
        for n in range(start, start + int(sizes.per_second * sizes.window_seconds)):
            if reserve is bare_reserve:
                asked = calls.request(n)
                prepared[n] = (asked.attempt_id, *books_rows.reserve_parameters(asked), None)
        await open_loop(window(sizes, start, calls, reserve, latencies))
        (ours if nth % 2 == 0 else sql).append(latencies)
    spread = await closed_loop(calls.reserve, sizes.closed, next(numbers))
    hot = Calls(books, 1)
    hot_rate = await closed_loop(hot.reserve, sizes.closed, next(numbers))
    full = await closed_loop(calls.whole, sizes.closed, next(numbers))
    await books.close()
    await bare.close()
    added = [
        milliseconds(mine, 50) - milliseconds(theirs, 50)
        for mine, theirs in zip(ours, sql, strict=False)
    ]
    return {
        "benchmark": "authorise",
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "p50_added_ms": round(statistics.median(added), 2),
        "p99_ms": milliseconds(list(itertools.chain(*ours)), 99),
        "sql_p50_ms": milliseconds(list(itertools.chain(*sql)), 50),
        "closed_loop_per_second": round(spread),
        "closed_loop_hot_per_second": round(hot_rate),
        "full_calls_per_second": round(full),
        "decisions_per_second": round(decisions_per_second(sizes.decisions)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small: it still runs")
    arguments = parser.parse_args()
    sizes = SMOKE if arguments.smoke else FULL
    with ThrowAwayPostgres(durable=True) as server, server.database() as dsn:
        schema.upgrade(dsn)
        result = asyncio.run(run(dsn, sizes))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
