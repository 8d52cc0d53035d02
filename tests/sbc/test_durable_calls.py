"""Real calls over the real PostgreSQL: reservations are durable, each record is there once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from callplane.billing import fail_policy
from callplane.billing.quotes import Mode
from callplane.billing.terms import Line
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.messages import OutageFlag
from callplane.callcontrol.ports import Send
from callplane.callcontrol.running import running
from callplane.clock import SystemClock
from callplane.store import schema
from callplane.store.books_ports import CallRow, Payer, PlanHolder
from callplane.store.books_postgres import PostgresBooks
from callplane.testing import billing_builders as build
from callplane.testing import noon_zones, polling, sbc_estates
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sipp import Load, Sipp

SCENARIOS = Path(__file__).parent / "scenarios"
HELD = "+442079460001"
CLOCK = SystemClock()
ZONE = noon_zones.zone(CLOCK.now())
CALLS, CALLS_PER_SECOND = 1_000, 50
MINUTES = 10_000


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(verdict_milliseconds=sbc_estates.PATIENT_MILLISECONDS)


@pytest.fixture(scope="module")
def durable_dsn() -> Iterator[str]:
    with ThrowAwayPostgres(durable=True) as server, server.database() as dsn:
        schema.upgrade(dsn)
        yield dsn


def caller() -> Line:
    numbers = frozenset({HELD})
    terms = build.account(zone=ZONE)
    return build.line(terms, plan=build.plan(MINUTES), ingress="pbx", caller_ids=numbers)


@pytest.fixture
async def books(durable_dsn: str) -> AsyncGenerator[PostgresBooks]:
    found = PostgresBooks(durable_dsn)
    await found.open()
    yield found
    await found.close()


def payer(at: datetime) -> Payer:
    return Payer.at(build.ACCOUNT, "GBP", ZONE, at)


@asynccontextmanager
async def call_control(world: SbcWorld, books: PostgresBooks) -> AsyncGenerator[None]:
    """Everything that the process consists of."""
    directory = MemoryDirectory({("pbx", HELD): caller()})
    authoriser = BooksAuthoriser(books, directory, CLOCK)
    book = BooksRecordBook(books, directory, CLOCK)

    def flag(send: Send) -> None:
        send(OutageFlag("pbx", HELD, fail_policy.UNSECURED_SECONDS_MAX))

    try:
        async with running(authoriser, book, [world.place()], connected=flag):
            await asyncio.to_thread(polling.until, lambda: world.connected() == 1, "connected")
            yield
    finally:
        await authoriser.close()


async def rows(books: PostgresBooks, count: int, seconds: float = 40) -> tuple[CallRow, ...]:
    """The calls of this month and of one that ended meanwhile, once there are so many."""
    async with asyncio.timeout(seconds):
        while True:
            found: tuple[CallRow, ...] = ()
            for month in await books.months(build.ACCOUNT):
                found += await books.calls(build.ACCOUNT, month.period_start)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.2)


async def nothing_held(books: PostgresBooks, seconds: float = 20) -> None:
    """Wait until no month holds anything: what was granted too late is given back by itself."""
    async with asyncio.timeout(seconds):
        while True:
            counters = [month.counters for month in await books.months(build.ACCOUNT)]
            if all((each.held_seconds, each.live_calls) == (0, 0) for each in counters):
                return
            await asyncio.sleep(0.2)


async def test_a_thousand_calls_with_durable_reservations(
    world: SbcWorld, books: PostgresBooks, tmp_path: Path
) -> None:
    """50 a second for 20 seconds: none fails, none is lost, and nothing stays held."""
    holder = PlanHolder("all", "plan", MINUTES * 60)
    await books.set_plans(payer(CLOCK.now()), [holder], now=CLOCK.now())
    port = world.estate.ports.peers
    async with AsyncExitStack() as stack:
        for address in (sbc_estates.ALPHA, sbc_estates.BRAVO, sbc_estates.CHARLIE):
            callee = Sipp(SCENARIOS / "callee.xml", (address, port), tmp_path)
            await stack.enter_async_context(callee.taking())
        await stack.enter_async_context(call_control(world, books))
        placing = Sipp(SCENARIOS / "caller.xml", (sbc_estates.PBXES[""], port), tmp_path)
        load = Load(CALLS_PER_SECOND, CALLS, hold_milliseconds=1_000)
        result = await placing.place(world.estate.core, load, seconds=60)
        assert (result.successful, result.failed) == (CALLS, 0)
        found = await rows(books, CALLS)
        await nothing_held(books)
    assert len({row.attempt_id for row in found}) == len(found) == CALLS
    assert {row.mode for row in found} == {Mode.PLAN}
    # On a machine that is busy otherwise some go on by the fail policy, and are in the books too.
    assert sum(row.was_reserved for row in found) > CALLS / 2
    months = await books.months(build.ACCOUNT)
    used = sum(month.counters.used_seconds for month in months)
    assert used == sum(row.pool_seconds for row in found) >= CALLS


async def test_emergency_calls_of_a_dead_day_are_in_the_books_afterwards(
    world: SbcWorld, books: PostgresBooks
) -> None:
    """Nothing but Kamailio runs; it is killed and started again; then the others come back."""
    await world.carriers()
    pbx = await world.pbx()
    before = len(await rows(books, 0))
    spool = world.kamailio.spool
    forms = ("999", "+44999", "112", "18000", "111", "101")
    for turn in (1, 2):
        for dialled in forms:
            call = await pbx.call(world.uri(dialled), world.estate.core, caller=HELD)
            assert call.status == 200
            assert (await call.bye()).status == 200
        await asyncio.to_thread(
            polling.until,
            lambda turn=turn: spool.read_bytes().count(b"log_write_cdr") == turn * len(forms),
            "records in the spool",
        )
        world.kamailio.kill()
        await asyncio.to_thread(world.kamailio.start)
    async with call_control(world, books):
        found = await rows(books, before + 2 * len(forms))
    mine = [row for row in found if row.mode in (Mode.EMERGENCY, Mode.EXEMPT)]
    assert len(mine) == 2 * len(forms)
    assert {(row.pool_seconds, row.charge_micros) for row in mine} == {(0, 0)}
    assert all(row.setup > CLOCK.now() - timedelta(minutes=5) for row in mine)
