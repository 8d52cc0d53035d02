"""A call whose process was killed is extended by another, and by no other while its own lives."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.messages import Authorise, Extend, Order, Registered, Started
from callplane.callcontrol.ports import Granted
from callplane.callcontrol.refreshing import refresh
from callplane.callcontrol.rescuing import Rescuer, TablesNotes
from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder
from callplane.store.call_tables import Holders
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.testing import call_builders as build
from callplane.testing.loop_clock import LoopClock

pytestmark = pytest.mark.looptime
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
STARTED = Started("a-1", "b-1", 3, 4)
REALM = "sip.callplane.example"


class Desk:
    """Two processes over one database."""

    def __init__(self) -> None:
        self.clock = LoopClock(NOW)
        self.books = MemoryBooks()
        self.tables = MemoryCallTables(self.books)
        self.sent: list[Order] = []
        self.directory = TablesDirectory()
        notes = TablesNotes(self.tables, self.directory, self.clock)
        self.authoriser = BooksAuthoriser(self.books, self.directory, self.clock, notes=notes)
        self.rescuer = Rescuer(
            self.books, self.tables, self.directory, self.clock, lambda: [self.sent.append]
        )

    async def begin(self) -> int:
        """A call of a pool of ten minutes is answered; the seconds it was granted."""
        granted_seconds = await self.ring()
        await self.authoriser.answered(STARTED, lambda _: None)
        return granted_seconds

    async def ring(self, *, pool_seconds: int = 600) -> int:
        """A call of a pool is granted and rings; the seconds it was granted."""
        payer = Payer.at(build.ACCOUNT, "GBP", "Europe/London", NOW)
        held = (PlanHolder("anna", build.PLAN, pool_seconds),)
        await self.tables.write("here", build.everything(), [Holders(payer, held)], now=NOW)
        await refresh(self.tables, self.directory)
        question = Authorise(1, 1, "a-1", "b-1", "pbx", build.ANNA, "02079460123")
        granted = await self.authoriser.authorise(question)
        assert isinstance(granted, Granted)
        return granted.max_seconds


async def test_a_call_whose_process_was_killed_goes_on() -> None:
    desk = Desk()
    seconds = await desk.begin()
    await desk.authoriser.close()
    rescuing = asyncio.create_task(desk.rescuer.run())
    await asyncio.sleep(seconds - 10)
    assert desk.sent == []
    await asyncio.sleep(8)
    assert len(desk.sent) == 1
    order = desk.sent[0]
    assert isinstance(order, Extend)
    assert (order.boot_id, order.he, order.hi) == ("b-1", 3, 4)
    assert order.seconds > 60
    # And again, as long as there is something to be had.
    await asyncio.sleep(order.seconds)
    assert len(desk.sent) == 2
    rescuing.cancel()
    await asyncio.gather(rescuing, return_exceptions=True)


async def test_a_call_whose_process_was_killed_while_it_rang_is_held_and_goes_on() -> None:
    """The next process hears of the answer and knows nothing of the question."""
    desk = Desk()
    seconds = await desk.ring(pool_seconds=36_000)
    assert seconds == 1800
    notes = TablesNotes(desk.tables, desk.directory, desk.clock)
    following = BooksAuthoriser(desk.books, desk.directory, desk.clock, notes=notes)
    await asyncio.sleep(20)
    await following.answered(STARTED, lambda _: None)
    rescuing = asyncio.create_task(desk.rescuer.run())
    await asyncio.sleep(seconds - 10)
    # Nothing of what it was granted is let go while it is up.
    assert await desk.books.due(now=desk.clock.now()) == ()
    assert desk.sent == []
    await asyncio.sleep(8)
    (order,) = desk.sent
    assert isinstance(order, Extend)
    assert (order.boot_id, order.he, order.hi) == ("b-1", 3, 4)
    rescuing.cancel()
    await asyncio.gather(rescuing, return_exceptions=True)


async def test_a_call_that_its_process_extends_is_left_to_it() -> None:
    desk = Desk()
    seconds = await desk.begin()
    rescuing = asyncio.create_task(desk.rescuer.run())
    await asyncio.sleep(seconds * 4)
    assert desk.sent == []
    rescuing.cancel()
    await asyncio.gather(rescuing, return_exceptions=True)
    await desk.authoriser.close()


async def test_a_call_that_is_over_is_forgotten() -> None:
    desk = Desk()
    seconds = await desk.begin()
    await desk.authoriser.close()
    await desk.books.void("a-1")
    await asyncio.sleep(seconds - 4)
    assert await desk.rescuer.step() == 0
    assert desk.tables._dialogs == {}


async def test_r7_a_phone_that_registers_is_noted_once_a_month() -> None:
    """By the account's own months; one without a line is nobody's, and nothing is lost for good
    while the tables are away.
    """
    desk = Desk()
    phone = f"sip/{REALM}/phone:bob"
    _, line = build.line(build.ANNA, ingress="bob", holder=phone)
    entries = [*build.everything(), replace(line, name=phone)]
    await desk.tables.write("here", entries, [], now=NOW)
    await refresh(desk.tables, desk.directory)
    payer = Payer.at(build.ACCOUNT, "GBP", "Europe/London", NOW)

    async def noted(whose: Payer = payer) -> frozenset[str]:
        return await desk.tables.registered(whose.account, whose.period.start)

    desk.tables.available = False
    await desk.authoriser.registered(Registered("bob", REALM))
    desk.tables.available = True
    assert await noted() == frozenset()
    for user in ("bob", "bob", "Bob", "mallory"):
        await desk.authoriser.registered(Registered(user, REALM))
    await desk.authoriser.registered(Registered("bob", "another.example"))
    assert await noted() == {phone}
    await asyncio.sleep(30 * 86_400)
    await desk.authoriser.registered(Registered("bob", REALM))
    following = Payer.at(build.ACCOUNT, "GBP", "Europe/London", desk.clock.now())
    assert following.period != payer.period
    assert await noted(following) == {phone}
