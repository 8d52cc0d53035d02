"""How fast the register commits, and what a commit costs its caller.

    python benchmarks/register.py [--commits 8000] [--clients 16]

Starts a PostgreSQL of its own with fsync on. A commit is what an assignment makes: even ones claim
a number, state its holder and open an intent; odd ones confirm the number and finish the intent.
The reference is a bare insert of one row in a transaction of its own, over the same pool in the
same run. The last line is one JSON object; CPU is this process's own, without the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace

from callplane.store import schema
from callplane.store.ports import Commit, IntentState
from callplane.store.postgres import PostgresRegister
from callplane.store.sessions import SessionLimits, Sessions
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.register_builders import (
    NOW,
    TENANT,
    claim,
    confirm,
    hold,
    holder_row,
    intent,
    person,
)
from callplane.values import E164


@dataclass(frozen=True, slots=True)
class Measured:
    per_second: float
    cpu_ms_each: float
    p50_ms: float
    p99_ms: float


async def measure(
    work: Callable[[int], Awaitable[None]], *, count: int, clients: int, start: int = 0
) -> Measured:
    """Run `work(i)` for `count` numbers, `clients` at a time."""
    indices = itertools.count(start)
    latencies = []

    async def client() -> None:
        while (index := next(indices)) < start + count:
            began = time.perf_counter()
            await work(index)
            latencies.append(time.perf_counter() - began)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cuts = statistics.quantiles(latencies, n=100)
    return Measured(
        per_second=round(count / wall, 1),
        cpu_ms_each=round(1000 * cpu / count, 3),
        p50_ms=round(1000 * cuts[49], 2),
        p99_ms=round(1000 * cuts[98], 2),
    )


def assignments(count: int) -> list[Commit]:
    """Commits in the order in which one leader would make them: claim, confirm, claim, …"""
    commits = []
    for nth in range(count // 2 + 1):
        name = f"person-{nth}"
        number = E164(f"+44207946{nth:06}")
        row = holder_row(name, applied={"number": number.text, "location": "site-1"})
        opened = intent(f"request-{nth}", name)
        finished = replace(opened, state=IntentState.CONFIRMED, operation=f"operations/{nth}")
        first = replace(claim(0, person(name), declared_by=row.declared_by), number=number)
        second = replace(confirm(0, person(name), declared_by=row.declared_by), number=number)
        commits.append(Commit(moves=[first], holders=[row], intents=[opened]))
        commits.append(Commit(moves=[second], holders=[row], intents=[finished]))
    return commits


class Committing:
    """Work item i commits the i-th assignment, a confirmation after its claim."""

    def __init__(self, register: PostgresRegister, commits: list[Commit], epoch: int) -> None:
        self._register = register
        self._commits = commits
        self._epoch = epoch
        self._claimed = [asyncio.Event() for _ in range(len(commits) // 2)]

    async def work(self, index: int) -> None:
        nth, is_confirmation = divmod(index, 2)
        if is_confirmation:
            await self._claimed[nth].wait()
        await self._register.commit(TENANT, self._commits[index], epoch=self._epoch, now=NOW)
        self._claimed[nth].set()


async def run(dsn: str, *, commits: int, clients: int) -> dict[str, object]:
    load_before = round(os.getloadavg()[0], 2)
    limits = SessionLimits(sessions=clients, wait_seconds=30, answer_seconds=30)
    sessions = Sessions(dsn, limits)
    await sessions.open()
    async with sessions.session() as session:
        await session.execute("create table bare (id bigint primary key, content text)")

    async def bare_insert(index: int) -> None:
        async with sessions.session() as session:
            await session.execute("insert into bare values (%s, %s)", (index, "x" * 600))

    warm = max(clients * 20, 200)
    await measure(bare_insert, count=warm, clients=clients)
    reference = await measure(bare_insert, count=commits, clients=clients, start=warm)
    await sessions.close()

    register = PostgresRegister(dsn, limits=limits)
    await register.open()
    prepared = assignments(warm + commits)
    committing = Committing(register, prepared, await hold(register))
    await measure(committing.work, count=warm, clients=clients)
    measured = await measure(committing.work, count=commits, clients=clients, start=warm)

    began, cpu = time.perf_counter(), time.process_time()
    linked = 0
    while chunk := await register.link_events():
        linked += chunk
    link_seconds = time.perf_counter() - began
    link_cpu = time.process_time() - cpu
    began = time.perf_counter()
    report = await register.verify()
    verify_seconds = time.perf_counter() - began
    if (report.first_broken, report.unlinked, report.events) != (None, 0, linked):
        raise SystemExit(f"the chain does not verify: {report}")
    began = time.perf_counter()
    state = await register.load(TENANT)
    load_seconds = time.perf_counter() - began
    if len(state.numbers) != (warm + commits + 1) // 2:
        raise SystemExit(f"{len(state.numbers)} numbers are not what was committed")
    await register.close()
    return {
        "benchmark": "register",
        "cores": os.cpu_count(),
        # Others on the machine take from both figures.
        "load_average_before": load_before,
        "clients": clients,
        "commits": commits,
        "commits_per_second": measured.per_second,
        "client_cpu_ms_per_commit": measured.cpu_ms_each,
        "commit_p50_ms": measured.p50_ms,
        "commit_p99_ms": measured.p99_ms,
        "bare_insert": asdict(reference),
        "ratio_to_bare_insert": round(measured.per_second / reference.per_second, 2),
        "link_events_per_second": round(linked / link_seconds),
        "link_cpu_ms_per_event": round(1000 * link_cpu / linked, 3),
        "verify_events_per_second": round(report.events / verify_seconds),
        "load_rows": len(state.numbers) + len(state.holders),
        "load_seconds": round(load_seconds, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commits", type=int, default=8000)
    parser.add_argument("--clients", type=int, default=16)
    arguments = parser.parse_args()
    with ThrowAwayPostgres(durable=True) as server, server.database() as dsn:
        schema.upgrade(dsn)
        result = asyncio.run(run(dsn, commits=arguments.commits, clients=arguments.clients))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
