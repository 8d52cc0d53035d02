"""`callplane import`: an estate that is there already, as manifests that change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callplane.cli import connecting, output, plan_command, short_lived
from callplane.cli.connecting import DatabaseUrl, Kubeconfig
from callplane.cli.plan_command import MaskNumbers
from callplane.clock import SystemClock
from callplane.errors import CallplaneError

if TYPE_CHECKING:
    from callplane.desired.brownfield import Document, LeftOut
    from callplane.desired.spreadsheets import Target

#: Something was left out: a person has to look.
LEFT_OUT = 2


Connections = Annotated[
    list[str] | None,
    typer.Option(
        "--connection",
        metavar="[KIND/]NAMESPACE/NAME",
        help=(
            "Import only this one; may be repeated. Else everything that was observed. With --csv: "
            "what its rows are on."
        ),
    ),
]
WithConnections = Annotated[
    bool,
    typer.Option(
        "--with-connections",
        help="Write the connections too, as the cluster has them; never a Secret.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("import")(import_estate)


def import_estate(
    into: Annotated[
        Path, typer.Option("--into", metavar="FOLDER", help="Where to; no file is ever replaced.")
    ],
    snapshot: Annotated[
        Path | None,
        typer.Option("--from-snapshot", help="Import this file of callplane snapshot save."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    sheet: Annotated[
        Path | None, typer.Option("--csv", help="Import the rows of this spreadsheet (UTF-8).")
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            "--columns",
            metavar="FIELD=HEADER,…",
            help="Which column of the --csv each field is in, such as number=DDI.",
        ),
    ] = "",
    country: Annotated[
        str, typer.Option("--country", help="Read numbers of the --csv as dialled here, like GB.")
    ] = "",
    database_url: DatabaseUrl = None,
    tenant: Annotated[
        str,
        typer.Option(
            "--tenant", metavar="NAMESPACE/NAME", help="Short for --connection TeamsTenant/…"
        ),
    ] = "",
    connections: Connections = None,
    with_connections: WithConnections = False,
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace", "-n", help="Namespace of what is written; else beside each connection."
        ),
    ] = "",
    mask_numbers: MaskNumbers = False,
) -> None:
    """Write what tenants, organisations and carriers have as manifests that plan to nothing.

    Observations come from --from-snapshot, or live from the cluster of --kubeconfig; or people or
    numbers come from a spreadsheet, --csv. Exit codes: 0 all is stated, 2 something was left out,
    each with its reason, 1 error: nothing was written.
    """
    if sum(each is not None for each in (snapshot, kubeconfig, sheet)) != 1:
        raise CallplaneError(
            "name one of --from-snapshot, --kubeconfig and --csv: what to import from"
        )
    named = [*(connections or ()), *([f"TeamsTenant/{tenant}"] if tenant else ())]
    if sheet is not None:
        _import_sheet(sheet, into, columns, Spread(named, namespace, country))
        return
    from callplane.cli import importing

    with short_lived.without_collector():
        observations = plan_command.observed(snapshot, kubeconfig, database_url)
        wanted = importing.Wanted(into, named, namespace, with_connections)
        imported = importing.compute(observations, wanted, now=SystemClock().now())
        importing.write(into, imported.documents)
    for each in imported.left_out:
        typer.echo(_line(each, mask_numbers=mask_numbers))
    connecting.say(
        f"{into}: {_counted(imported.documents)} written; {imported.declared:,} declared before; "
        f"{len(imported.left_out):,} left out"
    )
    if imported.left_out:
        raise typer.Exit(LEFT_OUT)


@dataclass(frozen=True, slots=True)
class Spread:
    """What every row of a sheet has in common, as the options say it."""

    connections: Sequence[str]
    namespace: str
    country: str


def _import_sheet(sheet: Path, into: Path, columns: str, spread: Spread) -> None:
    from callplane.cli import spreadsheet_import
    from callplane.desired import spreadsheets
    from callplane.numbering import plan_table

    if spread.country and plan_table.plan_of(spread.country) is None:
        known = ", ".join(sorted(plan_table.PLANS))
        raise CallplaneError(f"--country {spread.country}: no number plan here; known are {known}")
    target = _target(spread)
    mapping = spreadsheets.Columns.parse(columns, target.kind)
    counts = spreadsheet_import.run(
        spreadsheet_import.Sheet(sheet, mapping, target, into),
        lambda refused: typer.echo(f"row {refused.row}: {'; '.join(refused.reasons)}"),
    )
    noun = "number" if target.kind.folder == "numbers" else "person/people"
    written = output.count(counts.written, noun)
    rows = output.count(counts.refused, "row")
    connecting.say(f"{into}: {written} written; {rows} refused")
    if counts.refused:
        raise typer.Exit(LEFT_OUT)


def _target(spread: Spread) -> Target:
    """The connection that rows are on, and with it what they are. Raises CallplaneError."""
    from callplane.desired import sheet_kinds, spreadsheets

    kinds = ", ".join(sheet_kinds.SHEETS)
    if len(spread.connections) != 1:
        raise CallplaneError(
            f"--csv needs one --connection KIND/NAMESPACE/NAME with a KIND of {kinds}, or --tenant "
            "NAMESPACE/NAME: where its rows are"
        )
    kind, _, place = spread.connections[0].partition("/")
    namespace, _, name = place.partition("/")
    sheet_kind = sheet_kinds.SHEETS.get(kind)
    if sheet_kind is None or not namespace or not name or "/" in name:
        option = "--tenant" if kind == "TeamsTenant" and "/" not in place else "--connection"
        shown = place if option == "--tenant" else spread.connections[0]
        wanted = "NAMESPACE/NAME" if option == "--tenant" else "KIND/NAMESPACE/NAME"
        raise CallplaneError(
            f"--csv needs {option} {wanted}, and {shown!r} is none; a KIND is one of {kinds}"
        )
    return spreadsheets.Target(
        spread.namespace or namespace, namespace, name, spread.country, sheet_kind
    )


_COUNTED = (
    (("TeamsUser", "WebexUser"), "person/people"),
    (("ServiceLine",), "service"),
    (("NumberRange",), "range"),
    (("PhoneNumber",), "single number"),
    (("TeamsTenant", "WebexOrganization", "Carrier"), "connection"),
)


def _counted(documents: Sequence[Document]) -> str:
    """`2 people, 1 service and 3 ranges`; people and ranges are always told."""
    kinds = Counter(each.body["kind"] for each in documents)
    counts = [(sum(kinds[kind] for kind in of), noun) for of, noun in _COUNTED]
    *first, last = [output.count(count, noun) for count, noun in counts if count or noun in _ALWAYS]
    return f"{', '.join(first)} and {last}"


_ALWAYS = frozenset({"person/people", "range"})


def _line(left_out: LeftOut, *, mask_numbers: bool) -> str:
    number = left_out.number
    shown = ""
    if number is not None:
        shown = f" ({number.masked if mask_numbers else number.text})"
    text = f"{left_out.subject}{shown}: {left_out.reason}"
    # Names come from the tenant: nothing in them may steer the terminal.
    return "".join(character if character.isprintable() else "?" for character in text)
