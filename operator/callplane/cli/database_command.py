"""`callplane database`: prepare the operator's database, with the rights of its schema's owner, and
say whether one that was restored is whole.

The operator itself runs with fewer rights: it may add to the history and never change it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from callplane.cli import connecting, database_verifying, output
from callplane.cli.connecting import DatabaseUrl
from callplane.clock import SystemClock
from callplane.errors import CallplaneError

Against = Annotated[
    Path | None,
    typer.Option("--against", help="A record that --save made: what of it is not there?"),
]

group = typer.Typer(
    help="The operator's database: bring its schema up to date, drop what is too old, verify it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="database")


@group.callback()
def _database() -> None:
    """The operator's database: bring its schema up to date, drop what is too old, verify it."""


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


@group.command()
def verify(
    database_url: DatabaseUrl = None,
    against: Against = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write down what it holds, to be kept with the backup."),
    ] = None,
) -> None:
    """Say whether a database is whole: schema, rights, history of numbers, and every balance.

    Exit code 0 verified; 1 not whole; 2 whole, and something of the record is not there, as after
    the restore of an older backup. Needs a role that may read everything.
    """
    url = connecting.required_database_url(database_url)
    code = database_verifying.run(url, against=against, save=save)
    if code:
        raise typer.Exit(code)


@group.command()
def rehearse(
    dump: Annotated[Path, typer.Argument(help="A dump of pg_dump --format=custom.")],
    against: Against = None,
) -> None:
    """Restore a dump into a PostgreSQL of its own on this machine, verify it, throw it away.

    Exit codes as of verify. The schema is brought to this program's version first, as the operator
    would do. Needs the extra `sandbox`, and room for the database in the temporary folder.
    """
    from callplane.sandbox import rehearsals
    from callplane.store import schema

    if not dump.exists():
        raise CallplaneError(f"{dump}: no such file or directory")
    with rehearsals.server() as address:
        roles = (schema.SERVICE_ROLE, schema.CALL_ROLE, schema.READER_ROLE)
        url = rehearsals.restored(address, dump, roles=roles)
        # An upgrade would make a whole and empty database of it.
        if not schema.is_ours(url):
            raise CallplaneError(
                f"{dump} is no dump of Callplane's database: it has none of its tables. Was "
                "pg_dump given the right database, and all its schemas?"
            )
        connecting.say(f"restored {dump}")
        schema.upgrade(url)
        code = database_verifying.run(url, against=against, save=None)
    if code:
        raise typer.Exit(code)
