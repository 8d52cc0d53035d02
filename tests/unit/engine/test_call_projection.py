"""What passes say becomes rows: once, whole, and never taken away by absence alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from callplane.engine.call_projection import CallProjection
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer
from callplane.store.call_tables import LINE, Entry
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.ports import StoreUnavailable
from callplane.testing import call_builders as build
from callplane.testing.manual_clock import ManualClock

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
PAYER = Payer.at(build.ACCOUNT, "GBP", "Europe/London", NOW)


@dataclass
class Around:
    """A cluster and a register that say what the test wants."""

    gone: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)

    def may_write(self) -> bool:
        return True

    def exists(self, owner: str) -> bool:
        return owner not in self.gone

    def is_held(self, number: str, holder: str) -> bool:
        assert holder.endswith(number[-1])
        return number in self.held


class Desk:
    """One operator over tables that outlive it."""

    def __init__(self) -> None:
        self.books = MemoryBooks()
        self.tables = MemoryCallTables(self.books)
        self.around = Around()
        self.start()

    def start(self, installation: str = "here") -> None:
        clock = ManualClock(NOW)
        self.projection = CallProjection(self.tables, installation, clock, self.around)

    def say(self, *entries: Entry) -> None:
        owners: dict[str, list[Entry]] = {}
        for one in entries:
            owners.setdefault(one.owner, []).append(one)
        for owner, said in owners.items():
            self.projection.put(owner, said)

    async def rows(self) -> set[tuple[str, str]]:
        passage = await self.tables.read(0)
        there = (one.entry for one in passage.entries if one.entry.content is not None)
        return {(one.kind, one.name) for one in there}

    async def minutes(self) -> int:
        return (await self.books.counters(PAYER)).entitlement_seconds // 60


def keys(*entries: Entry) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in entries}


async def test_what_is_said_is_written_once() -> None:
    desk = Desk()
    desk.say(*build.everything())
    assert await desk.projection.flush() == 8
    assert await desk.rows() == keys(*build.everything())
    assert await desk.minutes() == 600
    for _ in range(3):
        desk.say(*build.everything())
        assert await desk.projection.flush() == 0
    assert desk.tables.writes == 1


async def test_a_restart_writes_nothing_that_is_there() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    desk.start()
    desk.say(*build.everything())
    assert await desk.projection.flush() == 0
    assert desk.tables.writes == 1


async def test_only_what_changed_is_written() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    known = desk.tables.version
    desk.say(build.account(ceiling="7"))
    await desk.projection.flush()
    passage = await desk.tables.read(known)
    assert [one.entry for one in passage.entries] == [build.account(ceiling="7")]


async def test_a_line_waits_for_what_it_names() -> None:
    desk = Desk()
    number, line = build.line()
    desk.say(number, line)
    await desk.projection.flush()
    assert await desk.rows() == keys(number)
    desk.say(build.card(), build.destinations(), build.account())
    await desk.projection.flush()
    assert (LINE, line.name) not in await desk.rows()
    desk.say(build.plan(10))
    await desk.projection.flush()
    assert (LINE, line.name) in await desk.rows()
    assert await desk.minutes() == 10


async def test_what_a_pass_does_not_name_any_more_is_taken_out() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    number, line = build.line(build.BEN)
    desk.projection.put(number.owner, [number])
    await desk.projection.flush()
    assert (LINE, line.name) not in await desk.rows()
    desk.projection.put(number.owner, [])
    await desk.projection.flush()
    assert await desk.rows() == keys(*build.everything()) - keys(number, line)


async def test_an_object_that_lines_name_stays_until_none_does() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    for gone in (build.account(), build.plan(), build.card(), build.destinations()):
        desk.projection.gone(gone.owner)
    await desk.projection.flush()
    assert await desk.rows() == keys(*build.everything())
    for number in (build.ANNA, build.BEN):
        desk.projection.put(build.line(number)[0].owner, [])
    await desk.projection.flush()
    # What the account and the plan name goes with the next look.
    await desk.projection.flush()
    assert await desk.rows() == set()


async def test_a_line_whose_object_is_gone_stays_while_its_number_is_held() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    desk.around.held = {build.ANNA}
    for number in (build.ANNA, build.BEN):
        desk.projection.gone(build.line(number)[0].owner)
    await desk.projection.flush()
    assert keys(*build.line(build.ANNA)) <= await desk.rows()
    assert not keys(*build.line(build.BEN)) & await desk.rows()


async def test_what_went_away_while_nobody_looked_is_found_by_the_next_process() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    desk.start()
    desk.around.gone = {build.line(number)[0].owner for number in (build.ANNA, build.BEN)}
    desk.around.held = {build.BEN}
    assert await desk.projection.flush() == 2
    assert not keys(*build.line(build.ANNA)) & await desk.rows()
    assert keys(*build.line(build.BEN)) <= await desk.rows()


async def test_rows_of_another_cluster_are_left_alone_and_taken_over_by_who_says_them() -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    desk.start("elsewhere")
    desk.around.gone = {one.owner for one in build.everything()}
    assert await desk.projection.flush() == 0
    desk.around.gone = set()
    desk.say(*build.everything())
    assert await desk.projection.flush() == 8
    passage = await desk.tables.read(0)
    assert {one.installation for one in passage.entries} == {"elsewhere"}


@pytest.mark.parametrize("giver_first", [True, False])
async def test_a_number_that_goes_over_to_somebody_else_stays(giver_first: bool) -> None:
    desk = Desk()
    desk.say(*build.everything())
    await desk.projection.flush()
    taker = build.line(build.BEN)[0].owner
    handed = [replace(one, owner=taker) for one in build.line(build.ANNA) if one.kind == "Number"]

    def give() -> None:
        desk.projection.put(build.line(build.ANNA)[0].owner, [])

    def take() -> None:
        desk.projection.put(taker, [*handed, *build.line(build.BEN)])

    for step in (give, take) if giver_first else (take, give):
        step()
        await desk.projection.flush()
    for _ in range(2):
        await desk.projection.flush()
        assert ("Number", build.ANNA) in await desk.rows()
        assert (LINE, build.line(build.ANNA)[1].name) not in await desk.rows()


async def test_more_minutes_of_a_plan_are_in_the_pool_of_all_who_have_it() -> None:
    desk = Desk()
    desk.say(*build.everything(100))
    await desk.projection.flush()
    assert await desk.minutes() == 200
    desk.say(build.plan(150))
    await desk.projection.flush()
    assert await desk.minutes() == 300


async def test_tables_that_are_away_get_it_later() -> None:
    desk = Desk()
    desk.tables.available = False
    desk.say(*build.everything())
    with pytest.raises(StoreUnavailable):
        await desk.projection.flush()
    desk.tables.available = True
    assert await desk.projection.flush() == 8


class TakingAwayByAbsence(CallProjection):
    """The mutant: what has no object is taken out, whoever holds the number."""

    def _is_held(self, key: tuple[str, str]) -> bool:
        return False


async def test_a_projection_that_takes_away_by_absence_is_noticed() -> None:
    desk = Desk()
    desk.projection = TakingAwayByAbsence(desk.tables, "here", ManualClock(NOW), desk.around)
    desk.say(*build.everything())
    await desk.projection.flush()
    desk.around.held = {build.ANNA}
    desk.projection.gone(build.line(build.ANNA)[0].owner)
    await desk.projection.flush()
    assert not keys(*build.line(build.ANNA)) & await desk.rows()
