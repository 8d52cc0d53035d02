"""`callplane connections`: which cluster works which tenant, and taking one over at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callplane.apis import registry
from callplane.apis.parsing import parse_lenient
from callplane.apis.references import ConnectionKind
from callplane.cli import connecting, output
from callplane.cli.connecting import DatabaseUrl
from callplane.clock import SystemClock
from callplane.errors import CallplaneError
from callplane.values import ObjectKey

if TYPE_CHECKING:
    from callplane.store.ports import ConnectionRow

group = typer.Typer(
    help="Which cluster works which tenant, as the number register says.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="connections")


@group.command("list")
def list_connections(
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every connection, who works it and when they were last heard of."""
    url = connecting.required_database_url(database_url)
    rows = asyncio.run(_rows(url))
    now = SystemClock().now()
    if as_json:
        typer.echo(json.dumps([_json(row) for row in rows], indent=2))
    elif not rows:
        typer.echo("no operator has worked a connection with this register yet")
    else:
        heads = ("CONNECTION", "OBJECT", "CLUSTER", "EPOCH", "HEARTBEAT")
        table = [heads, *(_row(row, now) for row in rows)]
        typer.echo("\n".join(output.table(table)))


@group.command()
def take(
    name: Annotated[
        str, typer.Argument(metavar="NAMESPACE/NAME", help="The object that is to work it.")
    ],
    kubeconfig: Annotated[
        Path, typer.Option("--kubeconfig", help="The cluster whose operator is to work it.")
    ],
    kind: Annotated[
        ConnectionKind, typer.Option("--kind", help="What kind of object that is.")
    ] = ConnectionKind.TEAMS_TENANT,
    database_url: DatabaseUrl = None,
) -> None:
    """Give a connection to the operator of a cluster at once, without waiting for the heartbeat of
    whoever works it now.

    The other operator's next write is refused: it stops working the connection by itself.
    """
    url = connecting.required_database_url(database_url)
    namespace, separator, object_name = name.partition("/")
    if not separator or not namespace or not object_name:
        raise CallplaneError("name the object as NAMESPACE/NAME")
    taken = asyncio.run(_take(kubeconfig, url, ObjectKey(kind.value, namespace, object_name)))
    before = taken.before
    if before is not None:
        age = ago(SystemClock().now() - before.heartbeat_at)
        connecting.say(
            f"{before.declared_by} of cluster {before.installation} worked it, heard of {age}"
        )
    typer.echo(
        f"{taken.row.connection} now belongs to {taken.row.declared_by} of cluster "
        f"{taken.row.installation}, epoch {taken.row.epoch}; its operator starts within 30 s"
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A connection that changed hands: as it was, as it is."""

    before: ConnectionRow | None
    row: ConnectionRow


async def _rows(url: str) -> list[ConnectionRow]:
    async with connecting.register(url) as register:
        return sorted(await register.connections(), key=lambda row: row.connection)


async def _take(kubeconfig: Path, url: str, key: ObjectKey) -> Taken:
    from callplane.apis.carriers import Carrier
    from callplane.cluster.namespaces import installation_id
    from callplane.cluster.resource_kinds import callplane_kind
    from callplane.desired.declarations import carrier_system, is_platform, system_of
    from callplane.store.ports import HeldElsewhere
    from callplane.values import DeclaringObject

    async with connecting.cluster(kubeconfig) as client, connecting.register(url) as opened:
        plural = registry.kind_named(key.kind).plural
        body = await client.get(callplane_kind(plural), name=key.name, namespace=key.namespace)
        resource = parse_lenient({**body, "kind": key.kind}).resource
        if isinstance(resource, Carrier):
            connection = carrier_system(resource)
        elif is_platform(resource):
            connection = system_of(resource)
        else:
            raise CallplaneError(f"{key} cannot be read; callplane validate says why")
        declared_by = DeclaringObject(
            installation=await installation_id(client),
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            uid=body["metadata"]["uid"],
        )
        known = {row.connection: row for row in await opened.connections()}
        row = await opened.hold_connection(
            connection,
            declared_by=declared_by,
            now=SystemClock().now(),
            stale_after_seconds=0.0,
            new_epoch=True,
            force=True,
        )
    if isinstance(row, HeldElsewhere):
        raise CallplaneError(f"{row.row.declared_by} took the connection in the same moment; again")
    return Taken(known.get(connection), row)


def _row(row: ConnectionRow, now: datetime) -> tuple[str, ...]:
    return (
        str(row.connection),
        str(row.declared_by),
        row.installation,
        str(row.epoch),
        ago(now - row.heartbeat_at),
    )


def _json(row: ConnectionRow) -> dict[str, object]:
    return {
        "connection": {"provider": row.connection.provider, "id": row.connection.external_id},
        "object": {
            "kind": row.declared_by.kind,
            "namespace": row.declared_by.namespace,
            "name": row.declared_by.name,
        },
        "installation": row.installation,
        "epoch": row.epoch,
        "heartbeatAt": row.heartbeat_at.isoformat(),
    }


def ago(age: timedelta) -> str:
    """`3 minutes ago`; a clock that is a little behind counts as now."""
    seconds = max(int(age.total_seconds()), 0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{output.count(seconds // length, unit)} ago"
    return f"{output.count(seconds, 'second')} ago"
