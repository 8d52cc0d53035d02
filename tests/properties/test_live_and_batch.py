"""The same calls in the same order draw the same minutes and cost the same, live or from a file."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from callplane.billing.clip import Grant
from callplane.billing.decision import CallContext, decide
from callplane.billing.increments import Increment
from callplane.billing.mediation import Leg
from callplane.billing.quotes import Quote
from callplane.billing.terms import Line
from callplane.callcontrol.settling import Tariff, pinned
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Entry, Outcome, Payer, PlanHolder, Reserve
from callplane.testing import billing_builders as build

INCREMENTS = st.sampled_from([Increment(1, 1), Increment(60, 60), Increment(30, 6)])
PAYER = Payer.at(build.ACCOUNT, "GBP", "Europe/London", build.SETUP)
EXTENSIONS_MAX = 400

Split = tuple[int, int]


def leg(number: int, dialled: str, seconds: int) -> Leg:
    asked = build.attempt(dialled)
    begin = build.SETUP + timedelta(minutes=number)
    return Leg(
        source="sbc",
        attempt_id=f"a-{number}",
        leg="1",
        caller=build.CALLER,
        dialled=dialled,
        destination=asked.destination,
        ingress=build.INGRESS,
        setup=begin,
        answered=begin,
        released=begin + timedelta(seconds=seconds),
    )


async def opened(minutes: int) -> MemoryBooks:
    books = MemoryBooks()
    holder = PlanHolder("anna", "plan", minutes * 60)
    await books.set_plans(PAYER, [holder], now=build.SETUP)
    return books


async def splits(books: MemoryBooks) -> list[Split]:
    rows = await books.calls(build.ACCOUNT, PAYER.period.start)
    return [(row.pool_seconds, row.charge_micros) for row in rows]


async def live(legs: list[Leg], line: Line, minutes: int) -> list[Split]:
    """Each call asks, is extended as long as it lasts, and is settled by its grant."""
    books = await opened(minutes)
    for one in legs:
        context = CallContext(line, await books.counters(PAYER))
        quote = decide(context, build.attempt(one.dialled, setup=one.setup))
        assert isinstance(quote, Quote)
        later = one.setup + timedelta(hours=5)
        grant = await books.reserve(
            Reserve(one.attempt_id, PAYER, line.name, quote, one.setup, later)
        )
        assert isinstance(grant, Grant)
        for _ in range(EXTENSIONS_MAX):
            if grant.seconds >= one.duration_seconds:
                break
            more = await books.extend(one.attempt_id, quote.limits, now=one.setup, expires_at=later)
            assert more is not None
            grant = more
        assert grant.seconds >= one.duration_seconds
        (held,) = await books.reservations([one.attempt_id])
        await settled(books, pinned(one, held, line.account))
    return await splits(books)


async def from_a_file(legs: list[Leg], line: Line, minutes: int) -> list[Split]:
    books = await opened(minutes)
    tariff = Tariff(books, build.SETUP)
    for one in legs:
        entry = await tariff.rate(one, line)
        assert isinstance(entry, Entry)
        await settled(books, entry)
    return await splits(books)


async def settled(books: MemoryBooks, entry: Entry) -> None:
    # A second copy changes nothing.
    found = await books.settle([entry, entry], now=build.SETUP)
    assert found == (Outcome.SETTLED, Outcome.DUPLICATE)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([build.LANDLINE, build.MOBILE]), st.integers(1, 4_000)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 120),
    INCREMENTS,
)
def test_the_same_order_gives_the_same_split_and_the_same_charge(
    said: list[tuple[str, int]], minutes: int, increment: Increment
) -> None:
    terms = build.account(overspend=True, ceiling_micros=10**12)
    line = build.line(terms, plan=build.plan(minutes, counted=increment))
    legs = [leg(number, dialled, seconds) for number, (dialled, seconds) in enumerate(said)]
    found = asyncio.run(live(legs, line, minutes))
    assert found == asyncio.run(from_a_file(legs, line, minutes))
    assert sum(pool for pool, _ in found) <= minutes * 60
