"""`callplane plan --adopt-drift`: the change to the manifests that accepts what the systems show.

Files are edited where they differ and nowhere else, and what was edited is validated and planned
again: an edit that does not settle its difference, or that would change something for anybody else,
is refused. What comes out is a patch, or, with --write, the files themselves.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import typer

from callplane.apis.model import Resource
from callplane.cli import connecting, manifests, output, plan_computing, validating, yaml_editing
from callplane.cli.manifests import STANDARD_INPUT, File, Tree
from callplane.cli.yaml_editing import CannotEdit, Place
from callplane.engine import adoption
from callplane.engine.adoption import Adopted, Refused
from callplane.engine.observations import Observations
from callplane.errors import CallplaneError
from callplane.plan.document import Level, ObjectPlan, Plan
from callplane.values import ObjectKey

LEFT_OUT = 2
#: Each round refuses what the one before has shown to be wrong.
ROUNDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Ground:
    """What the plan stood on."""

    tree: Tree
    observations: Observations
    wanted: plan_computing.Wanted
    now: datetime


@dataclass(slots=True)
class Outcome:
    """The files with their edits, what each accepts, and what is not accepted."""

    files: dict[str, bytes] = field(default_factory=dict)
    adopted: tuple[Adopted, ...] = ()
    refused: list[Refused] = field(default_factory=list)
    declared: int = 0


def run(ground: Ground, plan: Plan, *, writes: bool) -> None:
    """Print the patch or write the files. Exit code 2 when something was not accepted."""
    outcome = compute(ground, plan)
    before = {file.name: file.content for file in _files(ground.tree)}
    if writes:
        for name, content in sorted(outcome.files.items()):
            _write(Path(name), content, expected=before[name])
    else:
        for name, content in sorted(outcome.files.items()):
            typer.echo(_patch(name, before[name], content), nl=False)
    _tell(outcome, writes=writes)
    if outcome.refused:
        raise typer.Exit(LEFT_OUT)


def compute(ground: Ground, plan: Plan) -> Outcome:
    """Nothing is written. What is refused says why."""
    proposals = adoption.propose(plan, _resources(ground))
    adopted, refused = list(proposals.adopted), list(proposals.refused)
    for _ in range(ROUNDS_MAX):
        files, unedited = _edited(ground.tree, adopted)
        wrong = unedited or _unsettled(ground, plan, files, adopted)
        if not wrong:
            return Outcome(files, tuple(adopted), refused, proposals.declared)
        refused += [Refused(each.drifted, each.says, reason) for each, reason in wrong]
        gone = {id(each) for each, _ in wrong}
        adopted = [each for each in adopted if id(each) not in gone]
    raise CallplaneError("the differences depend on one another: adopt them by hand, one by one")


def _resources(ground: Ground) -> Iterable[Resource]:
    yield from ground.tree.resources
    yield from plan_computing.context(ground.tree, ground.observations.objects)


def _files(tree: Tree) -> Iterable[File]:
    return {each.source.file.name: each.source.file for each in tree.manifests}.values()


def _edited(
    tree: Tree, adopted: Sequence[Adopted]
) -> tuple[dict[str, bytes], list[tuple[Adopted, str]]]:
    """The files with the edits, and what cannot be edited."""
    sources = {each.key: each.source for each in tree.manifests}
    contents = {file.name: file.content for file in _files(tree)}
    changed: dict[str, bytes] = {}
    unedited: list[tuple[Adopted, str]] = []
    done: set[tuple[ObjectKey, str]] = set()
    for each in adopted:
        source = sources.get(each.key)
        if source is None:
            unedited.append((each, f"{each.key} is not among the files of this plan"))
            continue
        if source.file.name in (STANDARD_INPUT, "<stdin>"):
            unedited.append((each, "it came from standard input, which is no file to edit"))
            continue
        name = source.file.name
        # A shared object is edited once, however many differences that accepts.
        edits = [edit for edit in each.edits if (each.key, str(edit)) not in done]
        try:
            content = changed.get(name, contents[name])
            place = Place(source.document, source.item)
            changed[name] = yaml_editing.edited(content, place, edits)
        except CannotEdit as cannot:
            unedited.append((each, f"{name} is not edited here: {cannot}"))
            continue
        done |= {(each.key, str(edit)) for edit in edits}
    return {name: text for name, text in changed.items() if text != contents[name]}, unedited


def _unsettled(
    ground: Ground, before: Plan, files: Mapping[str, bytes], adopted: Sequence[Adopted]
) -> list[tuple[Adopted, str]]:
    """What the edited manifests would not leave alone, with the reason."""
    if not adopted:
        return []
    tree = _tree(ground, files)
    problems = _of_rules(ground, tree)
    if not problems:
        after = plan_computing.compute(tree, ground.observations, ground.wanted)
        problems = _of_plan(before, after, {each.drifted for each in adopted})
    wrong = [
        (each, problems.get(each.drifted) or problems[each.key])
        for each in adopted
        if each.drifted in problems or each.key in problems
    ]
    if problems and not wrong:
        # Somebody else would be changed: whatever is shared is to blame.
        shared = [each for each in adopted if each.key != each.drifted] or list(adopted)
        key, reason = next(iter(sorted(problems.items())))
        wrong = [(each, f"{key} would not be left alone: {reason}") for each in shared]
    return wrong


def _tree(ground: Ground, files: Mapping[str, bytes]) -> Tree:
    found = [
        replace(file, content=files.get(file.name, file.content)) for file in _files(ground.tree)
    ]
    tree = manifests.of_files(found, namespace=ground.wanted.namespace)
    tree.namespace_labels.update(ground.tree.namespace_labels)
    return tree


def _of_rules(ground: Ground, tree: Tree) -> dict[ObjectKey, str]:
    """Errors that `validate` would find; there were none before."""
    found = validating.findings(
        tree,
        now=ground.now,
        namespace_labels=ground.observations.namespace_labels,
        context=[*plan_computing.context(tree, ground.observations.objects)],
    )
    problems: dict[ObjectKey, str] = {}
    for located in validating.errors(found):
        finding = located.finding
        key = ObjectKey(finding.kind, finding.namespace, finding.name)
        problems.setdefault(key, f"{finding.field_path}: {finding.message}")
    return problems


def _of_plan(before: Plan, after: Plan, drifted: set[ObjectKey]) -> dict[ObjectKey, str]:
    """Objects that still drift although they were adopted, and objects that are worse off."""
    known = {each.key: each for each in before.objects}
    problems: dict[ObjectKey, str] = {}
    for each in after.objects:
        reasons = _worse(known.get(each.key), each)
        if each.key in drifted and adoption.drift_of(each):
            reasons.append("it would still differ")
        if reasons:
            problems[each.key] = "; ".join(reasons)
    return problems


def _worse(before: ObjectPlan | None, after: ObjectPlan) -> list[str]:
    """What would be changed, or stand in the way, that did not before."""
    had = {each.change_id for each in before.changes} if before is not None else set()
    said = {note.message for note in before.notes} if before is not None else set()
    new = {each.change.operation.value for each in after.changes if each.change_id not in had}
    reasons = [f"applying it would change something: {', '.join(sorted(new))}"] if new else []
    return reasons + [
        note.message
        for note in after.notes
        if note.level is not Level.INFO and note.message not in said
    ]


# Telling and writing


def _patch(name: str, before: bytes, after: bytes) -> str:
    """A unified diff that `git apply` and `patch -p1` take, from the folder in which it is made."""
    path = os.path.relpath(name)
    lines = difflib.unified_diff(
        before.decode().splitlines(keepends=True),
        after.decode().splitlines(keepends=True),
        fromfile=f"a/{path}",
        tofile=f"b/{path}",
    )
    shown = []
    for line in lines:
        shown.append(line)
        if not line.endswith("\n"):
            shown.append("\n\\ No newline at end of file\n")
    return "".join(shown)


def _write(path: Path, content: bytes, *, expected: bytes) -> None:
    """Replace one file whole. Raises CallplaneError when somebody has changed it meanwhile."""
    try:
        if path.read_bytes() != expected:
            raise CallplaneError(f"{path}: was changed meanwhile, and is left as it is")
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}", suffix=".part"
        )
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, path.stat().st_mode & 0o777)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise CallplaneError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def _tell(outcome: Outcome, *, writes: bool) -> None:
    """To standard error, so that the patch can be piped."""
    verb = "written" if writes else "in the patch"
    for each in outcome.adopted:
        where = f" in {each.key}" if each.key != each.drifted else ""
        connecting.say(f"{each.drifted}: {each.says}{where}: {verb}")
    for left in outcome.refused:
        connecting.say(f"{left.drifted}: {left.says}: not adopted: {left.reason}")
    accepted = output.count(len(outcome.adopted), "difference")
    more = f", {len(outcome.refused):,} not" if outcome.refused else ""
    connecting.say(f"{accepted} adopted{more}")
    if outcome.declared:
        connecting.say(
            f"{output.count(outcome.declared, 'change')} that git asks for are no drift, and are "
            "left to the operator"
        )
