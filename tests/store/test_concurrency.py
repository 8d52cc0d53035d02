"""Many at once: a number has one winner, nobody waits for ever, no reader misses a version."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import psycopg
import pytest

from callplane.numbering.lifecycle import NumberState
from callplane.store.ports import (
    Commit,
    ConnectionRow,
    EpochLost,
    HeldElsewhere,
    MoveRefused,
    Register,
)
from callplane.store.postgres import PostgresRegister
from callplane.store.sessions import SessionLimits
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    STALE_AFTER_SECONDS,
    TENANT,
    abandon,
    adopt,
    claim,
    confirm,
    elapse,
    hold,
    holder_row,
    number,
    person,
    tenant_object,
    unassign,
)
from callplane.values import HolderId

CLAIMANTS = 24
NUMBERS = 12


@pytest.fixture
async def second_register(migrated_dsn: str) -> AsyncIterator[PostgresRegister]:
    """Another process on the same database."""
    register = PostgresRegister(migrated_dsn, limits=SessionLimits(sessions=8))
    await register.open()
    yield register
    await register.close()


async def test_a_number_has_one_winner(register: Register) -> None:
    """Every claimant wants any one number, of whichever connection, all at the same time."""
    epochs = {TENANT: await hold(register), OTHER_TENANT: await hold(register, OTHER_TENANT)}
    rivals: list[HolderId | None] = []

    async def want(index: int) -> list[int]:
        connection = TENANT if index % 2 else OTHER_TENANT
        draw = random.Random(index)
        order = draw.sample(range(NUMBERS), NUMBERS)
        won = []
        for each in order:
            commit = Commit(moves=[claim(each, person(f"claimant-{index}"))])
            try:
                await register.commit(connection, commit, epoch=epochs[connection], now=NOW)
                won.append(each)
            except MoveRefused as refused:
                rivals.append(refused.row.holder if refused.row else None)
        return won

    won = await asyncio.gather(*(want(index) for index in range(CLAIMANTS)))
    assert Counter(each for numbers in won for each in numbers) == dict.fromkeys(range(NUMBERS), 1)
    assert len(rivals) == (CLAIMANTS - 1) * NUMBERS
    assert None not in rivals, "who is refused is told who has it"
    rows = await register.numbers_in(number(0), number(NUMBERS))
    assert [row.number for row in rows] == [number(index) for index in range(NUMBERS)]
    for row in rows:
        events = await register.history(row.number)
        assert [event.holder for event in events] == [str(row.holder)]


async def test_commits_of_several_numbers_never_block_one_another(
    postgres_register: PostgresRegister, second_register: PostgresRegister
) -> None:
    """Numbers, holders, deletions in any order of writing: a deadlock would be an error."""
    epoch = await hold(postgres_register)
    names = [f"person-{index}" for index in range(6)]

    async def work(index: int) -> Counter[str]:
        draw = random.Random(index)
        register = (postgres_register, second_register)[index % 2]
        outcomes: Counter[str] = Counter()
        for _ in range(25):
            wanted = draw.sample(range(NUMBERS), 4)
            moves = [draw.choice((claim(each, person("p")), abandon(each))) for each in wanted]
            draw.shuffle(names_now := names.copy())
            commit = Commit(
                moves=moves,
                holders=[holder_row(name) for name in names_now[:2]],
                dropped_holders=[person(name) for name in names_now[2:4]],
            )
            try:
                await register.commit(TENANT, commit, epoch=epoch, now=NOW)
                outcomes["done"] += 1
            except MoveRefused:
                outcomes["refused"] += 1
        return outcomes

    total = sum(await asyncio.gather(*(work(index) for index in range(8))), Counter[str]())
    assert total["done"] > 0
    assert total["refused"] > 0


async def test_no_reader_misses_a_version(
    postgres_register: PostgresRegister, second_register: PostgresRegister
) -> None:
    """A mirror kept by `load(since=…)` alone, while commits finish out of order, is complete."""
    epoch = await hold(postgres_register)
    mirror: dict[object, int] = {}
    is_over = asyncio.Event()

    async def write(index: int) -> None:
        for turn in range(15):
            commits = (
                [claim(index, person("a"))],
                [confirm(index, person("a"))],
                [unassign(index, person("a"), until=NOW)],
                [elapse(index)],
            )
            await postgres_register.commit(
                TENANT, Commit(moves=commits[turn % 4]), epoch=epoch, now=NOW
            )

    async def read() -> None:
        since = 0
        last_look = False
        while True:
            state = await second_register.load(TENANT, since=since)
            assert state.sequence >= since
            since = state.sequence
            for gone in state.removed_numbers:
                mirror.pop(gone, None)
            mirror.update({row.number: row.version for row in state.numbers})
            if last_look:
                return
            last_look = is_over.is_set()

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(index) for index in range(16)))
    is_over.set()
    await reader
    state = await second_register.load(TENANT)
    assert mirror == {row.number: row.version for row in state.numbers}
    assert {row.state for row in state.numbers} == {NumberState.QUARANTINED}


async def test_a_new_epoch_waits_for_commits_under_way_and_stops_the_next(
    postgres_register: PostgresRegister, second_register: PostgresRegister, migrated_dsn: str
) -> None:
    """The old leader is paused in the middle of a commit: the new one sees all of it."""
    old = await hold(postgres_register)
    await postgres_register.commit(
        TENANT, Commit(moves=[adopt(1, person("ann"))]), epoch=old, now=NOW
    )
    async with (
        await psycopg.AsyncConnection.connect(migrated_dsn) as pause,
        await psycopg.AsyncConnection.connect(migrated_dsn, autocommit=True) as watch,
    ):
        await pause.execute("select from register.numbers for update")
        under_way = asyncio.create_task(
            postgres_register.commit(
                TENANT,
                Commit(moves=[unassign(1, person("ann"), until=None)]),
                epoch=old,
                now=NOW,
            )
        )
        await waits_for(watch, "register.commit")
        taking = asyncio.create_task(hold(second_register))
        await waits_for(watch, "register.settled")
        assert not taking.done()
        await pause.rollback()
    await under_way
    new = await taking
    assert new == old + 1
    (row,) = (await second_register.load(TENANT)).numbers
    assert row.state is NumberState.QUARANTINED
    with pytest.raises(EpochLost):
        await postgres_register.commit(
            TENANT, Commit(moves=[claim(2, person("ann"))]), epoch=old, now=NOW
        )


async def waits_for(session: psycopg.AsyncConnection, call: str) -> None:
    """Return once a session that runs `call` waits for a lock."""
    while True:
        cursor = await session.execute(
            "select from pg_stat_activity where wait_event_type = 'Lock' "
            "and datname = current_database() and query like %s",
            (f"%{call}%",),
        )
        if await cursor.fetchone() is not None:
            return
        await asyncio.sleep(0.01)


async def test_two_installations_do_not_both_get_a_connection(
    postgres_register: PostgresRegister, second_register: PostgresRegister
) -> None:
    async def take(index: int) -> ConnectionRow | HeldElsewhere:
        register = (postgres_register, second_register)[index % 2]
        return await register.hold_connection(
            TENANT,
            declared_by=tenant_object(installation=f"cluster-{index}"),
            now=NOW,
            stale_after_seconds=STALE_AFTER_SECONDS,
            new_epoch=True,
        )

    answers = await asyncio.gather(*(take(index) for index in range(10)))
    winners = [answer for answer in answers if isinstance(answer, ConnectionRow)]
    assert len(winners) == 1
    assert {answer.row for answer in answers if isinstance(answer, HeldElsewhere)} == set(winners)


async def test_one_leader_of_many_has_the_last_epoch(
    postgres_register: PostgresRegister, second_register: PostgresRegister
) -> None:
    registers = (postgres_register, second_register)
    epochs = await asyncio.gather(*(hold(registers[index % 2]) for index in range(10)))
    assert sorted(epochs) == list(range(1, 11))
    for epoch in sorted(epochs)[:-1]:
        with pytest.raises(EpochLost):
            await postgres_register.commit(TENANT, Commit(), epoch=epoch, now=NOW)
    await postgres_register.commit(TENANT, Commit(), epoch=10, now=NOW)


async def test_two_linkers_make_one_chain(
    postgres_register: PostgresRegister, second_register: PostgresRegister
) -> None:
    epoch = await hold(postgres_register)

    async def write(index: int) -> None:
        commit = Commit(moves=[claim(index, person("ann"))])
        await postgres_register.commit(TENANT, commit, epoch=epoch, now=NOW)

    async def link(register: PostgresRegister) -> int:
        return sum([await register.link_events(limit=7) for _ in range(40)])

    *_, one, other = await asyncio.gather(
        *(write(index) for index in range(120)), link(postgres_register), link(second_register)
    )
    linked = one + other
    while chunk := await postgres_register.link_events():
        linked += chunk
    report = await second_register.verify()
    assert (linked, report.events, report.unlinked, report.first_broken) == (120, 120, 0, None)
