"""The days themselves: offices open, things happen, offices close, everything mends, all is noted.

Happenings that take their time run beside one another, as they do in life; only two that are about
operator processes wait for each other.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from callplane.testing.simulation import company, dealings, happenings
from callplane.testing.simulation.company import Company, Employee
from callplane.testing.simulation.estate import Estate
from callplane.testing.simulation.happenings import Days, Happening
from callplane.testing.simulation.journal import Journal
from callplane.testing.simulation.virtual_time import START, LoopClock, VirtualTimeLoop

DAY_SECONDS = 86_400.0
OPENS_SECONDS = 8 * 3600.0
CLOSES_SECONDS = 18 * 3600.0
WEEKEND = (5, 6)
GITOPS_PAUSE_SECONDS = 600.0
FIRST_PEOPLE = 24
EVERYTHING = (*happenings.HAPPENINGS, *dealings.DEALINGS)
BY_NAME = {happening.__name__: happening for happening, _ in EVERYTHING}
LIMITS = {"maxCount": 10, "maxPercent": 100, "floor": 5, "settle": "3s", "settleMax": "30s"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to live through. `busy` is how many things happen on a working day, more or less;
    those named in `often` make up half of them.
    """

    seed: int
    days: int = 14
    busy: int = 22
    mutant: str = ""
    often: tuple[str, ...] = ()


def live(wish: Wish) -> Journal:
    """Live through it, from the first minute to the last."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(_live(wish))
    finally:
        _end_all(loop)
        loop.close()


def _end_all(loop: VirtualTimeLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


async def _live(wish: Wish) -> Journal:
    chance = random.Random(f"{wish.seed}")
    clock = LoopClock()
    head = {
        "seed": wish.seed,
        "days": wish.days,
        "busy": wish.busy,
        "mutant": wish.mutant,
        "start": START.isoformat(),
        "limits": {"maxCount": LIMITS["maxCount"], "windowSeconds": DAY_SECONDS},
        "defaults": {"quarantineDays": 90},
        "platform": "platform",
        "ours": "c11e0000-0000-4000-8000-000000000001",
    }
    journal = Journal(clock, head)
    world = company.world_seed(chance, people=FIRST_PEOPLE)
    estate = Estate(world, chance=chance, journal=journal, clock=clock)
    people = _company(estate, chance)
    journal.content["policies"] = {
        policy_id: name
        for ids in estate.graph.tenant().policy_ids.values()
        for name, policy_id in ids.items()
    }
    estate.snapshot()
    await estate.start()
    await people.found(LIMITS)
    days = Days(estate, people, chance)
    for day in range(wish.days):
        await _day(days, wish, day)
        estate.snapshot()
    if estate.leader is not None:
        await estate.end(estate.leader, "stops")
    await estate.write_history()
    journal.content["conditionBreaches"] = estate.conditions.breaches
    return journal


def _company(estate: Estate, chance: random.Random) -> Company:
    tenant = estate.graph.tenant()
    people = Company(estate, chance)
    people.spare = [f"person{index:03d}" for index in range(company.SPARE_NAMES)]
    for row in tenant.users.rows():
        name = row.user_principal_name.partition("@")[0]
        estate.journal.note("directory", name=row.user_principal_name, id=row.id, event="added")
        if name.startswith("first"):
            people.employees.append(Employee(name, row.user_principal_name, row.id))
        else:
            people.foreigners.append(row.id)
    return people


async def _day(days: Days, wish: Wish, day: int) -> None:
    """From midnight to midnight."""
    chance = days.chance
    midnight = day * DAY_SECONDS
    count = 3 if day % 7 in WEEKEND else chance.randint(wish.busy // 2, wish.busy * 3 // 2)
    moments = sorted(chance.uniform(OPENS_SECONDS, CLOSES_SECONDS) for _ in range(count))
    one_process = asyncio.Lock()
    running: list[asyncio.Task[None]] = []
    gitops = asyncio.create_task(_gitops(days))
    for moment in moments:
        await _until(midnight + moment)
        happening = _drawn(chance, wish.often)
        running.append(asyncio.create_task(_happen(days, happening, one_process)))
    await asyncio.gather(*running)
    await _answer_before_going_home(days)
    gitops.cancel()
    await asyncio.gather(gitops, return_exceptions=True)
    await _mend(days)
    await _until(midnight + DAY_SECONDS)


def _drawn(chance: random.Random, often: tuple[str, ...]) -> Happening:
    if often and chance.random() < 0.5:
        return BY_NAME[chance.choice(often)]
    deeds, weights = zip(*EVERYTHING, strict=True)
    return chance.choices(deeds, weights)[0]  # type: ignore[no-any-return]


async def _happen(days: Days, happening: Happening, one_process: asyncio.Lock) -> None:
    began = days.estate.clock.monotonic()
    if happening in happenings.UPON_PROCESSES:
        async with one_process:
            said = await happening(days)
    else:
        said = await happening(days)
    seconds = days.estate.clock.monotonic() - began
    days.estate.journal.note("script", what=said, began=began, seconds=seconds)


async def _answer_before_going_home(days: Days) -> None:
    """Most of what waits is approved in the evening; the rest is for another day."""
    for plan in days.company.held_plans():
        if days.chance.random() < 0.7:
            await days.company.answer(plan, "Approve")


async def _gitops(days: Days) -> None:
    while True:
        await asyncio.sleep(GITOPS_PAUSE_SECONDS)
        await days.company.sync()


async def _mend(days: Days) -> None:
    """After hours: what was broken is repaired, git is applied, and everybody goes home."""
    estate = days.estate
    estate.graph.faults.clear()
    dealings.mend(days)
    estate.graph.change_settings({"writes_per_second": None, "reads_per_second": None})
    estate.memory.available = True
    estate.lost_commits.clear()
    estate.set_accepted_secret(days.company.secret)
    await estate.put_secret(days.company.secret)
    if estate.leader is None:
        await estate.start()
    await days.company.sync()
    await asyncio.sleep(3600)
    await days.company.sync()


async def _until(moment: float) -> None:
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(max(0.0, moment - now))


def save(journal: Journal, path: Path) -> None:
    journal.save(path)
