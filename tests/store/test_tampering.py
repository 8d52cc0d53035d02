"""History that was changed behind the register's back is found, and most changes are refused."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from callplane.store import schema
from callplane.store.ports import ChainReport, Checkpoint, Commit
from callplane.store.postgres import PostgresRegister
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.register_builders import (
    NOW,
    TENANT,
    claim,
    confirm,
    hold,
    holder_row,
    number,
    person,
    unassign,
)

EVENTS = 5
SWAP_TWO_LINKS = """
update register.number_links as one set link = other.link from register.number_links as other
where one.position = 7 - other.position and one.position in (3, 4)
"""
FORGE_AN_EVENT = """
insert into register.number_events overriding system value
select 99, number, at, cause, from_state, to_state, provider, external_id, installation, reason,
    holder_hash, user_name_hash, declared_by_hash
from register.number_events where sequence = 1
"""
KEPT = ("number_events", "number_links", "chain_checkpoints")


@pytest.fixture
async def history(postgres_register: PostgresRegister) -> PostgresRegister:
    """Five linked events with sequences 1 to 5."""
    epoch = await hold(postgres_register)
    for moves in (
        [claim(1, person("ann")), claim(2, person("bob"))],
        [confirm(1, person("ann")), confirm(2, person("bob"))],
        [unassign(1, person("ann"), until=None, reason="left")],
    ):
        commit = Commit(moves=moves, holders=[holder_row("ann"), holder_row("bob")])
        await postgres_register.commit(TENANT, commit, epoch=epoch, now=NOW)
    assert await postgres_register.link_events() == EVENTS
    report = await postgres_register.verify()
    assert (report.events, report.first_broken) == (EVENTS, None)
    return postgres_register


@pytest.fixture
def intruder(migrated_dsn: str) -> Iterator[psycopg.Connection]:
    """Somebody who owns the database and has switched its triggers off."""
    with psycopg.connect(migrated_dsn, autocommit=True) as session:
        session.execute("set session_replication_role = replica")
        yield session


@pytest.mark.parametrize(
    ("statement", "first_broken"),
    [
        ("update register.number_events set cause = 'Adopt' where sequence = 3", 3),
        ("update register.number_events set at = now() where sequence = 2", 2),
        ("update register.number_events set number = '+442079460003' where sequence = 4", 4),
        ("update register.number_events set reason = '' where sequence = 5", 5),
        ("update register.number_events set holder_hash = '\\x00' where sequence = 1", 1),
        ("update register.number_events set installation = 'other' where sequence = 1", 1),
        ("update register.number_event_people set holder = 'teams/t/eve' where event = 2", 2),
        ("update register.number_event_people set user_name = 'eve' where event = 3", 3),
        ("delete from register.number_events where sequence = 4", 4),
        ("update register.number_links set link = sha256('x') where position = 3", 3),
        ("delete from register.number_links where position = 2", 3),
        ("delete from register.number_links where position = 5", 5),
        (SWAP_TWO_LINKS, 3),
        (FORGE_AN_EVENT, 99),
    ],
)
async def test_a_change_is_found(
    history: PostgresRegister, intruder: psycopg.Connection, statement: str, first_broken: int
) -> None:
    assert intruder.execute(statement).rowcount > 0
    report = await history.verify()
    assert report.first_broken == first_broken
    assert f"event {first_broken}: " in report.details[0]


async def test_a_chain_computed_anew_is_found_by_a_checkpoint_kept_elsewhere(
    history: PostgresRegister, intruder: psycopg.Connection
) -> None:
    kept = await history.checkpoint()
    intruder.execute("update register.number_events set reason = 'promoted' where sequence = 5")
    for table in ("number_links", "chain_checkpoints"):
        intruder.execute(f"delete from register.{table}")
    intruder.execute(
        "insert into register.unlinked_events select sequence from register.number_events"
    )
    await history.link_events()
    assert (await history.verify()).first_broken is None, "nothing inside gives it away"
    report = await history.verify(checkpoint=kept)
    assert report.first_broken == EVENTS
    assert "not the checkpoint's" in report.details[0]


async def test_an_end_that_was_cut_off_is_found(
    history: PostgresRegister, intruder: psycopg.Connection
) -> None:
    for statement in (
        "delete from register.number_links where position > 3",
        "delete from register.number_events where sequence > 3",
    ):
        intruder.execute(statement)
    report = await history.verify()
    assert report.first_broken == 4
    assert "before the checkpoint at 5" in report.details[0]


async def test_details_are_few_and_name_no_number(
    history: PostgresRegister, intruder: psycopg.Connection
) -> None:
    intruder.execute("update register.number_events set reason = 'x'")
    report = await history.verify()
    assert len(report.details) == EVENTS
    assert number(1).text not in " ".join(report.details)


@pytest.mark.parametrize("table", KEPT)
@pytest.mark.parametrize("change", ["update {} set position = 1", "delete from {}", "truncate {}"])
async def test_history_refuses_to_be_changed(
    history: PostgresRegister, migrated_dsn: str, table: str, change: str
) -> None:
    statement = change.format(f"register.{table}")
    if table == "number_events":
        statement = statement.replace("position", "reason").replace("= 1", "= ''")
    with (
        psycopg.connect(migrated_dsn, autocommit=True) as owner,
        pytest.raises(psycopg.DatabaseError, match="only ever added to"),
    ):
        owner.execute(statement)
    assert await history.verify() == ChainReport(
        EVENTS, 0, None, head=(await history.checkpoint()).link
    )


async def test_the_service_role_does_its_work_and_changes_no_history(
    throw_away_postgres: ThrowAwayPostgres,
) -> None:
    role, password = "callplane_service_of_test", "only-for-this-test"
    with throw_away_postgres.database() as dsn:
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute(f"create role {role} login password '{password}'")
        try:
            schema.upgrade(dsn, service_role=role)
            schema.upgrade(dsn, service_role=role)
            parts = urllib.parse.urlsplit(dsn)
            address = parts.netloc.rpartition("@")[2]
            as_service = parts._replace(netloc=f"{role}:{password}@{address}")
            await _work_as_service(as_service.geturl())
        finally:
            with psycopg.connect(dsn, autocommit=True) as owner:
                owner.execute(f"drop owned by {role}")
                owner.execute(f"drop role {role}")


async def _work_as_service(dsn: str) -> None:
    register = PostgresRegister(dsn)
    await register.open()
    epoch = await hold(register)
    await register.commit(TENANT, Commit(moves=[claim(1, person("ann"))]), epoch=epoch, now=NOW)
    assert await register.link_events() == 1
    assert (await register.verify()).first_broken is None
    assert await register.redact(person("ann")) == 1
    await register.identity()
    await register.load(TENANT)
    await register.close()
    with psycopg.connect(dsn, autocommit=True) as service:
        for table in KEPT:
            for change in ("delete from {}", "truncate {}", "drop table {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    service.execute(change.format(f"register.{table}"))


async def test_a_checkpoint_is_of_this_chain(history: PostgresRegister) -> None:
    kept = await history.checkpoint()
    assert kept.position == EVENTS
    assert (await history.verify(checkpoint=kept)).first_broken is None
    wrong = replace(kept, link="ff" * 32)
    assert (await history.verify(checkpoint=wrong)).first_broken == EVENTS
    assert Checkpoint(0, "") != kept
