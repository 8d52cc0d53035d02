"""A state machine over the books: arbitrary interleavings of what calls do, in arbitrary months.

Several books may be driven at once. They must give the same answers and count the same, and each
must keep what is true at every commit: used + held ≤ entitlement, posted + held ≤ ceiling for calls
with a reservation, and postings that add up to the balances.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callplane.billing.clip import Grant
from callplane.billing.increments import Increment
from callplane.billing.quotes import Quote
from callplane.billing.rating import unlimited
from callplane.billing.settlement import settle
from callplane.billing.terms import CapScope, Limits
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import (
    Books,
    Entry,
    Outcome,
    Payer,
    PlanHolder,
    Reservation,
    ReservationState,
    Reserve,
)
from callplane.testing import books_contract
from callplane.testing.books_builders import (
    ABROAD_PRICE,
    NOW,
    PENNY,
    counted_quote,
    leg,
    pool_quote,
    priced_quote,
)

CEILING_MICROS = 400_000
LIMITS = Limits(
    ceiling_micros=CEILING_MICROS,
    day_cap_micros=250_000,
    account_calls=6,
    line_calls=3,
    line_calls_per_minute=4,
)
SIXTIES = Increment(60, 60)
QUOTES: tuple[Quote, ...] = (
    pool_quote(limits=LIMITS),
    pool_quote(limits=LIMITS, pool=SIXTIES, grace_seconds=100, grace_percent=20),
    pool_quote(limits=LIMITS, price=PENNY),
    pool_quote(limits=LIMITS, pool=SIXTIES, price=ABROAD_PRICE),
    priced_quote(limits=LIMITS),
    priced_quote(ABROAD_PRICE, limits=replace(LIMITS, day_cap_scope=CapScope.NEW_AND_LIVE)),
    counted_quote(account_calls=6, line_calls=3, line_calls_per_minute=4),
)
attempts = st.integers(0, 9)
names = itertools.count(1)


class BooksMachine(RuleBasedStateMachine):
    """`books` are driven together; the first answers for all. Each example has its own account."""

    runner: ClassVar[asyncio.Runner]
    books: ClassVar[Sequence[Books]] = ()

    def __init__(self) -> None:
        super().__init__()
        number = next(names)
        self.account = f"machine/{number}"
        self.prefix = f"{number}-"
        self.now = NOW
        self.quotes: dict[str, Quote] = {}
        self.recorded: set[str] = set()
        self.highest_ceiling = 0
        self.driven = self.books or (MemoryBooks(),)

    def ask(self, question: Callable[[Books], Awaitable[Any]]) -> Any:
        """Ask all books; their answers are the same."""

        async def all_of_them() -> list[Any]:
            return [await question(books) for books in self.driven]

        answers = self.runner.run(all_of_them())
        assert all(answer == answers[0] for answer in answers), answers
        return answers[0]

    def payer(self, setup: datetime | None = None) -> Payer:
        return Payer.at(self.account, "GBP", "Europe/London", setup or self.now)

    def reservation(self, attempt: str) -> Reservation | None:
        found = self.ask(lambda books: books.reservations([attempt]))
        return found[0] if found else None

    @initialize(minutes=st.integers(0, 30))
    def begin(self, minutes: int) -> None:
        self.plans([minutes] if minutes else [])

    @rule(minutes=st.lists(st.integers(1, 30), max_size=3))
    def plans(self, minutes: list[int]) -> None:
        held = [PlanHolder(f"holder-{n}", "plan", size * 60) for n, size in enumerate(minutes)]
        self.ask(lambda books: books.set_plans(self.payer(), held, now=self.now))

    @rule(minutes=st.sampled_from([0, 1, 10, 60 * 14, 60 * 24 * 13]), seconds=st.integers(0, 100))
    def time_passes(self, minutes: int, seconds: int) -> None:
        self.now += timedelta(minutes=minutes, seconds=seconds)

    @rule(
        attempt=attempts,
        quote=st.sampled_from(QUOTES),
        line=st.integers(0, 2),
        ago=st.sampled_from([0, 0, 0, 60 * 60 * 25]),
    )
    def reserve(self, attempt: int, quote: Quote, line: int, ago: int) -> None:
        key = f"{self.prefix}{attempt}"
        asked = Reserve(
            attempt_id=key,
            payer=self.payer(self.now - timedelta(seconds=ago)),
            line=f"{self.account}/{line}",
            quote=quote,
            now=self.now,
            expires_at=self.now + timedelta(seconds=70),
        )
        known = self.reservation(key)
        if known is not None:
            # An attempt never comes back in another month.
            asked = replace(asked, payer=self.payer_of(known))
        found = self.ask(lambda books: books.reserve(asked))
        if isinstance(found, Grant):
            assert known is None or found == known.granted
            self.quotes.setdefault(key, quote)
            self.highest_ceiling = max(self.highest_ceiling, quote.limits.ceiling_micros)

    @rule(attempt=attempts, ceiling=st.sampled_from([0, CEILING_MICROS, 2 * CEILING_MICROS]))
    def extend(self, attempt: int, ceiling: int) -> None:
        key = f"{self.prefix}{attempt}"
        quote = self.quotes.get(key)
        limits = replace(quote.limits if quote else LIMITS, ceiling_micros=ceiling)
        before = self.reservation(key)
        later = self.now + timedelta(seconds=180)
        found = self.ask(lambda books: books.extend(key, limits, now=self.now, expires_at=later))
        assert (found is None) == (before is None or not before.state.is_live)
        if found is not None and before is not None:
            assert found.seconds >= before.granted.seconds
            self.highest_ceiling = max(self.highest_ceiling, ceiling)

    @rule(attempt=attempts)
    def answer(self, attempt: int) -> None:
        key, later = f"{self.prefix}{attempt}", self.now + timedelta(seconds=180)
        self.ask(lambda books: books.answered(key, at=self.now, expires_at=later))

    @rule(attempt=attempts)
    def void(self, attempt: int) -> None:
        key = f"{self.prefix}{attempt}"
        before = self.reservation(key)
        done = self.ask(lambda books: books.void(key))
        assert done == (before is not None and before.state.is_live)

    @rule(attempt=attempts, seconds=st.integers(0, 4_000), number=st.sampled_from("112"))
    def settle(self, attempt: int, seconds: int, number: str) -> None:
        """A record comes, once or again, with or without a reservation."""
        key = f"{self.prefix}{attempt}"
        known = self.reservation(key)
        entry = self.entry(key, known, seconds)
        entry = replace(entry, leg=leg(key, seconds, number=number))
        found = self.ask(lambda books: books.settle([entry, entry], now=self.now))
        assert found[1] is Outcome.DUPLICATE
        self.recorded.add(key)
        if found[0] is Outcome.SETTLED and known is not None:
            assert self.state(key) in (ReservationState.POSTED, ReservationState.VOIDED)

    @rule(attempt=attempts, seconds=st.integers(0, 4_000))
    def settle_by_an_older_grant(self, attempt: int, seconds: int) -> None:
        key = f"{self.prefix}{attempt}"
        known = self.reservation(key)
        if known is None or not known.state.is_live:
            return
        entry = replace(self.entry(key, known, seconds), granted_seconds=999_999)
        before = self.ask(lambda books: books.months(self.account))
        entry = replace(entry, leg=leg(key, seconds))
        assert self.ask(lambda books: books.settle([entry], now=self.now)) == (Outcome.CHANGED,)
        assert self.ask(lambda books: books.months(self.account)) == before

    @rule(seconds=st.integers(0, 400))
    def expire(self, seconds: int) -> None:
        """Whose time is over is presumed to have lasted so long."""
        for due in self.ask(self.due):
            entries = [self.entry(due.attempt_id, due, seconds)]
            was_recorded = due.attempt_id in self.recorded
            found = self.settled(entries)
            assert found == ((Outcome.GONE if was_recorded else Outcome.SETTLED),)

    @rule(attempt=attempts, presumed=st.integers(1, 400), seconds=st.integers(0, 4_000))
    def record_comes_late(self, attempt: int, presumed: int, seconds: int) -> None:
        """The call is given up, and then its record comes after all."""
        key = f"{self.prefix}{attempt}"
        known = self.reservation(key)
        if known is None or not known.state.is_live:
            return
        was_recorded = key in self.recorded
        found = self.settled([self.entry(key, known, presumed)])
        assert found == ((Outcome.GONE if was_recorded else Outcome.SETTLED),)
        self.recorded.add(key)
        late = replace(self.entry(key, known, seconds), leg=leg(key, seconds, number="late"))
        assert self.settled([late])[0] in (Outcome.SETTLED, Outcome.DUPLICATE)

    def settled(self, entries: list[Entry]) -> Any:
        return self.ask(lambda books: books.settle(entries, now=self.now))

    async def due(self, books: Books) -> list[Reservation]:
        return [one for one in await books.due(now=self.now) if one.account == self.account]

    def entry(self, key: str, known: Reservation | None, seconds: int) -> Entry:
        quote = self.quotes.get(key, QUOTES[0])
        granted = known.granted if known is not None else None
        if granted is None:
            granted = unlimited(seconds, pool=quote.pool, price=quote.price, free_seconds=10_000)
        return Entry(
            attempt_id=key,
            payer=self.payer() if known is None else self.payer_of(known),
            line=f"{self.account}/0",
            mode=quote.mode,
            settlement=settle(seconds, granted, pool=quote.pool, price=quote.price),
            leg=None,
            price=quote.price,
            granted_seconds=granted.seconds if known is not None else None,
        )

    def payer_of(self, known: Reservation) -> Payer:
        payer = self.payer(known.period_start)
        return replace(payer, day=known.day)

    def state(self, key: str) -> ReservationState:
        found = self.reservation(key)
        assert found is not None
        return found.state

    @invariant()
    def all_is_true_that_is_always_true(self) -> None:
        months = self.ask(lambda books: books.months(self.account))
        keys = list(self.quotes)
        rows = [
            row for row in self.ask(lambda books: books.reservations(keys)) if row.state.is_live
        ]
        for month in months:
            secured = month.counters.due_micros - month.counters.unsecured_micros
            assert secured <= self.highest_ceiling
            live = [row for row in rows if row.period_start == month.period_start]
            assert month.counters.live_calls == len(live)
            assert month.counters.held_seconds == sum(row.granted.pool_seconds for row in live)
            assert month.counters.held_micros == sum(row.granted.hold_micros for row in live)
        self.ask(self.audited)

    async def audited(self, books: Books) -> None:
        await books_contract.audit(books, self.account)
