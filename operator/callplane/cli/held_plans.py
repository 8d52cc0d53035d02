"""`callplane plan show DIGEST`: the whole of a batch that waits for an approval."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from callplane.cli import connecting, output
from callplane.errors import CallplaneError, mask_number
from callplane.plan import rendering
from callplane.plan.change import Change, Operation
from callplane.plan.gate import GateRow
from callplane.values import ConnectionId, Platform

if TYPE_CHECKING:
    from callplane.cli.plan_command import Format


@dataclass(frozen=True, slots=True)
class HeldChange:
    """One change of a batch as register or ChangePlan has it."""

    change_id: str
    change: Change
    proposer: str
    status: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A held batch. `total` is more than there are changes where only an excerpt could be read."""

    digest: str
    connection: str
    changes: tuple[HeldChange, ...]
    total: int


def show(
    digests: Sequence[str],
    kubeconfig: Path | None,
    database_url: str | None,
    output_format: Format,
    mask_numbers: bool,
) -> None:
    """Print one batch. The register has all of it; a ChangePlan has the first two hundred."""
    if len(digests) != 1:
        raise CallplaneError("plan show takes one digest, as a ChangePlan or an event shows it")
    digest = digests[0]
    database = connecting.database_url(database_url)
    if database is None and kubeconfig is None:
        raise CallplaneError(
            "say where the batch is: --database-url for all of it, or --kubeconfig for the "
            "ChangePlan"
        )
    batch = asyncio.run(
        _from_register(database, digest)
        if database is not None
        else _from_cluster(kubeconfig or Path(), digest)
    )
    if mask_numbers:
        batch = replace(batch, changes=tuple(_masked(each) for each in batch.changes))
    if output_format.value == "json":
        typer.echo(json.dumps(_json(batch), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(batch, markdown=output_format.value == "markdown")))


async def _from_register(database: str, digest: str) -> Batch:
    async with connecting.register(database) as register:
        for row in await register.connections():
            state = await register.load(row.connection)
            rows = [each for each in state.gate_rows if each.digest == digest]
            if rows:
                held = tuple(_held(each) for each in sorted(rows, key=_order))
                return Batch(digest, f"{row.declared_by} ({row.connection})", held, len(held))
    raise CallplaneError(
        f"no batch {digest} in the register: it may be done, withdrawn, or of another database"
    )


def _order(row: GateRow) -> tuple[Any, ...]:
    return (row.proposer.namespace, row.proposer.name, row.change.sort_key)


def _held(row: GateRow) -> HeldChange:
    proposer = f"{row.proposer.namespace}/{row.proposer.name}"
    return HeldChange(row.change_id, row.change, proposer, row.status.value)


async def _from_cluster(kubeconfig: Path, digest: str) -> Batch:
    from callplane.cluster.resource_kinds import callplane_kind

    async with connecting.cluster(kubeconfig) as client:
        listing = await client.list_all(callplane_kind("changeplans"))
    for item in listing.items:
        spec = item["spec"]
        if spec["digest"] == digest:
            reference = spec["connectionRef"]
            namespace = item["metadata"]["namespace"]
            connection = f"{reference['kind']} {namespace}/{reference['name']}"
            state = (item.get("status") or {}).get("state", "")
            changes = tuple(_inline(each, state) for each in spec.get("changes", ()))
            return Batch(digest, connection, changes, int(spec["total"]))
    raise CallplaneError(f"no ChangePlan with digest {digest} in the cluster")


def _inline(entry: dict[str, Any], state: str) -> HeldChange:
    declared = entry.get("declaredBy") or {}
    change = Change(
        connection=ConnectionId("", ""),
        operation=Operation(entry["operation"]),
        platform=Platform(entry["subject"]["platform"]),
        subject=entry["subject"]["id"],
        before=entry.get("from"),
        after=entry.get("to"),
        irreversible=bool(entry.get("irreversible")),
    )
    proposer = f"{declared.get('namespace', '')}/{declared.get('name', '')}"
    return HeldChange(entry["id"], change, proposer, state.lower())


def _masked(held: HeldChange) -> HeldChange:
    def shown(fields: Any) -> Any:
        if fields is None or "number" not in fields:
            return fields
        return {**fields, "number": mask_number(fields["number"])}

    change = replace(held.change, before=shown(held.change.before), after=shown(held.change.after))
    return replace(held, change=change)


def _lines(batch: Batch, *, markdown: bool) -> Iterable[str]:
    yield f"{'### ' if markdown else ''}{output.count(batch.total, 'change')} of {batch.connection}"
    yield f"digest {batch.digest}"
    yield ""
    rows = []
    for held in batch.changes:
        text = rendering.describe(held.change)
        rows.append((text.sign, held.proposer, text.what, text.effect, held.status))
    table = output.table(rows, indent="  ")
    yield from ["```", *table, "```"] if markdown else table
    left_out = batch.total - len(batch.changes)
    if left_out > 0:
        yield f"… and {left_out:,} more: --database-url shows all of them"


def _json(batch: Batch) -> dict[str, Any]:
    return {
        "format": "callplane-held-batch",
        "version": 1,
        "digest": batch.digest,
        "connection": batch.connection,
        "total": batch.total,
        "changes": [
            {
                "id": held.change_id,
                "operation": held.change.operation.value,
                "subject": {"platform": held.change.platform.value, "id": held.change.subject},
                "from": held.change.before,
                "to": held.change.after,
                "irreversible": held.change.irreversible,
                "object": held.proposer,
                "status": held.status,
            }
            for held in batch.changes
        ],
    }
