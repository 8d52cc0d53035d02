"""The whole of it: a real SBC, call control, the decision and the books, in one story each."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from callplane.billing.terms import AccountTerms
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.running import running
from callplane.clock import SystemClock
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder
from callplane.testing import billing_builders as build
from callplane.testing import noon_zones, polling, sbc_estates
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld

CLOCK = SystemClock()
USERS = [f"+44207946000{number}" for number in range(1, 6)]
DOMESTIC = "+441614960123"


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(verdict_milliseconds=sbc_estates.PATIENT_MILLISECONDS)


@dataclass
class LiveBooks:
    """An account whose users share one pool."""

    books: MemoryBooks
    directory: MemoryDirectory
    terms: AccountTerms

    @classmethod
    async def of(cls, minutes: int) -> LiveBooks:
        terms = build.account(zone=noon_zones.zone(CLOCK.now()))
        made = cls(MemoryBooks(), MemoryDirectory(), terms)
        made.apply()
        made.directory.numbers = frozenset(str(number) for number in sbc_estates.OWN)
        holder = PlanHolder("anna", "plan", minutes * 60)
        await made.books.set_plans(made.payer, [holder], now=CLOCK.now())
        return made

    def apply(self, **changes: Any) -> None:
        """What an edit of the account in git becomes: all lines anew."""
        self.terms = terms = replace(self.terms, **changes)
        plan = build.plan(300)
        self.directory.lines = {
            ("pbx", user): build.line(terms, plan=plan, ingress="pbx", caller_ids=frozenset({user}))
            for user in USERS
        }

    @property
    def payer(self) -> Payer:
        return Payer.at(self.terms.name, "GBP", self.terms.zone, CLOCK.now())


@asynccontextmanager
async def call_control(world: SbcWorld, live: LiveBooks) -> AsyncGenerator[None]:
    """Everything that the process consists of, over books in memory."""
    authoriser = BooksAuthoriser(live.books, live.directory, CLOCK)
    record_book = BooksRecordBook(live.books, live.directory, CLOCK)
    try:
        async with running(authoriser, record_book, [world.place()]):
            await asyncio.to_thread(polling.until, lambda: world.connected() == 1, "connected")
            yield
    finally:
        await authoriser.close()


async def eventually(check: object, what: str) -> None:
    await asyncio.to_thread(polling.until, check, what, seconds=30)  # type: ignore[arg-type]


async def test_a_pool_that_three_hold_refuses_the_fourth_and_999_goes_through(
    world: SbcWorld,
) -> None:
    alpha, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    live = await LiveBooks.of(3)
    async with call_control(world, live):
        began = time.monotonic()
        calls = [
            await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=user)
            for user in USERS[:3]
        ]
        assert [call.status for call in calls] == [200, 200, 200]
        fourth = await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=USERS[3])
        assert fourth.status == 403
        assert "PoolHeld" in fourth.final.start
        emergency = await pbx.call(world.uri("999"), world.estate.core, caller=USERS[3])
        assert emergency.status == 200
        on_net = await pbx.call(world.uri("+442079460008"), world.estate.core, caller=USERS[3])
        assert on_net.status == 200
        await asyncio.sleep(1.2)
        for call in (*calls, emergency, on_net):
            assert (await call.bye()).status == 200
        longest_seconds = math.ceil(time.monotonic() - began)

        def settled() -> bool:
            month = live.books._months[(live.terms.name, live.payer.period.start)]
            return month.counters.live_calls == 0 and len(live.books._calls) == 5

        await eventually(settled, "five calls in the books")
        counters = await live.books.counters(live.payer)
        assert counters.held_seconds == 0
        # Three calls of a second and a bit at least, each rounded up once; the others took nothing.
        assert 6 <= counters.used_seconds <= 3 * longest_seconds
        again = await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=USERS[3])
        assert again.status == 200
    # The pool is as it is while call control is away; 999 does not look at it.
    last = await pbx.call(world.uri("999"), world.estate.core, caller=USERS[3])
    assert last.status == 200
    assert len(alpha.requests("INVITE")) == 4
    assert [invite.user for invite in bravo.requests("INVITE")] == ["999", "999"]


async def test_overspend_lets_the_next_call_through(world: SbcWorld) -> None:
    await world.carriers()
    pbx = await world.pbx()
    live = await LiveBooks.of(0)
    async with call_control(world, live):
        refused = await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=USERS[0])
        assert (refused.status, "PoolExhausted" in refused.final.start) == (403, True)
        live.apply(overspend=True)
        call = await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=USERS[0])
        assert call.status == 200
        await asyncio.sleep(1.1)
        assert (await call.bye()).status == 200
        await eventually(lambda: len(live.books._calls) == 1, "a call in the books")
    counters = await live.books.counters(live.payer)
    assert counters.posted_micros > 0
    assert counters.held_micros == 0


@pytest.mark.parametrize(("is_allowed", "status"), [(True, 200), (False, 503)])
async def test_books_that_are_away_refuse_nothing_by_policy(
    world: SbcWorld, is_allowed: bool, status: int
) -> None:
    """Bundled calls go on where the account allows it; on-net and 999 always do, and all of them
    are in the books afterwards.
    """
    await world.carriers()
    pbx = await world.pbx()
    live = await LiveBooks.of(3)
    live.apply(bundled_on_outage=is_allowed)
    async with call_control(world, live):
        live.books.available = False
        statuses = []
        for dialled in (DOMESTIC, "+442079460008", "999"):
            call = await pbx.call(world.uri(dialled), world.estate.core, caller=USERS[0])
            statuses.append(call.status)
            if call.status == 200:
                assert (await call.bye()).status == 200
        assert statuses == [status, 200, 200]
        await asyncio.sleep(0.5)
        assert live.books._calls == []
        live.books.available = True
        await eventually(
            lambda: len(live.books._calls) == statuses.count(200), "the calls are in the books"
        )


async def test_a_call_that_nobody_answers_holds_nothing(world: SbcWorld) -> None:
    for carrier in await world.carriers():
        carrier.answering = lambda _: (486,)
    pbx = await world.pbx()
    live = await LiveBooks.of(3)
    async with call_control(world, live):
        call = await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=USERS[0])
        assert call.status == 486

        def free() -> bool:
            month = live.books._months[(live.terms.name, live.payer.period.start)]
            return month.counters.held_seconds == 0

        await eventually(free, "nothing is held")
