"""A database that is away, silent or half way through a commit: nothing is lost, nothing hangs."""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections.abc import AsyncIterator

import psycopg
import pytest

from callplane.store.ports import Commit, StoreUnavailable
from callplane.store.postgres import PostgresRegister
from callplane.store.sessions import SessionLimits
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    claim,
    confirm,
    hold,
    holder_row,
    intent,
    number,
    person,
)
from callplane.testing.tcp_relay import TcpRelay

# Long enough for a busy machine to sign in and to answer where nothing is wrong.
QUICK = SessionLimits(sessions=4, wait_seconds=1.0, answer_seconds=1.0)
# From a caller's view: the wait for a session, its answer, and the half second the watchdog leaves;
# with room for a busy machine, and far below what callers would wait without these limits.
QUICKLY_SECONDS = 8.0
# Until it is found that the database is back.
BACK_SECONDS = 10.0


@pytest.fixture
async def wire(migrated_dsn: str) -> AsyncIterator[TcpRelay]:
    parts = urllib.parse.urlsplit(migrated_dsn)
    async with TcpRelay(parts.hostname or "", parts.port or 0) as relay:
        yield relay


@pytest.fixture
async def far_register(migrated_dsn: str, wire: TcpRelay) -> AsyncIterator[PostgresRegister]:
    """A register at the other end of the wire, its connection held, its pool full."""
    register = PostgresRegister(through(wire, migrated_dsn), limits=QUICK, poll_seconds=0.2)
    await register.open()
    await hold(register)
    await asyncio.gather(*(register.connections() for _ in range(QUICK.sessions)))
    yield register
    await register.close()


def through(wire: TcpRelay, dsn: str) -> str:
    parts = urllib.parse.urlsplit(dsn)
    account = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{account}@127.0.0.1:{wire.port}").geturl()


async def comes_back(register: PostgresRegister) -> float:
    """Seconds until the register answers."""
    began = time.monotonic()
    while True:
        try:
            await register.connections()
        except StoreUnavailable:
            assert time.monotonic() - began < 30, "the database is back and the register is not"
        else:
            return time.monotonic() - began


async def test_a_database_that_is_down_is_unavailable_quickly_and_comes_back(
    far_register: PostgresRegister, wire: TcpRelay
) -> None:
    await wire.cut()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await far_register.commit(TENANT, Commit(moves=[claim(1, person("ann"))]), epoch=1, now=NOW)
    with pytest.raises(StoreUnavailable):
        await far_register.load(TENANT)
    with pytest.raises(StoreUnavailable):
        await far_register.heartbeat(TENANT, epoch=1, now=NOW)
    with pytest.raises(StoreUnavailable):
        await far_register.link_events()
    with pytest.raises(StoreUnavailable):
        await hold(far_register)
    assert time.monotonic() - began < 5 * QUICKLY_SECONDS
    await wire.mend()
    assert await comes_back(far_register) < BACK_SECONDS
    state = await far_register.load(TENANT)
    assert state.numbers == ()
    await far_register.commit(TENANT, Commit(moves=[claim(1, person("ann"))]), epoch=1, now=NOW)


async def test_a_database_that_says_nothing_is_unavailable(
    far_register: PostgresRegister, wire: TcpRelay
) -> None:
    wire.silence()
    began = time.monotonic()
    answers = await asyncio.gather(
        *(far_register.load(TENANT) for _ in range(2 * QUICK.sessions)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StoreUnavailable] * len(answers)
    assert time.monotonic() - began < QUICKLY_SECONDS
    await wire.mend()
    assert await comes_back(far_register) < BACK_SECONDS


async def test_a_register_may_start_before_its_database(migrated_dsn: str, wire: TcpRelay) -> None:
    await wire.cut()
    register = PostgresRegister(through(wire, migrated_dsn), limits=QUICK)
    await register.open()
    with pytest.raises(StoreUnavailable):
        await register.identity()
    await wire.mend()
    assert await comes_back(register) < BACK_SECONDS
    await register.close()


async def test_no_message_tells_the_password(migrated_dsn: str, wire: TcpRelay) -> None:
    await wire.cut()
    register = PostgresRegister(through(wire, migrated_dsn), limits=QUICK)
    await register.open()
    with pytest.raises(StoreUnavailable) as caught:
        await register.identity()
    await register.close()
    password = urllib.parse.urlsplit(migrated_dsn).password
    assert password
    assert password not in str(caught.value)
    assert password not in repr(register)


async def test_a_session_that_ends_in_a_commit_leaves_nothing(
    postgres_register: PostgresRegister, migrated_dsn: str
) -> None:
    epoch = await hold(postgres_register)
    await postgres_register.commit(
        TENANT, Commit(moves=[claim(5, person("eve"))]), epoch=epoch, now=NOW
    )
    before = await postgres_register.load(TENANT)
    async with (
        await psycopg.AsyncConnection.connect(migrated_dsn) as other,
        await psycopg.AsyncConnection.connect(migrated_dsn, autocommit=True) as watch,
    ):
        # The commit gets as far as its last move and waits there, everything else written.
        await other.execute(
            "insert into register.numbers select '+442079460009', provider, external_id, state, "
            "holder, declared_by, range_name, number_type, transfer_to, quarantined_until, reason, "
            "updated_at, version from register.numbers"
        )
        commit = Commit(
            moves=[claim(1, person("ann")), claim(9, person("ann"))],
            holders=[holder_row("ann")],
            intents=[intent("one")],
        )
        waiting = asyncio.create_task(
            postgres_register.commit(TENANT, commit, epoch=epoch, now=NOW)
        )
        await _end_the_waiting_session(watch)
        with pytest.raises(StoreUnavailable):
            await waiting
        await other.rollback()
    assert await postgres_register.load(TENANT) == before
    assert await postgres_register.history(number(1)) == ()
    await postgres_register.commit(TENANT, commit, epoch=epoch, now=NOW)


async def _end_the_waiting_session(session: psycopg.AsyncConnection) -> None:
    while True:
        cursor = await session.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where wait_event_type = 'Lock' and query like '%register.commit%'"
        )
        if await cursor.fetchone() == (True,):
            return


async def test_a_commit_that_waits_too_long_is_given_up(
    migrated_dsn: str, postgres_register: PostgresRegister
) -> None:
    await hold(postgres_register)
    await postgres_register.commit(
        TENANT, Commit(moves=[claim(1, person("ann"))]), epoch=1, now=NOW
    )
    impatient = PostgresRegister(migrated_dsn, limits=QUICK)
    await impatient.open()
    async with await psycopg.AsyncConnection.connect(migrated_dsn) as other:
        await other.execute("select from register.numbers for update")
        await hold(impatient, OTHER_TENANT)
        with pytest.raises(StoreUnavailable):
            await impatient.commit(
                TENANT,
                Commit(moves=[claim(0, person("bob")), confirm(1, person("ann"))]),
                epoch=1,
                now=NOW,
            )
        # Only that commit is lost: the session is fit for the next one.
        assert len(await impatient.connections()) == 2
    await impatient.close()
    assert len((await postgres_register.load(TENANT)).numbers) == 1


async def test_listeners_outlive_an_outage(far_register: PostgresRegister, wire: TcpRelay) -> None:
    listening = far_register.listen()
    assert await asyncio.wait_for(anext(listening), 20) is None
    await wire.cut()
    heard = asyncio.create_task(anext(listening))
    await wire.mend()
    assert await asyncio.wait_for(heard, 20) is None, "what was missed is looked for"
    # Even a notification that is lost costs a few seconds only.
    assert await asyncio.wait_for(anext(listening), 5) is None
    await listening.aclose()
