"""Nothing is held for ever, and what is presumed gives way to what is known."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import OVERTIME, RING, BooksAuthoriser
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.messages import Authorise, CallRecord, Order, Started
from callplane.callcontrol.ports import Granted
from callplane.callcontrol.reaping import Reaper
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder
from callplane.testing import billing_builders as build
from callplane.testing.loop_clock import LoopClock

pytestmark = pytest.mark.looptime

QUESTION = Authorise(1, 2, "a-1", "b-1", build.INGRESS, build.CALLER, build.LANDLINE)


class Desk:
    """Books with a pool of ten minutes, and everything that works on them."""

    def __init__(self) -> None:
        line = build.line(build.account(), plan=build.plan(10))
        self.directory = MemoryDirectory({(build.INGRESS, build.CALLER): line})
        self.books = MemoryBooks()
        self.clock = LoopClock(build.SETUP)
        self.payer = Payer.at(build.ACCOUNT, "GBP", "Europe/London", build.SETUP)
        self.reaper = Reaper(self.books, self.directory, self.clock)

    def authoriser(self) -> BooksAuthoriser:
        """A call control that has just been started."""
        return BooksAuthoriser(self.books, self.directory, self.clock)

    async def reserve(self) -> Granted:
        holder = PlanHolder("anna", "plan", 600)
        await self.books.set_plans(self.payer, [holder], now=self.clock.now())
        granted = await self.authoriser().authorise(QUESTION)
        assert isinstance(granted, Granted)
        return granted

    async def used_and_held(self) -> tuple[int, int]:
        counters = await self.books.counters(self.payer)
        return counters.used_seconds, counters.held_seconds


async def test_a_call_that_never_came_about_holds_nothing_after_its_ring() -> None:
    desk = Desk()
    await desk.reserve()
    await asyncio.sleep(RING.total_seconds() - 1)
    assert await desk.reaper.step() == 0
    await asyncio.sleep(2)
    assert await desk.reaper.step() == 1
    assert await desk.used_and_held() == (0, 0)
    assert await desk.reaper.step() == 0


async def test_what_is_held_for_an_account_that_is_gone_is_let_go() -> None:
    """Its calls were up when it was deleted; nobody else's may wait behind them for ever."""
    desk = Desk()
    granted = await desk.reserve()
    await desk.authoriser().answered(Started("a-1", "b-1", 1, 2), nowhere)
    desk.directory.lines.clear()
    await asyncio.sleep(granted.max_seconds + OVERTIME.total_seconds() + 60)
    assert await desk.reaper.step() == 1
    assert await desk.used_and_held() == (0, 0)
    assert await desk.reaper.step() == 0


def nowhere(_: Order) -> None:
    """An SBC that is gone."""


async def test_everything_is_killed_and_the_record_comes_afterwards() -> None:
    """Reserved, answered, killed; what is held is let go, and the record settles the call once."""
    desk = Desk()
    granted = await desk.reserve()
    killed = desk.authoriser()
    await killed.answered(Started("a-1", "b-1", 1, 2), nowhere)
    answered_at = desk.clock.now()
    await asyncio.sleep(granted.max_seconds + OVERTIME.total_seconds() + 60)
    assert await desk.reaper.step() == 1
    # Nobody saw the call after its answer.
    assert await desk.used_and_held() == (0, 0)
    record = CallRecord(
        "a-1",
        "outbound",
        build.ACCOUNT,
        build.CALLER,
        "+442079460123",
        build.INGRESS,
        "a-1",
        answered_at,
        answered_at + timedelta(seconds=42),
        42_000,
    )
    book = BooksRecordBook(desk.books, desk.directory, desk.clock)
    for _ in range(2):
        await book.post([record, replace(record)])
        assert await desk.used_and_held() == (42, 0)
    assert await desk.reaper.step() == 0


async def test_what_is_presumed_reaches_to_the_last_proof_of_life() -> None:
    desk = Desk()
    await desk.reserve()
    await desk.books.answered(
        "a-1", at=desk.clock.now(), expires_at=desk.clock.now() + timedelta(seconds=60)
    )
    await asyncio.sleep(30)
    limits = build.line().limits
    now = desk.clock.now()
    await desk.books.extend("a-1", limits, now=now, expires_at=now + timedelta(seconds=60))
    await asyncio.sleep(100)
    assert await desk.reaper.step() == 1
    assert await desk.used_and_held() == (30, 0)


async def test_books_that_are_away_are_asked_again() -> None:
    desk = Desk()
    await desk.reserve()
    desk.books.available = False
    task = asyncio.create_task(desk.reaper.run())
    await asyncio.sleep(200)
    desk.books.available = True
    assert (await desk.used_and_held())[1] > 0
    await asyncio.sleep(61)
    assert await desk.used_and_held() == (0, 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_live_call_is_let_alone() -> None:
    desk = Desk()
    holder = PlanHolder("anna", "plan", 600)
    await desk.books.set_plans(desk.payer, [holder], now=desk.clock.now())
    authoriser = desk.authoriser()
    await authoriser.authorise(QUESTION)
    await authoriser.answered(Started("a-1", "b-1", 1, 2), nowhere)
    for _ in range(5):
        await asyncio.sleep(60)
        assert await desk.reaper.step() == 0
    assert (await desk.used_and_held())[1] > 300
    await authoriser.close()
