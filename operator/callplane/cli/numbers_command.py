"""`callplane numbers`: the number register, as people ask it: who had a number, who has which, is
the history whole, and a rebuild when it was lost.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callplane.cli import connecting, coverage_command, output
from callplane.cli.connecting import DatabaseUrl, Kubeconfig
from callplane.cli.plan_command import MaskNumbers, SnapshotFile
from callplane.errors import CallplaneError, mask_number
from callplane.values import E164, HolderId

if TYPE_CHECKING:
    from callplane.store.ports import (
        ChainReport,
        Checkpoint,
        NumberEvent,
        NumberRow,
    )

#: How many digits a number may have (ITU-T E.164).
E164_DIGITS = range(7, 16)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

group = typer.Typer(
    help="The number register: history, state, proof and rebuild.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    coverage_command.register(group)
    app.add_typer(group, name="numbers")


def e164(text: str) -> E164:
    try:
        return E164.from_provider(text)
    except ValueError as error:
        raise CallplaneError(str(error)) from None


@group.command()
def history(
    number: Annotated[str, typer.Argument(help="The number, such as +442079460000.")],
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell the life of one number, from its first event to its last."""
    wanted = e164(number)
    events = asyncio.run(_history(connecting.required_database_url(database_url), wanted))
    if as_json:
        typer.echo(json.dumps([_event_json(event) for event in events], indent=2))
        return
    if not events:
        raise CallplaneError(f"the register has never heard of {wanted}")
    typer.echo(f"{wanted}: {output.count(len(events), 'event')}")
    heads = ("TIME (UTC)", "WHAT", "FROM → TO", "WHO", "DECLARED BY", "CHAINED", "REASON")
    typer.echo("\n".join(output.table([heads, *map(_event_row, events)])))


async def _history(url: str, number: E164) -> tuple[NumberEvent, ...]:
    async with connecting.register(url) as opened:
        return await opened.history(number)


def _event_row(event: NumberEvent) -> tuple[str, ...]:
    return (
        event.at.strftime("%Y-%m-%d %H:%M:%S"),
        event.cause,
        f"{event.from_state.value} → {event.to_state.value}",
        event.user_name or event.holder or "-",
        event.declared_by or "-",
        "yes" if event.link else "not yet",
        event.reason or "-",
    )


def _event_json(event: NumberEvent) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "number": event.number.text,
        "at": event.at.isoformat(),
        "cause": event.cause,
        "from": event.from_state.value,
        "to": event.to_state.value,
        "connection": str(event.connection),
        "holder": event.holder or None,
        "userName": event.user_name or None,
        "declaredBy": event.declared_by or None,
        "installation": event.installation,
        "reason": event.reason or None,
        "link": event.link,
    }


@group.command("list")
def list_numbers(
    database_url: DatabaseUrl = None,
    range_name: Annotated[
        str, typer.Option("--range", metavar="NAMESPACE/NAME", help="Only those of this range.")
    ] = "",
    state: Annotated[
        str, typer.Option("--state", help="Only those in this state, such as Quarantined.")
    ] = "",
    mask_numbers: MaskNumbers = False,
    as_json: AsJson = False,
) -> None:
    """List numbers in use, reserved or resting. Free numbers have no row."""
    url = connecting.required_database_url(database_url)
    rows = [
        row
        for row in asyncio.run(number_rows(url))
        if (not range_name or row["range"] == range_name)
        and (not state or str(row["state"]).lower() == state.lower())
    ]
    if mask_numbers:
        rows = [{**row, "number": mask_number(str(row["number"]))} for row in rows]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    heads = ("NUMBER", "STATE", "UNTIL", "RANGE", "WHO", "DECLARED BY")
    names = ("number", "state", "quarantinedUntil", "range", "userName", "declaredBy")
    table = [tuple(str(row[name] or "-") for name in names) for row in rows]
    typer.echo("\n".join(output.table([heads, *table])))
    connecting.say(output.count(len(rows), "number"))


async def number_rows(url: str) -> list[dict[str, Any]]:
    """Every number of the register, sorted, as `numbers list --json` and `export` show it."""
    names: dict[HolderId, str] = {}
    rows: list[NumberRow] = []
    async with connecting.register(url) as opened:
        for known in await opened.connections():
            state = await opened.load(known.connection)
            names.update((row.holder, row.user_name) for row in state.holders)
        # By length, for a connection that nobody works any more still has its numbers.
        for digits in E164_DIGITS:
            first, last = E164("+1" + "0" * (digits - 1)), E164("+" + "9" * digits)
            rows += await opened.numbers_in(first, last)
    ordered = sorted(rows, key=lambda row: row.number)
    return [_number_json(row, names.get(row.holder, "") if row.holder else "") for row in ordered]


def _number_json(row: NumberRow, user_name: str) -> dict[str, Any]:
    until = row.quarantined_until
    return {
        "number": row.number.text,
        "state": row.state.value,
        "quarantinedUntil": until.strftime("%Y-%m-%d") if until is not None else None,
        "range": row.range_name or None,
        "type": row.number_type or None,
        "connection": str(row.connection),
        "holder": str(row.holder) if row.holder is not None else None,
        "userName": user_name or None,
        "declaredBy": str(row.declared_by) if row.declared_by is not None else None,
        "reason": row.reason or None,
    }


@group.command()
def verify(
    database_url: DatabaseUrl = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Also prove that the chain still holds this one."),
    ] = None,
    save_checkpoint: Annotated[
        Path | None,
        typer.Option("--save-checkpoint", help="Write the chain's head here, to be kept apart."),
    ] = None,
) -> None:
    """Recompute the chain of the whole history. Exit code 1 when it does not hold.

    A checkpoint kept where the database's writers cannot reach proves that nothing before it was
    written anew.
    """
    known = _read_checkpoint(checkpoint) if checkpoint is not None else None
    url = connecting.required_database_url(database_url)
    report, head = asyncio.run(_verify(url, known))
    for detail in report.details:
        typer.echo(detail)
    verdict = "the history is whole"
    if report.first_broken is not None or report.details:
        first = report.first_broken
        verdict = "the history does not hold" + (f" from event {first} on" if first else "")
    typer.echo(
        f"{verdict}: {output.count(report.events, 'event')}, {report.unlinked:,} not chained yet, "
        f"{report.redacted:,} redacted"
    )
    typer.echo(f"head {head.position}:{head.link or '-'}")
    if verdict != "the history is whole":
        raise typer.Exit(1)
    if save_checkpoint is not None:
        save_checkpoint.write_text(f"{head.position}:{head.link}\n")


async def _verify(url: str, known: Checkpoint | None) -> tuple[ChainReport, Checkpoint]:
    async with connecting.register(url) as opened:
        return await opened.verify(checkpoint=known), await opened.checkpoint()


def _read_checkpoint(path: Path) -> Checkpoint:
    from callplane.store.ports import Checkpoint

    try:
        # The operator's file has one checkpoint a line; the last one proves the most.
        position, separator, link = path.read_text().strip().rpartition("\n")[2].partition(":")
        if not separator:
            raise ValueError("it has no colon")
        return Checkpoint(int(position), link)
    except (OSError, ValueError) as error:
        raise CallplaneError(
            f"{path} is no checkpoint ({error}); numbers verify --save-checkpoint makes one"
        ) from None


@group.command()
def rebuild(
    tenant: Annotated[
        str, typer.Argument(metavar="NAMESPACE/NAME", help="The connection of the lost rows.")
    ],
    kubeconfig: Kubeconfig = None,
    snapshot: SnapshotFile = None,
    database_url: DatabaseUrl = None,
    quarantine_days: Annotated[
        int, typer.Option("--quarantine-days", min=1, help="How long unassigned numbers rest.")
    ] = 90,
    known_free: Annotated[
        Path | None,
        typer.Option("--known-free", help="Unassigned numbers that need no rest, one a line."),
    ] = None,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="DIGEST", help="Carry out exactly this rebuild.")
    ] = "",
) -> None:
    """Rebuild a connection's rows from what the tenant shows, after the register was lost.

    Who has a number there has it here. Every number of our ranges that nobody has rests, for nobody
    knows any more who had it. Without --confirm the rebuild is only shown, with its digest.
    """
    from callplane.cli import rebuilding_command

    options = rebuilding_command.Options(
        tenant=tenant,
        kubeconfig=kubeconfig,
        snapshot=snapshot,
        database_url=connecting.required_database_url(database_url),
        quarantine_days=quarantine_days,
        known_free=known_free,
        confirm=confirm,
    )
    rebuilding_command.run(options)
