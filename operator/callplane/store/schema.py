"""The version of the database's schema: bring it to the one this code needs, or say what is wrong.

Called by `callplane` commands that prepare a database, by the sandbox and by tests; the register
checks the version with its first use of a database.
"""

from __future__ import annotations

from datetime import date, datetime
from importlib import resources

import psycopg
from psycopg import sql

from callplane.errors import CallplaneError, scrub
from callplane.store import addresses
from callplane.store.ports import StoreUnavailable

HEAD = "0010"
SERVICE_ROLE = "callplane_service"
CALL_ROLE = "callplane_calls"
READER_ROLE = "callplane_reader"
# Any fixed number will do.
_UPGRADE_LOCK = 70910001
MIGRATIONS = resources.files("callplane.store") / "migrations"

# Alembic's own table; a database without it has none of our schema.
VERSION_QUERY = "select version_num from alembic_version"
# Others use Alembic too. The register is there since the first version.
OURS_QUERY = (
    "select to_regclass('alembic_version') is not null "
    "and to_regclass('register.numbers') is not null"
)


class SchemaMismatch(CallplaneError):
    """The database's schema is not the one this code was written for."""


def check(version: str | None) -> None:
    """Raises SchemaMismatch, which says what to do. None: the database has no schema of ours."""
    if version == HEAD:
        return
    if version is None:
        raise SchemaMismatch(
            f"the database has no schema of Callplane; version {HEAD} is needed: run the upgrade"
        )
    if version < HEAD:
        raise SchemaMismatch(
            f"the database's schema is version {version}, older than {HEAD}: run the upgrade"
        )
    raise SchemaMismatch(
        f"the database's schema is version {version}, newer than {HEAD}: "
        "this program is too old for it"
    )


def upgrade(
    dsn: str,
    *,
    service_role: str = SERVICE_ROLE,
    call_role: str = CALL_ROLE,
    reader_role: str = READER_ROLE,
) -> None:
    """Bring the database at `dsn` (a `postgresql://` URI) to HEAD; nothing to do is no error.

    Needs the rights of the schema's owner, and gives `service_role`, `call_role` and `reader_role`,
    where there are such roles, the rights that the operator, call control and the admin API need.
    Raises SchemaMismatch for a database that is newer, and StoreUnavailable.
    """
    # Alembic and SQLAlchemy cost more to import than a whole command; only upgrades need them.
    import sqlalchemy
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    dsn = _current(dsn)
    scheme, _, rest = dsn.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise StoreUnavailable("the database is named by a URI that begins with postgresql://")
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://{rest}", poolclass=sqlalchemy.NullPool)
    with _guard(dsn) as guard:
        # Held until the session ends. Two upgrades of one database wait for one another, and so do
        # two of one process, since Alembic keeps its state in a module.
        guard.execute("select pg_advisory_lock(%s)", (_UPGRADE_LOCK,))
        try:
            with engine.connect() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except CommandError as error:
            # Alembic's only complaint here is a version it has no script for.
            raise SchemaMismatch(
                f"the database's schema is newer than {HEAD}: this program is too old for it"
            ) from error
        finally:
            engine.dispose()
        # From last month on, for what comes late; upgrades and the service make more in time.
        guard.execute("select books.make_months((now() - interval '1 month')::date, 15)")
        # In this order, for call control's take rights back, which one role for both must have.
        _grant(guard, call_role, "call_grants.sql")
        _grant(guard, service_role, "grants.sql")
        _grant(guard, reader_role, "reader_grants.sql")


def is_ours(dsn: str) -> bool:
    """Whether a database has a schema of ours, of whatever version. Raises StoreUnavailable."""
    with _guard(dsn) as guard:
        row = guard.execute(OURS_QUERY).fetchone()
        return row is not None and bool(row[0])


def drop_months(dsn: str, *, keep: int, today: datetime) -> list[str]:
    """Drop the partitions of calls and postings that ended before the last `keep` whole months;
    their names. Needs the rights of the schema's owner. Raises ValueError, StoreUnavailable.
    """
    count = today.year * 12 + today.month - 1 - keep
    before = date(count // 12, count % 12 + 1, 1)
    with _guard(dsn) as guard:
        check(None if (row := guard.execute(VERSION_QUERY).fetchone()) is None else row[0])
        try:
            found = guard.execute("select dropped from books.drop_months(%s)", (before,))
        except psycopg.errors.RaiseException as error:
            raise ValueError(str(error.diag.message_primary)) from None
        return [name for (name,) in found.fetchall()]


def _guard(dsn: str) -> psycopg.Connection:
    try:
        return psycopg.connect(addresses.current(dsn), autocommit=True)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"PostgreSQL: {scrub(str(error))}") from error


def _current(dsn: str) -> str:
    try:
        return addresses.current(dsn)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"PostgreSQL: {scrub(str(error))}") from error


def _grant(connection: psycopg.Connection, role: str, file: str) -> None:
    found = connection.execute("select from pg_roles where rolname = %s", (role,))
    if found.fetchone() is not None:
        template = (MIGRATIONS / "sql" / file).read_text(encoding="utf-8")
        connection.execute(sql.SQL(template).format(role=sql.Identifier(role)))
