"""The embedded PostgreSQL as tests and the sandbox use it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from callplane.sandbox import accounts, locations, postgres, processes
from callplane.sandbox.state import SandboxState
from callplane.testing.control_plane import ThrowAwayPostgres


def test_server_is_version_18_and_answers_on_loopback_with_a_password(database_dsn: str) -> None:
    with psycopg.connect(database_dsn) as connection:
        row = connection.execute("show server_version_num").fetchone()
    assert row is not None
    assert row[0].startswith("18")


def test_wrong_password_is_refused(throw_away_postgres: ThrowAwayPostgres) -> None:
    wrong = throw_away_postgres.dsn.replace(throw_away_postgres.address.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_databases_of_a_template_are_separate_copies(
    throw_away_postgres: ThrowAwayPostgres,
) -> None:
    def prepare(dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("create table marks (id int)")

    throw_away_postgres.prepare_template("with_marks", prepare)
    with (
        throw_away_postgres.database(template="with_marks") as first,
        throw_away_postgres.database(template="with_marks") as second,
    ):
        with psycopg.connect(first) as connection:
            connection.execute("insert into marks values (1)")
        with psycopg.connect(second) as connection:
            assert connection.execute("select count(*) from marks").fetchone() == (0,)


def test_server_and_its_files_are_gone_when_the_owner_is_killed() -> None:
    program = (
        "from callplane.testing.control_plane import ThrowAwayPostgres\n"
        "import sys\n"
        "server = ThrowAwayPostgres()\n"
        "print(server.folder, flush=True)\n"
        "sys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(locations.SOURCE_ROOT)},
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    with owner.stdin, owner.stdout:
        folder = Path(owner.stdout.readline().strip())
        state = SandboxState.load(folder)
        assert state is not None
        (server,) = state.processes
        assert processes.alive(server)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    deadline = time.monotonic() + 90
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    assert not processes.alive(server)


def test_programs_that_the_lent_account_cannot_reach_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts, "everybody_may_enter", lambda folder: False)
    with ThrowAwayPostgres() as server:
        copied = server.address.programs != postgres.installation() / "bin"
        assert copied == (accounts.unprivileged() is not None)
        assert server.address.run_sql("select 1 + 1") == "2"
        programs = server.address.programs
    assert programs.exists() != copied
