"""How long nobody is in charge when the leader dies: `make bench BENCH=failover`.

    python benchmarks/failover.py [--users 10000] [--smoke]

Two operators; the one that leads is killed when everybody has their number, and one person's first
number is declared right after. The clock runs from the kill to the arrival of that write at the
simulator. Then the new leader is left to look at everybody: whatever it writes beside that edit, to
the provider or to a TeamsUser, is redundant. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from typing import Any

import stage
from stage import Stage, StageOptions, say

RATES = {
    "writesPerSecond": 100,
    "maxInFlight": 16,
    "driftReadsPerSecond": 50,
    "driftInterval": "10m",
}
WORLD = {"answer_delay_seconds": 0.05, "operation_seconds": 0.2}
FIRST, SECOND = "operator-a", "operator-b"
PASSES = 'callplane_passes_total{kind="TeamsUser"'


async def first_write(on: Stage) -> float:
    """When the first accepted write arrived, seconds since the epoch."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        taken = [entry for entry in on.simulator.writes() if entry["committed"]]
        if taken:
            return float(taken[0]["at"])
        await asyncio.sleep(0.25)
    raise SystemExit("180 s after the leader was killed the edit has not reached the provider")


async def everybody_seen(on: Stage, users: int) -> None:
    """Until the new leader has passed over everybody."""
    deadline = time.monotonic() + 300
    while await on.operator_metric(PASSES, SECOND) < users:
        if time.monotonic() > deadline:
            raise SystemExit("the new leader has not looked at everybody within 300 s")
        await asyncio.sleep(0.5)


async def run(users: int) -> dict[str, Any]:
    machine = stage.machine()
    # The last one has no number yet.
    options = StageOptions("bench-failover", users + 1, RATES, world=WORLD, holders=users)
    async with stage.stage(options) as on:
        on.start_operator(FIRST)
        await on.prepare()
        await on.wait_until_ready()
        async with on.watching() as watch:
            await on.create(stage.person(nth) for nth in range(1, users + 1))
            await on.create([stage.person(users + 1, phoneNumber=None)])
            await watch.until(users + 1)
        on.start_operator(SECOND, wait=False)
        await on.quiet(seconds=5.0)
        on.simulator.forget()
        writes = await on.cluster_writes()
        os.kill(on.pid(FIRST), signal.SIGKILL)
        killed_at = time.time()
        await on.objects.merge_patch(
            stage.USERS,
            name=stage.person(users + 1)["metadata"]["name"],
            namespace=stage.TEAM,
            patch={"spec": {"phoneNumber": stage.from_range(users + 1)}},
        )
        received_at = await first_write(on)
        say(f"the edit arrived {received_at - killed_at:.1f} s after the leader was killed")
        await everybody_seen(on, users)
        await on.quiet(seconds=5.0)
        written = await on.cluster_writes() - writes
        provider = on.provider_calls()
    say(f"provider calls {provider['by_kind']}; API server {dict(written)}")
    people = {what: count for what, count in written.items() if stage.USERS.plural in what}
    # Of the edit itself: our patch, and at most two statuses (under way, done).
    statuses = people.pop(f"PATCH {stage.USERS.plural}/status", 0)
    edits = people.pop(f"PATCH {stage.USERS.plural}", 0)
    redundant = (provider["writes"] - 1) + max(statuses - 2, 0) + (edits - 1) + sum(people.values())
    return {
        "benchmark": "failover",
        **machine,
        "rates": RATES,
        "users": users,
        "first_edit_seconds": round(received_at - killed_at, 1),
        "redundant_writes": redundant,
        "provider_writes": provider["writes"],
        "apiserver_writes": dict(written),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--smoke", action="store_true", help="100 people, to see that it works")
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(run(100 if arguments.smoke else arguments.users))))


if __name__ == "__main__":
    main()
