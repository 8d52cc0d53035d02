"""`callplane database`: prepare the operator's database, with the rights of its schema's owner.

The operator itself runs with fewer: it may add to the history and never change it.
"""

from __future__ import annotations

import typer

from callplane.cli import connecting
from callplane.cli.connecting import DatabaseUrl

group = typer.Typer(
    help="The operator's database: bring its schema up to date.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="database")


@group.callback()
def _database() -> None:
    """The operator's database: bring its schema up to date."""


@group.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the schema to the version this program needs; nothing to do is no error.

    Several upgrades of one database wait for one another. Rights of the service are granted to the
    role callplane_service where there is one.
    """
    from callplane.store import schema

    schema.upgrade(connecting.required_database_url(database_url))
    typer.echo(f"the database's schema is version {schema.HEAD}")
