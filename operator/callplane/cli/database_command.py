"""`callplane database`: prepare the operator's database, with the rights of its schema's owner.

The operator itself runs with fewer: it may add to the history and never change it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from callplane.cli import connecting, output
from callplane.cli.connecting import DatabaseUrl
from callplane.clock import SystemClock

group = typer.Typer(
    help="The operator's database: bring its schema up to date, drop what is too old.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="database")


@group.callback()
def _database() -> None:
    """The operator's database: bring its schema up to date, drop what is too old."""


@group.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the schema to the version this program needs; nothing to do is no error.

    Several upgrades of one database wait for one another. Rights of the service are granted to the
    role callplane_service, those of call control to callplane_calls, those of the admin API to
    callplane_reader, where there are such roles.
    """
    from callplane.store import schema

    schema.upgrade(connecting.required_database_url(database_url))
    typer.echo(f"the database's schema is version {schema.HEAD}")


@group.command()
def retain(
    months: Annotated[
        int, typer.Option("--months", min=14, help="Keep calls and postings of so many months.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Drop months of calls and postings that are older, with the rights of the schema's owner.

    Balances, statements and reservations stay. Calls of the last 400 days are always kept, because
    a record of one of them may still come.
    """
    from callplane.store import schema

    dropped = schema.drop_months(
        connecting.required_database_url(database_url), keep=months, today=SystemClock().now()
    )
    typer.echo(f"dropped {output.count(len(dropped), 'table')} of old months")
    for name in dropped:
        typer.echo(f"  {name}")
