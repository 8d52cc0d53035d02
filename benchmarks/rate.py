"""How fast single calls are rated against a large card, with and without their explanation.

    python benchmarks/rate.py [--smoke]

100,000 nested prefixes with London bands, two dates, increments and service charges; calls draw
from a pool first. Every call is rated by its real length and, by the same card, as 3 hours, so that
the last line shows that a longer call takes no longer to rate. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable
from datetime import timedelta

from callplane.billing.quotes import RefusalReason
from callplane.billing.rating import Call, Rated, explain, rate
from callplane.billing.tariff import RateRow
from callplane.billing.terms import AccountTerms
from callplane.testing.billing_builders import BEGIN, SETUP, account, card, plan, row

CHANGED = BEGIN + timedelta(days=200)


def rows(count: int, chance: random.Random) -> list[RateRow]:
    """Prefixes of 1 to 8 digits, longer ones within shorter ones."""
    prefixes = {str(digit) for digit in range(1, 10)}
    while len(prefixes) < count:
        parent = chance.choice(("1", "33", "353", "44", "49", "61", "86", "91"))
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
        digits = chance.choice(("1", "33", "353", "44", "49", "61", "86", "91"))
        digits += str(chance.randrange(10**8, 10**9))
        setup = SETUP - timedelta(minutes=chance.randrange(300 * 24 * 60))
        found.append(Call(f"+{digits}", setup, chance.randrange(1, 3_600)))
    return found


def per_second(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - began))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="small: it still runs")
    smoke = parser.parse_args().smoke
    chance = random.Random(7)
    prefixes, records = (2_000, 2_000) if smoke else (100_000, 100_000)
    payer: AccountTerms = account(
        card=card(*rows(prefixes, chance)), pay_as_you_go=True, overspend=True
    )
    made = calls(records, chance)
    long = [Call(call.destination, call.setup, 10_800) for call in made]

    def all_of(listed: list[Call]) -> list[Rated | RefusalReason]:
        return [rate(call, account=payer, plan=plan(), free_seconds=90) for call in listed]

    def explained() -> int:
        lines = 0
        for found in all_of(made):
            if isinstance(found, Rated):
                lines += sum(1 for _ in explain(found, currency="GBP"))
        return lines

    all_of(made[:1_000])
    short_rate = per_second(records, lambda: all_of(made))
    long_rate = per_second(records, lambda: all_of(long))
    result = {
        "benchmark": "rate",
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "records": records,
        "prefixes": len(payer.card) if payer.card is not None else 0,
        "rated_per_second": short_rate,
        "rated_three_hours_per_second": long_rate,
        "single_per_second": per_second(records, explained),
        "unrated": sum(isinstance(found, RefusalReason) for found in all_of(made)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
