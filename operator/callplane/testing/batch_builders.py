"""Estates and calls by chance, with everything in them that rating knows. Prices are invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import polars as pl

from callplane.billing.batch.kernel import CALLS
from callplane.billing.tariff import AccessCharge, RateCard, RateRow, TimeBand
from callplane.billing.terms import Line, OnNet
from callplane.testing.billing_builders import (
    BEGIN,
    EVENING,
    SETUP,
    account,
    increment,
    line,
    plan,
    row,
)

COUNTED = ("1/1", "60/1", "60/60", "6/6", "30/6", "1/60")
CHANGED = BEGIN + timedelta(days=200)
WEEKEND = TimeBand("weekend", frozenset({5, 6}), 0, 1440)
#: What a batch meets beside numbers: services in all their forms, near misses, and nonsense.
ODD = (
    *("999", "112", "+44999", "118500", "118", "116123", "18001999", "+18001116123", "0111"),
    *("+4418002116123", "+449991234", "1010", "", "+", "+44", "+4420794601230000000000", "abc"),
    *("118a", "+44x20", "+-44", "-44", "+442079460123#", "+44116123#", "urn:service:sos"),
)


def card_by_chance(chance: Random, prefixes: int) -> RateCard:
    """Nested prefixes with dates, bands, fees, increments, short codes and two-part prices."""
    found = {str(digit) for digit in range(1, 9)} | {"s118", "s1185"}
    while len(found) < prefixes:
        parent = chance.choice(("1", "33", "44", "447", "449", "4484"))
        found.add(parent + str(chance.randrange(10 ** chance.randint(1, 5))))
    rows: list[RateRow] = []
    for prefix in sorted(found):
        begins = chance.choice((BEGIN, BEGIN, CHANGED))
        rows += [
            row(
                prefix,
                chance.randrange(500_000),
                fee=chance.choice((0, 0, 5_000)),
                counted=chance.choice(COUNTED),
                since=begins + timedelta(days=nth * chance.randrange(1, 90)),
                bands={"evening": chance.randrange(9_000)} if chance.random() < 0.3 else None,
                service=(100_000, 20_000) if chance.random() < 0.1 else None,
            )
            for nth in range(chance.choice((1, 1, 2)))
        ]
    return RateCard(
        name=f"card-{prefixes}",
        currency="GBP",
        zone="Europe/London",
        rows=rows,
        bands=(EVENING, WEEKEND),
        access_charges=[AccessCharge(50_000, BEGIN), AccessCharge(70_001, CHANGED)],
        sample=True,
    )


def lines_by_chance(
    chance: Random, accounts: int, cards: Sequence[RateCard | None], *, each: int = 5
) -> list[Line]:
    """Accounts under every switch, with lines of different plans, or none, sharing a pool."""
    found = []
    for nth in range(accounts):
        payer = account(
            name=f"sales/{nth}",
            card=chance.choice(cards),
            pay_as_you_go=chance.random() < 0.5,
            overspend=chance.random() < 0.5,
            on_net=chance.choice(list(OnNet)),
            zone=chance.choice(("Europe/London", "America/New_York")),
        )
        for number in range(each):
            minutes, counted = chance.randrange(1, 8), increment(chance.choice(COUNTED))
            bundle = None if chance.random() < 0.2 else plan(minutes, counted=counted)
            named = f"{payer.name}-{number}"
            found.append(replace(line(payer, plan=bundle), name=named))
    return found


def calls_by_chance(chance: Random, count: int, lines: int) -> pl.DataFrame:
    """Calls in no order, many of them at one instant."""
    rows = [
        (
            f"call-{nth}",
            "1",
            chance.randrange(lines),
            _destination(chance),
            SETUP
            if chance.random() < 0.1
            else SETUP - timedelta(seconds=chance.randrange(150 * 86_400), microseconds=nth),
            chance.choice((0, 1, 59, 60, 61, chance.randrange(3_600))),
            chance.random() < 0.05,
            chance.random() < 0.05,
            chance.random() < 0.05,
        )
        for nth in range(count)
    ]
    return pl.DataFrame(rows, schema=CALLS, orient="row")


def _destination(chance: Random) -> str:
    if chance.random() < 0.03:
        return chance.choice(ODD)
    parent = chance.choice(("1", "33", "442", "447", "449", "4480", "4484", "353"))
    return f"+{parent}{chance.randrange(10 ** chance.randint(1, 9))}"
