"""The roles that a stack on a cloud makes by psql, with an administrator who is no superuser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from callplane.sandbox.postgres import USER
from callplane.store import schema
from callplane.store.postgres import PostgresRegister
from callplane.testing.control_plane import ThrowAwayPostgres

SCRIPT = Path(__file__).parents[2] / "stacks/callplane_stacks/database_roles.sql"
ADMINISTRATOR = "callplane_admin"
ROLES = ("callplane_owner", schema.SERVICE_ROLE, schema.CALL_ROLE, schema.READER_ROLE)
PASSWORDS = {role: f"it's {role}'s own" for role in ROLES}


@pytest.fixture
def server() -> Iterator[ThrowAwayPostgres]:
    """A server as a cloud hands it over: one administrator, one empty database."""
    with ThrowAwayPostgres() as found:
        run = found.address.run_sql
        run(f"create role {ADMINISTRATOR} login createrole createdb password 'an administrator'")
        run(f"create database callplane owner {ADMINISTRATOR}")
        yield found


def made(
    server: ThrowAwayPostgres, passwords: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What psql answers when the script is run as the Job runs it."""
    address = server.address
    told = {f"{role.upper()}_PASSWORD": password for role, password in passwords.items()}
    return subprocess.run(
        [str(address.programs / "psql"), "--no-psqlrc", f"--file={SCRIPT}"],
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(address.port),
            "PGUSER": ADMINISTRATOR,
            "PGPASSWORD": "an administrator",
            "PGDATABASE": "callplane",
            **told,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def address(server: ThrowAwayPostgres, role: str) -> str:
    """The database's URI as a role."""
    signed = f"{role}:{quote(PASSWORDS[role], safe='')}"
    return f"postgresql://{signed}@127.0.0.1:{server.address.port}/callplane"


def session(server: ThrowAwayPostgres, role: str, password: str) -> psycopg.Connection:
    """A session of a role; raises OperationalError where the password is wrong."""
    return psycopg.connect(
        host="127.0.0.1",
        port=server.address.port,
        user=role,
        password=password,
        dbname="callplane",
        connect_timeout=10,
    )


async def test_roles_sign_in_and_the_owner_upgrades_the_schema(server: ThrowAwayPostgres) -> None:
    answer = made(server, PASSWORDS)
    assert (answer.returncode, answer.stderr) == (0, "")
    superusers = server.address.run_sql("select rolname from pg_roles where rolsuper")
    assert superusers == USER
    schema.upgrade(address(server, ROLES[0]))
    register = PostgresRegister(address(server, ROLES[1]))
    await register.open()
    try:
        assert list(await register.connections()) == []
    finally:
        await register.close()
    for role in ROLES[1:]:
        with session(server, role, PASSWORDS[role]) as own, pytest.raises(psycopg.Error):
            own.execute("create table mine ()")


def test_done_twice_it_changes_passwords_and_nothing_else(server: ThrowAwayPostgres) -> None:
    assert made(server, PASSWORDS).returncode == 0
    changed = {role: f"new {password}" for role, password in PASSWORDS.items()}
    assert made(server, changed).returncode == 0
    for role in ROLES:
        with session(server, role, changed[role]) as own:
            assert own.info.user == role
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            session(server, role, PASSWORDS[role])


def test_without_a_password_nothing_is_done(server: ThrowAwayPostgres) -> None:
    lacking = {role: PASSWORDS[role] for role in ROLES[:3]}
    answer = made(server, lacking)
    assert answer.returncode != 0
    found = server.address.run_sql(f"select count(*) from pg_roles where rolname in {ROLES!r}")
    assert found == "0"
