"""`callplane numbers coverage`: where help would be sent to for each number in use, with an exit
code that a pipeline can stop at.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from callplane.cli import connecting, manifests, output, plan_command
from callplane.cli.connecting import DatabaseUrl, Kubeconfig
from callplane.cli.plan_command import SnapshotFile
from callplane.errors import CallplaneError
from callplane.settings import PREFIX, OperatorSettings
from callplane.values import ObjectKey

if TYPE_CHECKING:
    from callplane.apis.model import Resource
    from callplane.engine.observations import Observations
    from callplane.engine.recorded_carrier import CarrierSkills

FAILED = 2


class CoverageFormat(StrEnum):
    """How the report is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


class FailOn(StrEnum):
    """What a pipeline stops at: a state of one number."""

    MISSING = "missing"
    DIFFERENT = "different"
    UNSEEN = "unseen"
    BY_HAND = "byHand"
    UNDECLARED = "undeclared"


def register(group: typer.Typer) -> None:
    """Add the verb to the verbs of the number register."""
    group.command("coverage")(coverage)


def coverage(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]…", help="Manifests that count before the cluster's."),
    ] = None,
    snapshot: SnapshotFile = None,
    kubeconfig: Kubeconfig = None,
    database_url: DatabaseUrl = None,
    output_format: Annotated[
        CoverageFormat, typer.Option("--format", help="How to print it.")
    ] = CoverageFormat.TEXT,
    fail_on: Annotated[
        list[FailOn] | None,
        typer.Option("--fail-on", help="End with 2 when a number is so. May be repeated."),
    ] = None,
    show_numbers: Annotated[
        bool,
        typer.Option("--show-numbers", help=f"Full numbers; so does {PREFIX}SHOW_NUMBERS=true."),
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Every row of what is not accepted, also in text.")
    ] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that name none.")
    ] = "default",
) -> None:
    """Tell for every number in use whether the systems know where help is to be sent to.

    Observations come from --snapshot, or live from the cluster of --kubeconfig. Exit codes: 0; 2
    when a number is in a state of --fail-on; 1 on an error.
    """
    from callplane.cli import coverage_rendering
    from callplane.engine import emergency_coverage

    observations = plan_command.observed(snapshot, kubeconfig, database_url)
    resources = list(_resources(paths or (), namespace, observations))
    skills = asyncio.run(_skills(resources))
    report = emergency_coverage.report(observations, resources, skills)
    show = show_numbers or OperatorSettings.from_environment(os.environ).show_numbers
    match output_format:
        case CoverageFormat.TEXT:
            text = coverage_rendering.as_text(report, show=show, show_all=show_all)
        case CoverageFormat.JSON:
            text = coverage_rendering.as_json(report, show=show)
        case CoverageFormat.CSV:
            text = coverage_rendering.as_csv(report, show=show)
    typer.echo(text, nl=False)
    for remark in report.remarks:
        connecting.say(remark)
    wanted = {each.value.lower() for each in fail_on or ()}
    failing = [each for each in report.numbers if each.state.value.lower() in wanted]
    if failing:
        states = ", ".join(sorted({each.state.value for each in failing}))
        connecting.say(f"--fail-on: {output.count(len(failing), 'number')} ({states})")
        raise typer.Exit(FAILED)


async def _skills(resources: Iterable[Resource]) -> Mapping[ObjectKey, CarrierSkills]:
    """What each Carrier can do; one of which no provider can be made is left out."""
    from callplane.apis.carriers import Carrier
    from callplane.wiring.judging import carrier_skills

    found = {}
    for each in resources:
        if isinstance(each, Carrier):
            with contextlib.suppress(CallplaneError):
                key = ObjectKey(each.kind, each.namespace, each.name)
                found[key] = await carrier_skills(each.spec)
    return found


def _resources(
    paths: Sequence[str], namespace: str, observations: Observations
) -> Iterable[Resource]:
    """The manifests, and what only the cluster has."""
    from callplane.apis.parsing import parse_lenient
    from callplane.engine.observations import key_of

    stated: set[ObjectKey] = set()
    if paths:
        tree = manifests.read(paths, namespace=namespace)
        stated = {each.key for each in tree.manifests}
        yield from tree.resources
    for body in observations.objects:
        if key_of(body) not in stated:
            resource = parse_lenient(body).resource
            if resource is not None:
                yield resource
