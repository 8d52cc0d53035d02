"""How fast calls are rated against a large card: in batches, and one by one with explanations.

    python benchmarks/rate.py [--smoke]

100,000 nested prefixes with London bands, two dates, increments and service charges; 3,000,000
calls of 10,000 accounts. The batch is timed by the card alone and with every account's pool drawn
down first, from columns in memory to charges in memory, each the median of three. Single calls draw
from a pool too, each is explained, and by the same card each is rated as 3 hours, so that the last
line shows that a longer call takes no longer: these two are the best of three, in turns. A sample
of 100,000 calls of each batch, whole pools of them, is rated again one by one. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

import polars as pl

from callplane.billing.batch import kernel
from callplane.billing.batch.estates import estate
from callplane.billing.quotes import RefusalReason
from callplane.billing.rating import Call, Rated, explain, rate
from callplane.billing.tariff import DestinationSet, RateCard, RateRow, Treatment
from callplane.billing.terms import AccountTerms, Line
from callplane.testing.batch_twin import differences
from callplane.testing.billing_builders import BEGIN, SETUP, account, card, line, plan, row

PARENTS = ("1", "33", "353", "44", "49", "61", "86", "91")
#: The whole batch is rated so often, and the median counts; of single calls, the best.
RUNS = 3
CHANGED = BEGIN + timedelta(days=200)


def rows(count: int, chance: random.Random) -> list[RateRow]:
    """Prefixes of 1 to 8 digits, longer ones within shorter ones."""
    prefixes = {str(digit) for digit in range(1, 10)}
    while len(prefixes) < count:
        parent = chance.choice(PARENTS)
        prefixes.add(parent + str(chance.randrange(10 ** chance.randint(1, 6))))
    found = []
    for nth, prefix in enumerate(sorted(prefixes)):
        counted = chance.choice(("1/1", "60/1", "60/60", "6/6", "30/6"))
        bands = {"evening": 5_000} if nth % 7 == 0 else None
        service = (100_000, 20_000) if nth % 97 == 0 else None
        price = chance.randrange(1_000, 500_000)
        found.append(row(prefix, price, counted=counted, bands=bands, service=service))
        if nth % 5 == 0:
            found.append(row(prefix, price + 1, counted=counted, since=CHANGED))
    return found


def calls(count: int, chance: random.Random) -> list[Call]:
    found = []
    for _ in range(count):
        digits = chance.choice(PARENTS)
        digits += str(chance.randrange(10**8, 10**9))
        setup = SETUP - timedelta(minutes=chance.randrange(300 * 24 * 60))
        found.append(Call(f"+{digits}", setup, chance.randrange(1, 3_600)))
    return found


def many_calls(count: int, lines: int, chance: random.Random) -> pl.DataFrame:
    """Calls of a month as a batch knows them, in no order."""
    day = 86_400
    setups = [SETUP - timedelta(seconds=chance.randrange(30 * day)) for _ in range(day)]
    return pl.DataFrame(
        {
            "attempt_id": [f"call-{nth}" for nth in range(count)],
            "leg": ["1"] * count,
            "line": chance.choices(range(lines), k=count),
            "destination": [
                f"+{chance.choice(PARENTS)}{chance.randrange(10**8, 10**9)}" for _ in range(count)
            ],
            "setup": chance.choices(setups, k=count),
            "duration_seconds": chance.choices(range(1, 3_600), k=count),
            "inbound": [False] * count,
            "byoc": [False] * count,
            "on_net": [False] * count,
        },
        schema_overrides=kernel.CALLS,
    )


def many_lines(count: int, prices: RateCard, *, with_plan: bool) -> list[Line]:
    """A line an account: by the card alone, or from a pool of 300 minutes first."""
    half = DestinationSet("half", dict.fromkeys(PARENTS[:6], Treatment.BUNDLED), sample=True)
    bundle = replace(plan(300), destinations=half) if with_plan else None
    return [
        replace(
            line(
                account(
                    name=f"sales/{nth}",
                    card=prices,
                    pay_as_you_go=not with_plan,
                    overspend=with_plan,
                ),
                plan=bundle,
            ),
            name=str(nth),
        )
        for nth in range(count)
    ]


def per_second(count: int, work: Callable[[], object]) -> int:
    began = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - began))


def batches(prices: RateCard, records: int, pools: int, sample: int) -> dict[str, int]:
    """Rate the same calls both ways, and a sample of each way one by one."""
    calls = many_calls(records, pools, random.Random(11))
    compared = -(-pools * sample * 103 // (records * 100))
    found = {"mismatches": 0, "compared": 0}
    for name, with_plan in (("batch_per_second", False), ("drawdown_per_second", True)):
        lines = many_lines(pools, prices, with_plan=with_plan)
        rated_by = estate(lines)
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            rated = kernel.rate(calls, rated_by)
            times.append(time.perf_counter() - began)
        found[name] = round(records / statistics.median(times))
        some = rated.filter(pl.col("line") < compared)
        found["mismatches"] += len(differences(some, lines))
        found["compared"] += len(some)
    return found


def singles(prices: RateCard, records: int, chance: random.Random) -> dict[str, int]:
    """Rate single calls, and the same ones as if each had taken three hours."""
    payer: AccountTerms = account(card=prices, pay_as_you_go=True, overspend=True)
    made = calls(records, chance)
    long = [replace(call, duration_seconds=10_800) for call in made]
    bundle = plan()

    def all_of(listed: Iterable[Call]) -> list[Rated | RefusalReason]:
        return [rate(call, account=payer, plan=bundle, free_seconds=90) for call in listed]

    def explained() -> int:
        lines = 0
        for found in all_of(made):
            if isinstance(found, Rated):
                lines += sum(1 for _ in explain(found, currency="GBP"))
        return lines

    all_of(made[:1_000])
    # In turns, and the best of each: one interruption would look like a cost of length.
    turns = [
        (per_second(records, lambda: all_of(made)), per_second(records, lambda: all_of(long)))
        for _ in range(RUNS)
    ]
    return {
        "rated_per_second": max(short for short, _ in turns),
        "rated_three_hours_per_second": max(lasting for _, lasting in turns),
        "single_per_second": per_second(records, explained),
        "unrated": sum(isinstance(found, RefusalReason) for found in all_of(made)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small: it still runs")
    smoke = parser.parse_args().smoke
    chance = random.Random(7)
    prefixes, records, pools, sample = (
        (2_000, 20_000, 100, 2_000) if smoke else (100_000, 3_000_000, 10_000, 100_000)
    )
    prices = card(*rows(prefixes, chance))
    load = round(os.getloadavg()[0], 2)
    alone = singles(prices, sample, chance)
    result = {
        "benchmark": "rate",
        "cores": os.cpu_count(),
        "load_average_before": load,
        "prefixes": prefixes,
        "rows": len(prices),
        "pools": pools,
        **alone,
        "records": records,
        **batches(prices, records, pools, sample),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
