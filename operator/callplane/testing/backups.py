"""Backups as docs/operations.md says to make and restore them: pg_dump and pg_restore, no more.

Used by the rehearsals of the store and of the end-to-end tests.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from callplane.sandbox import postgres, processes
from callplane.testing.control_plane import ThrowAwayPostgres

TIMEOUT_SECONDS = 60.0


def dump(server: ThrowAwayPostgres, dsn: str, file: Path) -> Path:
    """A dump of a database in use, in pg_dump's own format."""
    _run(server, dsn, "pg_dump", "--format=custom", f"--file={file}")
    return file


def restore(server: ThrowAwayPostgres, file: Path) -> str:
    """A new database that holds what the dump does; its DSN."""
    dsn = server.create_database()
    _run(server, dsn, "pg_restore", "--exit-on-error", f"--dbname={dsn.rpartition('/')[2]}", file)
    return dsn


def _run(server: ThrowAwayPostgres, dsn: str, program: str, *arguments: str | Path) -> None:
    answer = subprocess.run(
        [str(server.address.programs / program), *map(str, arguments)],
        env=processes.child_environment(postgres.environment_of(dsn)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
