"""`callplane apply`: plan, server-side apply, wait until the operator is done."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callplane.cli import connecting, durations, output, plan_command, short_lived
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.plan_command import Format, MaskNumbers, SnapshotFile
from callplane.clock import SystemClock
from callplane.errors import CallplaneError

if TYPE_CHECKING:
    from callplane.cli.applying import Outcome, Patience
    from callplane.cli.manifests import Tree

TIMEOUT_MAX = timedelta(days=1)


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("apply")(apply)


def apply(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files and folders.")],
    kubeconfig: Annotated[Path, typer.Option("--kubeconfig", help="The cluster to apply to.")],
    snapshot: SnapshotFile = None,
    database_url: DatabaseUrl = None,
    no_plan: Annotated[
        bool, typer.Option("--no-plan", help="Show no plan: for those who may not read Secrets.")
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", help="How long to wait for the operator.")
    ] = "10m",
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take fields over from other managers.")
    ] = False,
    mask_numbers: MaskNumbers = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that name none.")
    ] = "default",
) -> None:
    """Plan, apply the manifests on the server's side, and wait until they are what they say.

    Nothing is written to a provider from here: the operator does that. Objects of other kinds
    (namespaces, Secrets) are passed over; apply them with kubectl.
    Exit codes: 0 everything is Ready, 3 held by the gate, 1 failed, refused or timed out.
    """
    from callplane.cli import plan_computing
    from callplane.cli.applying import Patience

    patience = durations.parse(timeout, option="--timeout", most=TIMEOUT_MAX)
    wanted = plan_computing.Wanted(paths, namespace)
    now = SystemClock().now()
    with short_lived.without_collector():
        observations = None
        if not no_plan:
            live = None if snapshot is not None else kubeconfig
            observations = plan_command.observed(snapshot, live, database_url)
        tree = plan_computing.read_valid(wanted, observations, now=now)
        if observations is not None:
            computed = plan_computing.compute(tree, observations, wanted)
            warning = plan_computing.age_warning(observations, now=now)
            text = plan_command.rendered(computed, Format.TEXT, warning, mask_numbers=mask_numbers)
            typer.echo(text)
    waiting = Patience(patience.total_seconds(), time.monotonic, asyncio.sleep, connecting.say)
    outcome = asyncio.run(_carry_out(kubeconfig, tree, waiting, force=force_conflicts))
    raise typer.Exit(ended(outcome))


async def _carry_out(kubeconfig: Path, tree: Tree, waiting: Patience, *, force: bool) -> Outcome:
    from callplane.cli import applying

    if tree.skipped:
        others = ", ".join(f"{count} {kind}" for kind, count in sorted(tree.skipped.items()))
        waiting.report(f"passed over, apply them with kubectl: {others}")
    async with connecting.cluster(kubeconfig) as client:
        keys = await applying.apply(client, tree.manifests, force=force, report=waiting.report)
        return await applying.wait(client, keys, waiting)


def ended(outcome: Outcome) -> int:
    """The exit code, with what stands in the way printed first."""
    from callplane.cli.applying import SHOWN
    from callplane.cli.rollouts import Standing

    for standing in (Standing.FAILED, Standing.IN_PROGRESS, Standing.HELD):
        found = outcome.having(standing)
        rows = [
            (str(key), standing.value, rollout.reason, rollout.message)
            for key, rollout in found[:SHOWN]
        ]
        for line in output.table(rows):
            typer.echo(line)
        if len(found) > SHOWN:
            typer.echo(f"… and {len(found) - SHOWN:,} more {standing.value}")
    if outcome.timed_out:
        raise CallplaneError("not everything is Ready in time; --timeout waits longer")
    if outcome.having(Standing.FAILED):
        return 1
    return plan_command.HELD if outcome.having(Standing.HELD) else 0
