"""How fast numbers go from one platform to another: `make bench BENCH=move`.

    python benchmarks/move.py [--moves 1000] [--smoke]

Everybody has a number in a Teams tenant that takes 30 writes a second, and is known without one in
a Webex organisation that takes 10. One commit gives each number to the same person in Webex. The
clock runs from the first edit to the last number that is in Webex and Ready there. The bound is
what the slower side needs: a move is one write at Microsoft, and two at Webex (the number joins the
inventory, then its person gets it). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stage
from callplane.cluster.ports import Body
from callplane.cluster.resource_kinds import SECRETS, callplane_kind
from callplane.sandbox import components
from callplane.sandbox.components import WEBEX
from callplane.sandbox.simulator_control import SimulatorControl
from callplane.simulators.webex import seeding
from stage import PLATFORM, TEAM, Stage, StageOptions, say

ORGANIZATIONS = callplane_kind("webexorganizations")
WEBEX_USERS = callplane_kind("webexusers")
TEAMS_PER_SECOND, WEBEX_PER_SECOND = 30, 10
TEAMS_WRITES_A_MOVE, WEBEX_WRITES_A_MOVE = 1, 2
# Thousands of numbers leave their holders at once: as a person would raise it for a migration.
# The floor too: percentages are of what Teams still has, which gets less as numbers leave.
LIMITS = {
    "maxCount": 100_000,
    "maxPercent": 100,
    "floor": 100_000,
    "settle": "2s",
    "settleMax": "10s",
}
RATES: dict[str, Any] = {
    "maxInFlight": 64,
    "readsPerSecond": 100,
    "driftReadsPerSecond": 50,
    "driftInterval": "10m",
    "changeLimits": LIMITS,
}
TEAMS_WORLD = {
    "answer_delay_seconds": 0.05,
    "operation_seconds": 0.2,
    "writes_per_second": TEAMS_PER_SECOND,
}
WEBEX_WORLD = {"answer_delay_seconds": 0.05, "writes_per_second": WEBEX_PER_SECOND}
LOOK_SECONDS = 1.0
PATIENCE = 5.0
"""A run that takes so many times the bound is given up."""
DOMAIN = "organisation.example"
# The only number that Webex knows at first; every number that moves has to be added there.
OTHER_NUMBER = "+12125550100"


@dataclass(frozen=True, slots=True)
class Moved:
    """One migration; the counts are what both systems took for it."""

    seconds: float
    operator: stage.Usage
    teams: dict[str, Any]
    webex: dict[str, Any]


def bound_seconds(moves: int) -> float:
    """The slower side's required writes over its rate."""
    return moves * max(
        TEAMS_WRITES_A_MOVE / TEAMS_PER_SECOND, WEBEX_WRITES_A_MOVE / WEBEX_PER_SECOND
    )


def organization(on: Stage) -> Body:
    """The connection to the simulated Webex."""
    app = {
        "clientId": seeding.DEFAULT_CLIENT_ID,
        "clientSecretRef": {"name": WEBEX, "key": "client-secret"},
        "refreshTokenRef": {"name": WEBEX, "key": "refresh-token"},
    }
    spec = {
        "orgId": seeding.DEFAULT_ORGANISATION_ID,
        "credentials": {"serviceApp": app},
        "endpoint": {"api": on.sandbox.addresses[f"{WEBEX}/http"] + "/v1"},
        "writesPerSecond": WEBEX_PER_SECOND,
        "allowedNamespaces": [{"name": TEAM}],
        **RATES,
    }
    return _body("WebexOrganization", WEBEX, PLATFORM, spec)


def in_webex(nth: int) -> Body:
    """The nth person as Webex knows them, without a number."""
    spec = {
        "organizationRef": {"name": WEBEX, "namespace": PLATFORM},
        "email": f"user{nth:05d}@{DOMAIN}",
        "location": seeding.DEFAULT_LOCATION,
        "phoneNumber": {"none": {}},
    }
    return _body("WebexUser", name_of(nth), TEAM, spec)


def name_of(nth: int) -> str:
    return f"user-{nth:05d}"


def _body(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Body:
    return {
        "apiVersion": stage.API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


@contextlib.asynccontextmanager
async def both(moves: int) -> AsyncIterator[tuple[Stage, SimulatorControl]]:
    """A stage on which everybody is declared in both systems, and Ready in both."""
    people = [{"email": f"user{nth:05d}@{DOMAIN}"} for nth in range(1, moves + 1)]
    description = {
        "settings": WEBEX_WORLD,
        "organisations": [{"people": people, "ranges": [{"first": OTHER_NUMBER}]}],
    }
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder) / "webex.json"
        seed.write_text(json.dumps(description), encoding="utf-8")
        options = StageOptions(
            "bench-move",
            moves,
            {"writesPerSecond": TEAMS_PER_SECOND, **RATES},
            world=TEAMS_WORLD,
            holders=moves,
            others=(components.webex_simulator(f"--seed-file={seed}"),),
        )
        async with stage.stage(options) as on:
            say(f"Webex: writesPerSecond {WEBEX_PER_SECOND}, {RATES}")
            on.start_operator()
            await on.prepare()
            content = {
                "client-secret": seeding.DEFAULT_SECRET,
                "refresh-token": seeding.DEFAULT_REFRESH_TOKEN,
            }
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": WEBEX, "namespace": PLATFORM},
                "stringData": content,
            }
            await on.objects.create(SECRETS, body=secret)
            await on.objects.create(ORGANIZATIONS, body=organization(on))
            await on.wait_until_ready()
            numbers = range(1, moves + 1)
            await on.create(stage.person(nth) for nth in numbers)
            await stage.each(
                (in_webex(nth) for nth in numbers),
                lambda body: on.objects.create(WEBEX_USERS, body=body),
            )
            for kind in (stage.USERS, WEBEX_USERS):
                await until_ready(on, kind, moves, give_up_after_seconds=120 + moves / 5)
            address = on.sandbox.addresses[f"{WEBEX}/http"]
            yield on, SimulatorControl(f"{address}/_simulator")


async def until_ready(
    on: Stage, kind: Any, count: int, *, give_up_after_seconds: float
) -> dict[str, str]:
    """Until so many objects are Ready as their present generation; the number that each shows."""
    deadline = time.monotonic() + give_up_after_seconds
    while True:
        listing = await on.objects.list_all(kind, namespace=TEAM)
        done = [item for item in listing.items if stage.is_ready(item) and _is_current(item)]
        if len(done) == count:
            return {
                item["metadata"]["name"]: (item["status"].get("phoneNumber") or {}).get("e164", "")
                for item in done
            }
        if time.monotonic() > deadline:
            waiting = [item for item in listing.items if item not in done]
            says = waiting[0]["status"].get("conditions") if waiting else "nothing: too many"
            raise SystemExit(f"{len(done)} of {count} {kind.plural} are Ready; one says {says}")
        await asyncio.sleep(LOOK_SECONDS)


def _is_current(item: Body) -> bool:
    return item["status"].get("observedGeneration") == item["metadata"]["generation"]


async def measure(moves: int) -> Moved:
    """Give everybody's number to the same person in Webex."""
    async with both(moves) as (on, webex):
        had = await until_ready(on, stage.USERS, moves, give_up_after_seconds=60)
        on.simulator.forget()
        webex.forget()
        before = on.usage()
        began = time.monotonic()

        async def move(nth: int) -> None:
            # Whoever is to get a number says so before it is given up: a number nobody waits for
            # rests.
            name = name_of(nth)
            for kind, wanted in (
                (WEBEX_USERS, {"none": None, "e164": had[name]}),
                (stage.USERS, {"rangeRef": None, "none": {}}),
            ):
                patch = {"spec": {"phoneNumber": wanted}}
                await on.objects.merge_patch(kind, name=name, namespace=TEAM, patch=patch)

        await stage.each(range(1, moves + 1), move)
        say(f"edited in {time.monotonic() - began:.1f} s")
        patience = 60 + PATIENCE * bound_seconds(moves)
        while _held(webex) < moves:
            if time.monotonic() - began > patience:
                raise SystemExit(f"{_held(webex)} of {moves} are in Webex after {patience:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)
        shown = await until_ready(on, WEBEX_USERS, moves, give_up_after_seconds=120)
        seconds = time.monotonic() - began
        after = on.usage()
        _check(on, webex, had, shown)
        came = [change["at"] - began for change in webex.changes() if change["aspect"] == "holder"]
        say(f"numbers came to Webex from {min(came):.1f} s to {max(came):.1f} s")
        used = stage.Usage(after.cpu_seconds - before.cpu_seconds, after.peak_rss_mb)
        return Moved(seconds, used, on.provider_calls(), webex.counters())


def _held(webex: SimulatorControl) -> int:
    rows = webex.state()["numbers"].values()
    return sum(row["holder"] is not None for row in rows)


def _check(on: Stage, webex: SimulatorControl, had: dict[str, str], shown: dict[str, str]) -> None:
    """Everybody has in Webex what they had in Teams, by one write for each step, and at no instant
    were there two holders.
    """
    if shown != had:
        raise SystemExit("somebody has another number in Webex than they had in Teams")
    left = [n for n, row in on.simulator.state()["numbers"].items() if row["holder"]]
    if left:
        raise SystemExit(f"{len(left)} numbers still have a holder in Teams")
    gone = {c["subject"]: c["at"] for c in on.simulator.changes() if c["aspect"] == "holder"}
    came = [c for c in webex.changes() if c["aspect"] == "holder"]
    twice = [number for number, times in _times(came).items() if times > 1]
    if twice:
        raise SystemExit(f"{len(twice)} numbers came to Webex more than once")
    # Both simulators read the machine's monotonic clock.
    early = [change for change in came if change["at"] < gone[change["subject"]]]
    if early:
        raise SystemExit(f"{len(early)} numbers had two holders for a while")


def _times(changes: list[dict[str, Any]]) -> Counter[str]:
    return Counter(change["subject"] for change in changes)


async def run(moves: int) -> dict[str, Any]:
    machine = stage.machine()
    moved = await measure(moves)
    bound = bound_seconds(moves)
    say(f"{moves} moves in {moved.seconds:.1f} s for a bound of {bound:.1f} s")
    say(f"Teams: {moved.teams['by_kind']}")
    say(f"Webex: {moved.webex['by_kind']}")
    return {
        "benchmark": "move",
        **machine,
        "moves": moves,
        "seconds": round(moved.seconds, 1),
        "bound_seconds": round(bound, 1),
        "throttle_bound_ratio": round(moved.seconds / bound, 3),
        "writes_per_second": {"teams": TEAMS_PER_SECOND, "webex": WEBEX_PER_SECOND},
        "teams_writes_per_move": round(moved.teams["committed_writes"] / moves, 3),
        "webex_writes_per_move": round(moved.webex["committed_writes"] / moves, 3),
        "operator_cpu_ms_per_move": round(1000 * moved.operator.cpu_seconds / moves, 2),
        "operator_rss_mb": round(moved.operator.peak_rss_mb),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=1_000)
    parser.add_argument("--smoke", action="store_true", help="40 moves, to see that it works")
    arguments = parser.parse_args()
    moves = 40 if arguments.smoke else arguments.moves
    print(json.dumps(asyncio.run(run(moves))))


if __name__ == "__main__":
    main()
