"""`callplane plan`: what would happen, before it does; `callplane plan show`: what is held.

The plan is computed once and printed as text, Markdown or JSON from the same value.
"""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from callplane.cli import connecting, output, short_lived
from callplane.cli.connecting import DatabaseUrl, Kubeconfig
from callplane.clock import SystemClock
from callplane.errors import CallplaneError

if TYPE_CHECKING:
    from callplane.cli.manifests import Tree
    from callplane.cli.plan_computing import Wanted
    from callplane.engine.observations import Observations
    from callplane.plan.document import Plan

CHANGES = 2
HELD = 3
SHOW = "show"


class Format(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print it.")]
SnapshotFile = Annotated[
    Path | None,
    typer.Option("--snapshot", help="Plan on this file of callplane snapshot save."),
]
MaskNumbers = Annotated[
    bool, typer.Option("--mask-numbers", help="Show only the ends of telephone numbers.")
]
BaseRevision = Annotated[
    str,
    typer.Option(
        "--base", metavar="REV", help="Plan the deletion of what git has at REV and is gone now."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("plan")(plan)


def plan(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH… | show DIGEST",
            help="Files and folders of manifests; or show and the digest of a held batch.",
        ),
    ],
    snapshot: SnapshotFile = None,
    kubeconfig: Kubeconfig = None,
    database_url: DatabaseUrl = None,
    base: BaseRevision = "",
    approval: Annotated[
        Path | None,
        typer.Option("--approval", help="Write the ChangeApproval for the gated changes here."),
    ] = None,
    approved_by: Annotated[
        str, typer.Option("--approved-by", help="Who approves; else git's user.email.")
    ] = "",
    expires: Annotated[
        str, typer.Option("--expires", help="How long the approval counts, such as 24h or 7d.")
    ] = "24h",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    output_format: FormatOption = Format.TEXT,
    mask_numbers: MaskNumbers = False,
    adopt_drift: Annotated[
        bool,
        typer.Option(
            "--adopt-drift", help="Print the patch of the manifests that accepts what is there."
        ),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="With --adopt-drift: edit the files instead.")
    ] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that name none.")
    ] = "default",
) -> None:
    """Show what applying manifests would change. No system and no cluster is written.

    Observations come from --snapshot, or live from the cluster of --kubeconfig.
    Exit codes: 0 nothing to do, 2 changes, 3 changes that the gate would hold, 1 error.
    """
    if paths[0] == SHOW and len(paths) > 1:
        from callplane.cli import held_plans

        held_plans.show(paths[1:], kubeconfig, database_url, output_format, mask_numbers)
        return
    from callplane.cli import approval_writing, plan_computing

    if write and not adopt_drift:
        raise CallplaneError("--write goes with --adopt-drift: a plan itself writes nothing")
    approval_ends_after = approval_writing.lifetime(expires)
    now = SystemClock().now()
    wanted = plan_computing.Wanted(paths, namespace, base)
    with short_lived.without_collector():
        observations = observed(snapshot, kubeconfig, database_url)
        tree = plan_computing.read_valid(wanted, observations, now=now)
        computed = plan_computing.compute(tree, observations, wanted)
        if adopt_drift:
            _adopt(computed, tree, observations, wanted, writes=write)
            return
        warning = plan_computing.age_warning(observations, now=now)
        text = rendered(computed, output_format, warning, mask_numbers=mask_numbers)
    typer.echo(text, nl=False)
    if approval is not None:
        approver, ends_at = _approver(approved_by, paths), now + approval_ends_after
        answer = approval_writing.Approval(approver, ends_at, reason)
        approval_writing.write(approval, computed, answer)
    raise typer.Exit(exit_code(computed))


def _adopt(
    computed: Plan, tree: Tree, observations: Observations, wanted: Wanted, *, writes: bool
) -> None:
    from callplane.cli import adopting

    ground = adopting.Ground(tree, observations, wanted, SystemClock().now())
    adopting.run(ground, computed, writes=writes)


def observed(
    snapshot: Path | None, kubeconfig: Path | None, database_url: str | None
) -> Observations:
    """Observations from a file, or live."""
    if snapshot is not None and kubeconfig is not None:
        raise CallplaneError("name either --snapshot or --kubeconfig: one plan, one observation")
    if snapshot is not None:
        from callplane.engine import snapshot_files

        return snapshot_files.load(snapshot)
    if kubeconfig is None:
        raise CallplaneError(
            "say what to plan on: --snapshot FILE (made by callplane snapshot save), or "
            "--kubeconfig FILE to observe now"
        )
    database = connecting.database_url(database_url)
    return asyncio.run(connecting.observe_cluster(kubeconfig, database=database))


def rendered(computed: Plan, output_format: Format, age_warning: str, *, mask_numbers: bool) -> str:
    """The plan in one of its forms; its content hash is the same with and without masks."""
    from callplane.plan import document, rendering

    content_hash = computed.content_hash
    shown = document.masked(computed) if mask_numbers else computed
    match output_format:
        case Format.TEXT:
            text = rendering.text(shown, content_hash=content_hash, age_warning=age_warning)
            return output.for_terminal(text)
        case Format.MARKDOWN:
            return rendering.markdown(shown, content_hash=content_hash, age_warning=age_warning)
        case Format.JSON:
            content = document.to_json(shown, content_hash=content_hash)
            return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def exit_code(computed: Plan) -> int:
    """3 held, 2 something to do, 0 nothing."""
    if computed.is_held:
        return HELD
    return 0 if computed.is_settled else CHANGES


def _approver(given: str, paths: list[str]) -> str:
    from callplane.cli import git_history

    approver = given
    if not approver:
        first = Path(paths[0])
        approver = git_history.identity(first if first.is_dir() else first.parent)
    if not approver:
        raise CallplaneError("say who approves with --approved-by: git knows no user.email here")
    return approver
