"""How fast declared people become Ready, and what it costs: `make bench BENCH=converge`.

    python benchmarks/converge.py [--users 10000] [--throttled-users 1000] [--smoke]

Three phases, each on a fresh sandbox with a real API server: a bare Kopf loop over the same objects
(the reference), the operator, and the operator with a provider that throttles. The clock runs from
the first create to the last Ready; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import bare_loop
import stage
from stage import StageOptions, say

# A provider that answers after 50 ms and finishes orders after 200 ms.
WORLD = {"answer_delay_seconds": 0.05, "operation_seconds": 0.2}
RATES = {
    "writesPerSecond": 400,
    "maxInFlight": 64,
    "driftReadsPerSecond": 50,
    "driftInterval": "10m",
}
THROTTLE_PER_SECOND = 30


@dataclass(frozen=True, slots=True)
class Converged:
    """One convergence; writes and reads are totals."""

    users: int
    seconds: float
    operator: stage.Usage
    cluster_writes: Counter[str]
    provider: dict[str, Any]


async def converge(options: StageOptions) -> Converged:
    """Create all people at once and wait for the last to be Ready."""
    async with stage.stage(options) as on:
        on.start_operator()
        await on.prepare()
        await on.wait_until_ready()
        on.simulator.forget()
        writes = await on.cluster_writes()
        before = on.usage()
        async with on.watching() as watch:
            began = time.monotonic()
            await on.create(stage.person(nth) for nth in range(1, options.users + 1))
            say(f"created in {time.monotonic() - began:.1f} s, {len(watch.ready_at)} Ready so far")
            ended = await watch.until(options.users)
        after = on.usage()
        written = await on.cluster_writes() - writes
        provider = on.provider_calls()
        numbers = on.simulator.state()["numbers"].values()
        holders = len({row["holder"] for row in numbers} - {None})
        if holders != options.users:
            raise SystemExit(f"{options.users} people are Ready and {holders} have a number")
    used = stage.Usage(after.cpu_seconds - before.cpu_seconds, after.peak_rss_mb)
    return Converged(options.users, ended - began, used, written, provider)


def operator_writes(converged: Converged) -> int:
    """Every accepted write but the creates, which are ours."""
    total = sum(converged.cluster_writes.values())
    return total - converged.cluster_writes[f"POST {stage.USERS.plural}"]


async def run(users: int, throttled_users: int) -> dict[str, Any]:
    machine = stage.machine()
    bare = await bare_loop.measure(users)
    say(f"bare loop: {bare.per_second:.0f} objects/s, {bare.cpu_ms_each:.2f} ms CPU each")
    free = await converge(StageOptions("bench-converge", users, RATES, world=WORLD))
    say(f"converged in {free.seconds:.1f} s; writes {dict(free.cluster_writes)}")
    say(f"provider calls {free.provider['by_kind']}")
    throttle = {**WORLD, "writes_per_second": THROTTLE_PER_SECOND}
    throttled = await converge(
        StageOptions("bench-throttled", throttled_users, RATES, world=throttle)
    )
    bound = throttled_users / THROTTLE_PER_SECOND
    say(f"throttled: {throttled.seconds:.1f} s for a bound of {bound:.1f} s")
    say(f"provider calls {throttled.provider['by_kind']}")
    per_second = users / free.seconds
    return {
        "benchmark": "converge",
        **machine,
        "rates": RATES,
        "throttle_per_second": THROTTLE_PER_SECOND,
        "users": users,
        "users_per_second": round(per_second, 1),
        "operator_cpu_ms_per_user": round(1000 * free.operator.cpu_seconds / users, 2),
        "operator_rss_mb": round(free.operator.peak_rss_mb),
        "apiserver_writes_per_user": round(operator_writes(free) / users, 3),
        "provider_reads_per_user": round(free.provider["reads"] / users, 3),
        "throttle_bound_ratio": round(throttled.seconds / bound, 3),
        "ratio_to_bare_loop": round(per_second / bare.per_second, 2),
        "bare_loop_per_second": round(bare.per_second, 1),
        "bare_loop_cpu_ms": round(bare.cpu_ms_each, 2),
        "throttled_users": throttled_users,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--throttled-users", type=int, default=1_000)
    parser.add_argument("--smoke", action="store_true", help="100 people, to see that it works")
    arguments = parser.parse_args()
    users, throttled = arguments.users, arguments.throttled_users
    if arguments.smoke:
        users, throttled = 100, 60
    print(json.dumps(asyncio.run(run(users, throttled))))


if __name__ == "__main__":
    main()
