"""`callplane snapshot save`: everything that a plan stands on, in one file, read-only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from callplane.cli import connecting, manifests, output
from callplane.cli.connecting import DatabaseUrl, Kubeconfig, SecretFiles
from callplane.errors import CallplaneError

group = typer.Typer(
    help="Save what a plan stands on: observations, register rows, objects. Never a Secret.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    # A callback keeps the only command of the group a command of its own name.
    group.callback()(lambda: None)
    app.add_typer(group, name="snapshot")


@group.command()
def save(
    file: Annotated[Path, typer.Argument(help="Where to; it is replaced whole.")],
    kubeconfig: Kubeconfig = None,
    manifest_folder: Annotated[
        str | None,
        typer.Option("--manifests", help="Observe the connections of these manifests instead."),
    ] = None,
    secret: SecretFiles = None,
    database_url: DatabaseUrl = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that name none.")
    ] = "default",
) -> None:
    """Observe every connection once, completely, and write it down with time and identity.

    The file names people and numbers: it is readable by its owner only. It holds no secrets.
    """
    from callplane.engine import snapshot_files

    if (kubeconfig is None) == (manifest_folder is None):
        raise CallplaneError("name either --kubeconfig or --manifests: where the connections are")
    if not file.parent.is_dir():
        raise CallplaneError(f"{file.parent}: no such folder")
    database = connecting.database_url(database_url)
    if kubeconfig is not None:
        observing = connecting.observe_cluster(kubeconfig, database=database)
    else:
        tree = manifests.read([str(manifest_folder)], namespace=namespace)
        observing = connecting.observe_tree(tree, secrets=secret or (), database=database)
    observations = asyncio.run(observing)
    if not observations.connections:
        raise CallplaneError("there is no connection to observe")
    snapshot_files.save(file, observations)
    connections = output.count(len(observations.connections), "connection")
    register_text = "with" if observations.has_register else "without"
    connecting.say(
        f"{file}: {connections} {register_text} the number register, "
        f"{observations.taken_at:%Y-%m-%d %H:%M:%S} UTC, by {observations.taken_by}"
    )
    if not observations.has_register:
        connecting.say(
            "a plan without the register knows neither who has a number nor which numbers rest: "
            f"name it with --database-url or {connecting.DATABASE_VARIABLE}"
        )
