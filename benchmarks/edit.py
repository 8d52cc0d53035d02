"""How soon an edit reaches the provider while it is busy: `make bench BENCH=edit`.

    python benchmarks/edit.py [--users 10000] [--edits 300] [--leavers 30] [--smoke]

Twice: during back-to-back drift checks at half a second a page, and during the first convergence of
everybody at a provider that throttles. Half of the edits are first assignments, half are policies
outside the gate. An edit's clock runs from the moment its writer has the API server's answer to the
arrival of the accepted write at the simulator; a leaver's from the close of the batch they are in.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

import stage
from stage import Stage, StageOptions, say

SETTLE_SECONDS = 5
LIMITS = {"maxCount": 100_000, "maxPercent": 100, "settle": f"{SETTLE_SECONDS}s"}
POLICY = {"type": "CallingLineIdentity", "name": "Main-Number"}
PAGE_SECONDS = 0.5
THROTTLE_PER_SECOND = 30
WORLD = {"answer_delay_seconds": 0.05, "operation_seconds": 0.2}
EDITS_PER_SECOND = 7.5
DRIFT_RATES = {
    "writesPerSecond": 100,
    "maxInFlight": 64,
    "driftReadsPerSecond": 1000,
    "driftInterval": "1s",
    "changeLimits": LIMITS,
}
CONVERGE_RATES = {
    "writesPerSecond": THROTTLE_PER_SECOND,
    "maxInFlight": 64,
    "driftReadsPerSecond": 50,
    "driftInterval": "10m",
    "changeLimits": LIMITS,
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is who, by number: leavers come first, then those who only converge, then those who are
    edited.
    """

    leavers: int
    others: int
    edits: int

    @property
    def users(self) -> int:
        return self.leavers + self.others + self.edits

    @property
    def leaving(self) -> range:
        return range(1, self.leavers + 1)

    @property
    def edited(self) -> range:
        return range(self.leavers + self.others + 1, self.users + 1)

    def is_assignment(self, nth: int) -> bool:
        """Every other edit is a first assignment, the rest set a policy."""
        return nth % 2 == 0

    def bodies(self) -> Iterable[stage.Body]:
        """Everybody before the edits: whoever is edited has neither number nor policy."""
        edited = set(self.edited)
        for nth in range(1, self.users + 1):
            yield stage.person(nth, **({"phoneNumber": None} if nth in edited else {}))

    def patch(self, nth: int) -> dict[str, Any]:
        if self.is_assignment(nth):
            return {"spec": {"phoneNumber": stage.from_range(nth)}}
        return {"spec": {"policies": [POLICY]}}


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from acceptance to receipt of each edit, and from close to receipt of each leaver."""

    edits: tuple[float, ...]
    leavers: tuple[float, ...]


def name_of(nth: int) -> str:
    return f"user-{nth:05d}"


async def measure(on: Stage, cast: Cast) -> Latencies:
    """Edits one after the other at random moments; in their midst all leavers at once."""
    accepted: dict[int, float] = {}
    chance = random.Random(20261123)
    holders = on.simulator.state()["users"]
    numbers_left = {
        row["numbers"][0]
        for row in holders.values()
        if row["numbers"] and number_of(row["user_principal_name"]) in cast.leaving
    }
    if len(numbers_left) != cast.leavers:
        raise SystemExit(f"{len(numbers_left)} of {cast.leavers} leavers have a number to leave")

    async def edit(nth: int) -> None:
        await on.objects.merge_patch(
            stage.USERS, name=name_of(nth), namespace=stage.TEAM, patch=cast.patch(nth)
        )
        accepted[nth] = time.time()

    async def leave(nth: int) -> None:
        await on.objects.delete(stage.USERS, name=name_of(nth), namespace=stage.TEAM)

    since = max((entry["sequence"] for entry in on.simulator.writes()), default=0)
    async with asyncio.TaskGroup() as group:
        for position, nth in enumerate(cast.edited):
            if position == cast.edits // 3:
                group.create_task(stage.each(cast.leaving, leave))
            group.create_task(edit(nth))
            await asyncio.sleep(chance.expovariate(EDITS_PER_SECOND))
    await settled(on, cast, since)
    return await latencies(on, cast, accepted, numbers_left, since=since)


def number_of(user_principal_name: str) -> int:
    return int(user_principal_name.removeprefix("user").partition("@")[0])


async def settled(on: Stage, cast: Cast, since: int) -> None:
    """Until every edit and every leaver has reached the provider, or clearly does not."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        taken = [entry for entry in on.simulator.writes(since=since) if entry["committed"]]
        left = sum(entry["kind"] == "unassignNumber" for entry in taken)
        policies = sum(entry["kind"] not in ("assignNumber", "unassignNumber") for entry in taken)
        wanted = sum(not cast.is_assignment(nth) for nth in cast.edited)
        users = on.simulator.state()["users"].values()
        assigned = sum(
            bool(row["numbers"])
            for row in users
            if (nth := number_of(row["user_principal_name"])) in cast.edited
            and cast.is_assignment(nth)
        )
        if (
            left >= cast.leavers
            and policies >= wanted
            and assigned >= sum(cast.is_assignment(nth) for nth in cast.edited)
        ):
            return
        await asyncio.sleep(1.0)
    raise SystemExit(
        f"after 120 s the provider has {left} of {cast.leavers} leavers, {policies} policies, "
        f"{assigned} assignments of {cast.edits} edits"
    )


async def latencies(
    on: Stage, cast: Cast, accepted: dict[int, float], numbers_left: set[str], *, since: int
) -> Latencies:
    received: dict[tuple[str, str], float] = {}
    for entry in on.simulator.writes(since=since):
        if entry["committed"]:
            received.setdefault((kind_of(entry["kind"]), entry["subject"]), entry["at"])
    edits = []
    for user_id, row in on.simulator.state()["users"].items():
        nth = number_of(row["user_principal_name"])
        if nth not in accepted:
            continue
        assigned = cast.is_assignment(nth)
        key = ("assignNumber", row["numbers"][0]) if assigned else ("policy", user_id)
        edits.append(received[key] - accepted[nth])
    closed_at = await closed(on)
    leavers = [received["unassignNumber", number] - closed_at for number in numbers_left]
    return Latencies(tuple(edits), tuple(leavers))


def kind_of(kind: str) -> str:
    return kind if kind in ("assignNumber", "unassignNumber") else "policy"


async def closed(on: Stage) -> float:
    """When the batch of the leavers closed: quiet for `settle` after its last proposal."""
    async with await psycopg.AsyncConnection.connect(on.sandbox.database_url) as connection:
        cursor = await connection.execute("select max(proposed_at) from register.gate_rows")
        row = await cursor.fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0].timestamp() + SETTLE_SECONDS


async def during_drift(cast: Cast) -> Latencies:
    """Everybody but the edited has their number; drift checks follow one another."""
    holders = cast.leavers + cast.others
    options = StageOptions("bench-edit", cast.users, DRIFT_RATES, world=WORLD, holders=holders)
    async with stage.stage(options) as on:
        on.start_operator()
        await on.prepare()
        await on.wait_until_ready()
        async with on.watching() as watch:
            await on.create(cast.bodies())
            await watch.until(cast.users)
        await on.quiet()
        on.simulator.change_settings(page_delay_seconds=PAGE_SECONDS)
        before = on.provider_calls()["reads"]
        found = await measure(on, cast)
        say(f"drift checks read {on.provider_calls()['reads'] - before} times meanwhile")
    return found


async def during_convergence(cast: Cast) -> Latencies:
    """Nobody but the leavers has a number yet, and the provider takes 30 writes a second."""
    world = {**WORLD, "writes_per_second": THROTTLE_PER_SECOND}
    options = StageOptions(
        "bench-edit", cast.users, CONVERGE_RATES, world=world, holders=cast.leavers
    )
    async with stage.stage(options) as on:
        await on.prepare()
        await on.create(cast.bodies())
        on.start_operator()
        await on.wait_until_ready()
        await under_way(on)
        found = await measure(on, cast)
        state = on.simulator.state()["users"].values()
        assigned = sum(bool(row["numbers"]) for row in state)
        say(f"{assigned} of {cast.users} have a number when the last edit has arrived")
    return found


async def under_way(on: Stage) -> None:
    """Until the burst of the throttle is used up."""
    deadline = time.monotonic() + 120
    while on.provider_calls()["committed_writes"] < 2 * THROTTLE_PER_SECOND:
        if time.monotonic() > deadline:
            raise SystemExit("the first convergence has not begun within 120 s")
        await asyncio.sleep(0.2)


async def run(cast: Cast) -> dict[str, Any]:
    machine = stage.machine()
    result: dict[str, Any] = {
        "benchmark": "edit",
        **machine,
        "users": cast.users,
        "edits": cast.edits,
        "leavers": cast.leavers,
        "change_limits": LIMITS,
        "throttle_per_second": THROTTLE_PER_SECOND,
    }
    everything: dict[str, Latencies] = {
        "drift": await during_drift(cast),
        "converge": await during_convergence(cast),
    }
    for name, found in everything.items():
        for who, seconds in (("edit", found.edits), ("leaver", found.leavers)):
            for percent in (50, 99):
                key = f"{name}_{who}_p{percent}_seconds"
                result[key] = round(stage.share(seconds, percent), 3)
            result[f"{name}_{who}_max_seconds"] = round(max(seconds), 3)
    for percent in (50, 99):
        for who in ("edit", "leaver"):
            worst = max(result[f"{name}_{who}_p{percent}_seconds"] for name in everything)
            result[f"{who}_p{percent}_seconds"] = worst
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--leavers", type=int, default=30)
    parser.add_argument("--smoke", action="store_true", help="few people, to see that it works")
    arguments = parser.parse_args()
    cast = Cast(arguments.leavers, arguments.users, arguments.edits)
    if arguments.smoke:
        cast = Cast(leavers=3, others=120, edits=12)
    print(json.dumps(asyncio.run(run(cast))))


if __name__ == "__main__":
    main()
