"""How Alembic runs our migrations: on the connection that `callplane.store.schema` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

# Any fixed number will do: two upgrades of one database wait for one another.
_UPGRADE_LOCK = 7091_0001


def run(connection: Connection) -> None:
    """All versions in one transaction: an upgrade happens whole or not at all."""
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        context.run_migrations()


# Alembic loads this file by path, under this name; whoever imports it as a module only looks at it.
if __name__ == "env_py":
    run(context.config.attributes["connection"])
