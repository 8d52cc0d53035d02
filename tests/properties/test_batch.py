"""Batches, single calls and the books agree, whatever the estate."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from callplane.billing.batch import kernel
from callplane.billing.batch.estates import estate
from callplane.billing.mediation import Leg
from callplane.billing.terms import Line
from callplane.callcontrol import intake
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder
from callplane.testing.batch_builders import calls_by_chance, card_by_chance, lines_by_chance
from callplane.testing.batch_twin import differences
from callplane.values import Period

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 400))
def test_a_batch_says_of_each_call_what_is_said_of_it_alone(seed: int, count: int) -> None:
    chance = Random(seed)
    cards = [card_by_chance(chance, 60), card_by_chance(chance, 30), None]
    lines = lines_by_chance(chance, 3, cards, each=3)
    calls = calls_by_chance(chance, count, len(lines))
    assert differences(kernel.rate(calls, estate(lines)), lines) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_a_batch_says_what_the_books_charged(seed: int) -> None:
    """Records that come in the order of their set-ups, without reservations: pool and money."""
    chance = Random(seed)
    lines = lines_by_chance(chance, 2, [card_by_chance(chance, 60)], each=3)
    numbers = {line.name: f"+44207946{nth:04}" for nth, line in enumerate(lines)}
    lines = [
        Line(numbers[each.name], each.account, each.ingress, frozenset(), each.plan)
        for each in lines
    ]
    calls = calls_by_chance(chance, 150, len(lines)).filter(
        pl.col("destination").str.contains(r"^\+[0-9]{7,15}$")
    )
    calls = calls.with_columns(
        setup=pl.col("setup").dt.truncate("1s"),
        **{name: pl.lit(False) for name in ("inbound", "byoc", "on_net")},
    )
    rated = kernel.rate(calls, estate(lines)).sort("setup", "attempt_id", "leg")
    charged = asyncio.run(through_the_books(rated, lines))
    compared = {
        row["attempt_id"]: (row["pool_seconds"], row["charge_micros"])
        for row in rated.iter_rows(named=True)
        if row["outcome"] not in ("NoRate", "NoPlan")
    }
    assert compared
    assert charged == compared


async def through_the_books(rated: pl.DataFrame, lines: list[Line]) -> dict[str, tuple[int, int]]:
    books = MemoryBooks()
    accounts = {line.account.name: line.account for line in lines}
    for row in rated.iter_rows(named=True):
        line = lines[row["line"]]
        account = accounts[line.account.name]
        payer = Payer.at(account.name, account.currency, account.zone, row["setup"])
        holders = [
            PlanHolder(each.name, each.plan.name, each.plan.seconds)
            for each in lines
            if each.plan is not None and each.account.name == account.name
        ]
        await books.set_plans(payer, holders, now=row["setup"])
        leg = Leg(
            source="csv",
            attempt_id=row["attempt_id"],
            leg=row["leg"],
            caller=line.name,
            dialled=row["destination"],
            destination=row["destination"],
            ingress=line.ingress,
            setup=row["setup"],
            answered=row["setup"],
            released=row["setup"] + timedelta(seconds=row["duration_seconds"]),
        )
        known = {each.name: each for each in lines}
        await intake.take(books, [leg], lines=known, now=NOW)
    found = {}
    for account in accounts.values():
        for month in await books.months(account.name):
            period = Period.of(month.period_start, account.zone)
            for call in await books.calls(account.name, period.start):
                found[call.attempt_id] = (call.pool_seconds, call.charge_micros)
    return found
