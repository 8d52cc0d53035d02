"""From folders and observations to a plan: what `plan` prints and `apply` starts with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import typer

from callplane.apis.model import Resource
from callplane.apis.parsing import parse_lenient
from callplane.cli import git_history, manifests, output, validating
from callplane.cli.manifests import Tree
from callplane.engine import planning
from callplane.engine.observations import Body, Observations, key_of
from callplane.engine.planning_world import Declared
from callplane.errors import CallplaneError
from callplane.plan.document import Plan
from callplane.wiring.judging import carrier_skills, judge

STALE_AFTER = timedelta(hours=1)


class InvalidTree(CallplaneError):
    """The manifests have errors, which have been printed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to plan: folders, the namespace of objects that name none, the revision before."""

    paths: Sequence[str]
    namespace: str
    base: str = ""


def read_valid(wanted: Wanted, observations: Observations | None, *, now: datetime) -> Tree:
    """The tree, checked together with what the cluster has. Errors are printed and raised."""
    tree = manifests.read(wanted.paths, namespace=wanted.namespace)
    known = list(context(tree, observations.objects if observations is not None else ()))
    labels = observations.namespace_labels if observations is not None else {}
    found = validating.findings(tree, now=now, namespace_labels=labels, context=known)
    errors = validating.errors(found)
    for located in errors:
        typer.echo(output.finding_line(located), err=True)
    if errors:
        raise InvalidTree(f"{output.count(len(errors), 'error')} in the manifests: nothing planned")
    return tree


def context(tree: Tree, bodies: Iterable[Body]) -> Iterable[Resource]:
    """Objects that only the cluster has; the tree may refer to them."""
    stated = {each.key for each in tree.manifests}
    for body in bodies:
        if key_of(body) not in stated:
            resource = parse_lenient(body).resource
            if resource is not None:
                yield resource


def compute(tree: Tree, observations: Observations, wanted: Wanted) -> Plan:
    """The plan of a valid tree."""
    inputs = planning.PlanInputs(
        observations=observations,
        declared=[
            Declared(each.key, each.body, each.parsed.resource, each.source.file.name)
            for each in tree.manifests
        ],
        judge=judge,
        skills=carrier_skills,
        removed=removed(tree, wanted) if wanted.base else (),
        base=wanted.base,
        namespace_labels=tree.namespace_labels,
    )
    return asyncio.run(planning.compute(inputs))


def removed(tree: Tree, wanted: Wanted) -> list[Declared]:
    """Objects that the base revision had and the tree has not. What could not be read there
    declared nothing.
    """
    paths = [path for path in wanted.paths if path != manifests.STANDARD_INPUT]
    files = git_history.changed_files(paths, revision=wanted.base)
    before = manifests.of_files(files, namespace=wanted.namespace)
    stated = {each.key for each in tree.manifests}
    return [
        Declared(each.key, each.body, each.parsed.resource, each.source.file.name)
        for each in before.manifests
        if each.key not in stated and each.parsed.resource is not None
    ]


def age_warning(observations: Observations, *, now: datetime) -> str:
    """A line for observations older than an hour; empty for younger ones."""
    age = now - observations.taken_at
    if age <= STALE_AFTER:
        return ""
    hours = int(age / timedelta(hours=1))
    shown = output.count(hours, "hour") if hours < 48 else output.count(hours // 24, "day")
    return (
        f"These observations are {shown} old, and much may have changed since: renew them with "
        "callplane snapshot save"
    )
