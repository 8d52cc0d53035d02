"""What it costs when nothing differs: `make bench BENCH=steady`.

    python benchmarks/steady.py [--users 10000] [--checks 3] [--smoke]

Everybody has their number already and is adopted; then full drift checks run. Calls must be in
proportion to pages, and nothing may be written but one status of the connection a listing (at most
one a minute) and the renewals of the Lease. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

import stage
from stage import Stage, StageOptions, say

RATES = {
    "writesPerSecond": 100,
    "maxInFlight": 16,
    "driftReadsPerSecond": 50,
    "driftInterval": "15s",
}
WORLD = {"answer_delay_seconds": 0.05}
PAUSE_SECONDS = 4.0
# Largest pages that Graph gives, or that we ask it for.
PEOPLE_PAGE, NUMBERS_PAGE = 999, 1000
CONNECTION_STATUS = f"PATCH {stage.TENANTS.plural}/status"


def pages_of(users: int) -> int:
    """Pages of one full check: people, their configurations, the inventory of numbers, which is
    listed by offset until a page is not full.
    """
    numbers = -(-users // stage.RANGE_SIZE) * stage.RANGE_SIZE
    return 2 * -(-users // PEOPLE_PAGE) + numbers // NUMBERS_PAGE + 1


async def next_check(on: Stage) -> None:
    """Return in the pause after the next full check."""
    before = on.provider_calls()["reads"]
    deadline = time.monotonic() + 300
    changed_at = None
    while changed_at is None or time.monotonic() - changed_at < PAUSE_SECONDS:
        await asyncio.sleep(0.5)
        reads = on.provider_calls()["reads"]
        if reads != before:
            before, changed_at = reads, time.monotonic()
        if time.monotonic() > deadline:
            raise SystemExit("no drift check has ended within 300 s")


async def run(users: int, checks: int) -> dict[str, Any]:
    machine = stage.machine()
    options = StageOptions("bench-steady", users, RATES, world=WORLD, holders=users)
    async with stage.stage(options) as on:
        on.start_operator()
        await on.prepare()
        await on.wait_until_ready()
        async with on.watching() as watch:
            began = time.monotonic()
            await on.create(stage.person(nth) for nth in range(1, users + 1))
            ended = await watch.until(users)
        say(f"{users} people adopted in {ended - began:.1f} s")
        if on.provider_calls()["writes"]:
            raise SystemExit("adopting people who have their numbers wrote to the provider")
        await on.quiet()
        await next_check(on)
        on.simulator.forget()
        writes, before = await on.cluster_writes(), on.usage()
        for _ in range(checks):
            await next_check(on)
        provider = on.provider_calls()
        written, after = await on.cluster_writes() - writes, on.usage()
    say(f"provider calls {provider['by_kind']}; API server {dict(written)}")
    connection = min(written.pop(CONNECTION_STATUS, 0), checks)
    return {
        "benchmark": "steady",
        **machine,
        "rates": RATES,
        "users": users,
        "checks": checks,
        "provider_calls": provider["reads"] + provider["writes"],
        "provider_pages": pages_of(users) * checks,
        "provider_writes": provider["writes"],
        "apiserver_writes": sum(written.values()),
        "connection_status_writes": connection,
        "operator_cpu_ms_per_check": round(
            1000 * (after.cpu_seconds - before.cpu_seconds) / checks, 1
        ),
        "operator_rss_mb": round(after.peak_rss_mb),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--checks", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="100 people, to see that it works")
    arguments = parser.parse_args()
    users, checks = (100, 1) if arguments.smoke else (arguments.users, arguments.checks)
    print(json.dumps(asyncio.run(run(users, checks))))


if __name__ == "__main__":
    main()
