"""From observations to a folder that plans to nothing: what `import` does with a snapshot.

What was drafted is checked by the very steps of `validate` and `plan` before a byte is written. An
object that they would not leave alone is left out with their reason.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from callplane.apis.model import Resource
from callplane.apis.parsing import parse_lenient
from callplane.cli import import_sources, manifests, output, validating
from callplane.cli.manifests import File, Located, Tree
from callplane.desired import brownfield
from callplane.desired.brownfield import (
    Document,
    LeftOut,
)
from callplane.engine import planning
from callplane.engine.observations import (
    Observations,
    key_of,
)
from callplane.engine.planning_world import Declared
from callplane.errors import CallplaneError
from callplane.plan.document import Level, ObjectPlan
from callplane.values import ObjectKey
from callplane.wiring.judging import carrier_skills, judge

#: How many places of one kind an error names before it only counts them.
NAMED_MAX = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """The folder of the import; the connections as NAMESPACE/NAME or KIND/NAMESPACE/NAME (none:
    all that were observed); the namespace of what is written (empty: beside each connection); and
    whether connections that only the cluster declares are written as well.
    """

    into: Path
    connections: Sequence[str] = ()
    namespace: str = ""
    with_connections: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What is to be written, and what is not, with its reason."""

    documents: tuple[Document, ...]
    left_out: tuple[LeftOut, ...]
    declared: int


def compute(observations: Observations, wanted: Wanted, *, now: datetime) -> Imported:
    """Nothing is written. Raises CallplaneError where there is nothing to stand on."""
    existing = tuple(manifests.files([str(wanted.into)])) if wanted.into.is_dir() else ()
    tree = manifests.of_files(existing, namespace="default")
    known = [*tree.resources, *_of_cluster(tree, observations)]
    chosen = import_sources.chosen(observations, wanted.connections)
    labels = {**observations.namespace_labels, **tree.namespace_labels}
    place = brownfield.Place(wanted.namespace, known, labels)
    estate = asyncio.run(import_sources.estate(chosen, place, wanted.into))
    drafted = brownfield.draft(estate)
    connections: tuple[Document, ...] = ()
    if wanted.with_connections:
        connections = tuple(import_sources.connections(estate, tree, observations))
    checked = _Check(observations, existing, now)
    _refuse_broken(checked.findings(()), wanted.into)
    documents, left_out = checked.by_rules((*connections, *drafted.documents))
    documents, unsettled = checked.by_plan(documents)
    if left_out or unsettled:
        # What is left has to stand without what was taken away.
        _refuse_broken(checked.findings(documents), wanted.into)
    return Imported(documents, (*drafted.left_out, *left_out, *unsettled), drafted.declared)


def _refuse_broken(found: Sequence[Located], folder: Path) -> None:
    wrong = [str(each) for each in validating.errors([*found])]
    if wrong:
        raise CallplaneError(
            f"{folder} would hold manifests with errors, and nothing can be planned on them: "
            f"{_shown(wrong)}"
        )


def _of_cluster(tree: Tree, observations: Observations) -> Iterator[Resource]:
    stated = {each.key for each in tree.manifests}
    for body in observations.objects:
        if key_of(body) not in stated:
            resource = parse_lenient(body).resource
            if resource is not None:
                yield resource


class _Check:
    """`validate` and `plan` over what is there and what is drafted."""

    def __init__(self, observations: Observations, existing: Sequence[File], now: datetime) -> None:
        self._observations = observations
        self._existing = existing
        self._now = now

    def findings(self, documents: Sequence[Document]) -> list[Located]:
        """Everything that `validate` would say of the folder."""
        tree = self._tree(documents)
        return validating.findings(
            tree,
            now=self._now,
            namespace_labels=self._observations.namespace_labels,
            context=[*_of_cluster(tree, self._observations)],
        )

    def by_rules(
        self, documents: Sequence[Document]
    ) -> tuple[tuple[Document, ...], tuple[LeftOut, ...]]:
        """Without what `validate` would find an error in."""
        reasons: dict[ObjectKey, str] = {}
        for each in validating.errors(self.findings(documents)):
            finding = each.finding
            key = ObjectKey(finding.kind, finding.namespace, finding.name)
            text = f"{finding.field_path}: {finding.message}" if finding.field_path else ""
            reasons.setdefault(key, text or finding.message)
        return _without(documents, reasons)

    def by_plan(
        self, documents: Sequence[Document]
    ) -> tuple[tuple[Document, ...], tuple[LeftOut, ...]]:
        """Without what `plan` would change, or wait or stall for."""
        tree = self._tree(documents)
        inputs = planning.PlanInputs(
            observations=self._observations,
            declared=[
                Declared(each.key, each.body, each.parsed.resource, each.source.file.name)
                for each in tree.manifests
            ],
            judge=judge,
            skills=carrier_skills,
            namespace_labels=tree.namespace_labels,
        )
        plan = asyncio.run(planning.compute(inputs))
        reasons = {
            each.key: _why_unsettled(each)
            for each in plan.objects
            if each.has_changes or each.is_blocked or each.is_waiting
        }
        return _without(documents, reasons)

    def _tree(self, documents: Iterable[Document]) -> Tree:
        drafted = (File(each.path, rendered(each)) for each in documents)
        return manifests.of_files((*self._existing, *drafted), namespace="default")


def _without(
    documents: Iterable[Document], reasons: Mapping[ObjectKey, str]
) -> tuple[tuple[Document, ...], tuple[LeftOut, ...]]:
    kept, left_out = [], []
    for each in documents:
        reason = reasons.get(each.key)
        if reason is None:
            kept.append(each)
        else:
            spec = each.body["spec"]
            subject = spec.get("userPrincipalName") or spec.get("email") or str(each.key)
            left_out.append(LeftOut(subject, reason))
    return tuple(kept), tuple(left_out)


def _why_unsettled(each: ObjectPlan) -> str:
    notes = [note.message for note in each.notes if note.level is not Level.INFO]
    changes = sorted({planned.change.operation.value for planned in each.changes})
    if changes:
        notes.append(f"applying it would change something: {', '.join(changes)}")
    return "; ".join(notes)


# Writing


def rendered(document: Document) -> bytes:
    """The manifest as a file: the same bytes for the same manifest."""
    text: Any = yaml.dump(
        document.body, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True
    )
    return str(text).encode()


def write(folder: Path, documents: Sequence[Document]) -> None:
    """Write every file, or none: nothing that exists is replaced. Raises CallplaneError."""
    there = [str(folder / each.path) for each in documents if os.path.lexists(folder / each.path)]
    if there:
        raise CallplaneError(
            f"nothing was written, for {output.count(len(there), 'file')} would be replaced: "
            f"{_shown(there)}; move them away, or import into another folder"
        )
    made: list[Path] = []
    try:
        for each in documents:
            path = folder / each.path
            make_folder(path.parent, made)
            with path.open("xb") as file:
                made.append(path)
                file.write(rendered(each))
    except BaseException as error:
        take_away(made)
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            raise CallplaneError(f"{error.filename or folder}: {reason}; nothing is left") from None
        raise


def make_folder(folder: Path, made: list[Path]) -> None:
    """Make a folder with those above it, and remember in `made` which were not there."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir()
        made.append(each)


def take_away(made: Sequence[Path]) -> None:
    """Undo what was made, the youngest first. What others have put there meanwhile stays."""
    for path in reversed(made):
        with suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()


def _shown(places: Sequence[str]) -> str:
    more = f" and {len(places) - NAMED_MAX} more" if len(places) > NAMED_MAX else ""
    return ", ".join(places[:NAMED_MAX]) + more
