"""How Alembic runs our migrations: on the connection that `callplane.store.schema` hands over."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """All versions in one transaction: an upgrade happens whole or not at all."""
    context.configure(connection=context.config.attributes["connection"])
    with context.begin_transaction():
        context.run_migrations()


# Alembic loads this file by path, under this name; whoever imports it as a module only looks at it.
if __name__ == "env_py":
    run()
