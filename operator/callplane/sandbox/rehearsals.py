"""A restore rehearsed on this machine: a PostgreSQL of its own, a dump read into it, and all of it
gone afterwards.

Called by `callplane database rehearse`. Nothing of it reaches the database that the dump was made
of, and the server answers on loopback only, to a password that nobody is told.
"""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from callplane.sandbox import guardian, postgres, processes
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.postgres import PostgresAddress
from callplane.sandbox.state import SandboxState

DATABASE = "restored"
#: A large dump takes long; nobody waits longer than a night for a rehearsal.
RESTORE_TIMEOUT_SECONDS = 12 * 3600.0


@contextmanager
def server() -> Iterator[PostgresAddress]:
    """A PostgreSQL of its own for the length of a block. Raises SandboxError."""
    around = Path(tempfile.mkdtemp(prefix="callplane-rehearsal-"))
    state = SandboxState.create(around / "servers")
    state.owns_outside(around)
    watching = guardian.watch(state)
    try:
        yield postgres.start(state, throw_away=True)
    finally:
        state.stop()
        state.remove()
        watching.dismiss()


def restored(address: PostgresAddress, dump: Path, *, roles: Sequence[str]) -> str:
    """Read a dump of pg_dump (format custom, directory or tar) into a new database; its DSN.

    `roles` are those that the dump grants rights to: a dump has grants and not the roles. They
    have passwords that nobody is told. Raises SandboxError with the words of pg_restore.
    """
    address.run_sql(f'create database "{DATABASE}" template template0')
    for role in roles:
        address.run_sql(f"create role \"{role}\" login password '{secrets.token_hex(16)}'")
    dsn = address.dsn(DATABASE)
    command = [
        str(address.programs / "pg_restore"),
        # Half a restore must not look like a whole one. Owners of another server are not here.
        *("--exit-on-error", "--no-owner", "--dbname", DATABASE, str(dump)),
    ]
    answer = subprocess.run(
        command,
        env=processes.child_environment(postgres.environment_of(dsn)),
        capture_output=True,
        text=True,
        timeout=RESTORE_TIMEOUT_SECONDS,
        check=False,
    )
    if answer.returncode != 0:
        raise SandboxError(f"{dump} cannot be restored: {answer.stderr.strip()[:2000]}")
    return dsn
