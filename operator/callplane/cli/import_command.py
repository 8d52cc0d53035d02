"""`callplane import`: an estate that is there already, as manifests that change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callplane.cli import connecting, output, plan_command, short_lived
from callplane.cli.connecting import DatabaseUrl, Kubeconfig
from callplane.cli.plan_command import MaskNumbers
from callplane.clock import SystemClock
from callplane.errors import CallplaneError

if TYPE_CHECKING:
    from callplane.desired.brownfield import LeftOut

#: Something was left out: a person has to look.
LEFT_OUT = 2


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
    database_url: DatabaseUrl = None,
    tenant: Annotated[
        str,
        typer.Option(
            "--tenant", metavar="NAMESPACE/NAME", help="Which TeamsTenant, where there are several."
        ),
    ] = "",
    namespace: Annotated[
        str,
        typer.Option("--namespace", "-n", help="Namespace of what is written; else the tenant's."),
    ] = "",
    mask_numbers: MaskNumbers = False,
) -> None:
    """Write what a Teams tenant has as manifests that plan to nothing. Nothing else is written.

    Observations come from --from-snapshot, or live from the cluster of --kubeconfig. Exit codes: 0
    all is stated, 2 something was left out, each with its reason, 1 error: nothing was written.
    """
    from callplane.cli import importing

    if (snapshot is None) == (kubeconfig is None):
        raise CallplaneError("name either --from-snapshot or --kubeconfig: what to import from")
    with short_lived.without_collector():
        observations = plan_command.observed(snapshot, kubeconfig, database_url)
        wanted = importing.Wanted(into, tenant, namespace)
        imported = importing.compute(observations, wanted, now=SystemClock().now())
        importing.write(into, imported.documents)
    for each in imported.left_out:
        typer.echo(_line(each, mask_numbers=mask_numbers))
    kinds = [each.body["kind"] for each in imported.documents]
    people = output.count(kinds.count("TeamsUser"), "person/people")
    ranges = output.count(kinds.count("NumberRange"), "range")
    connecting.say(
        f"{into}: {people} and {ranges} written; {imported.declared:,} declared before; "
        f"{len(imported.left_out):,} left out"
    )
    if imported.left_out:
        raise typer.Exit(LEFT_OUT)


def _line(left_out: LeftOut, *, mask_numbers: bool) -> str:
    number = left_out.number
    if number is None:
        return f"{left_out.subject}: {left_out.reason}"
    shown = number.masked if mask_numbers else number.text
    return f"{left_out.subject} ({shown}): {left_out.reason}"
