"""Reads the manifests of a folder: every object with the file and line it stands in.

Called by `validate`, `plan`, `apply` and `snapshot save`. Objects of other kinds are counted and
let go at once; a Secret's content is never kept, printed or used.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.apis import registry
from callplane.apis.model import API_VERSION, GROUP, Resource
from callplane.apis.parsing import Parsed, parse_strict
from callplane.cli import yaml_documents
from callplane.cli.yaml_documents import Positions, YamlProblem
from callplane.errors import CallplaneError
from callplane.rules import findings as rule_findings
from callplane.rules.findings import Finding
from callplane.values import ObjectKey

YAML_RULE = "yaml"
DUPLICATE_RULE = "declared-twice"
STANDARD_INPUT = "-"
SUFFIXES = (".yaml", ".yml", ".json")
# Kustomize's own file is no manifest, whatever a folder holds beside it.
KUSTOMIZATION_NAMES = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


class NoManifests(CallplaneError):
    """Nothing to read: a mistyped path must not look like a clean tree."""


@dataclass(frozen=True, slots=True)
class File:
    """One file's text; `name` is how people are told of it."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object stands: file, document within it, and position in it if that is a List."""

    file: File
    document: int
    item: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of ours as it was written. `body` is what `kubectl apply` would send."""

    parsed: Parsed
    body: dict[str, Any]
    source: Source

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.parsed.kind, self.parsed.namespace, self.parsed.name)


@dataclass(frozen=True, slots=True)
class Located:
    """A finding with its place. Sorts as people read: file by file, line by line."""

    file: str
    line: int
    finding: Finding

    @property
    def sort_key(self) -> tuple[str, int, tuple[str, ...]]:
        return self.file, self.line, self.finding.sort_key

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.finding}"


@dataclass(slots=True)
class Tree:
    """Everything that was read. `broken` are the findings of reading itself, with their places."""

    manifests: list[Manifest] = field(default_factory=list)
    broken: list[Located] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    namespace_labels: dict[str, dict[str, str]] = field(default_factory=dict)
    files: int = 0

    @property
    def resources(self) -> list[Resource]:
        """The objects that can be read, in the order in which they were found."""
        return [each.parsed.resource for each in self.manifests if each.parsed.resource is not None]


def read(paths: Sequence[str], *, namespace: str) -> Tree:
    """Read files and folders. Raises NoManifests when there is nothing of ours in them.

    `namespace` is given to objects that name none.
    """
    tree = of_files(files(paths), namespace=namespace)
    if not tree.manifests and not tree.broken:
        shown = ", ".join(paths)
        if not tree.files:
            raise NoManifests(f"{shown}: no YAML files here")
        others = f", only {_counted(tree.skipped)}" if tree.skipped else ""
        raise NoManifests(f"{shown}: no objects of {GROUP} in {tree.files} files{others}")
    return tree


def of_files(found: Iterable[File], *, namespace: str) -> Tree:
    """Read texts that came from anywhere."""
    tree = Tree()
    for file in found:
        tree.files += 1
        _read_file(tree, file, namespace)
    _refuse_duplicates(tree)
    return tree


def files(paths: Sequence[str]) -> Iterator[File]:
    """The manifest files below the paths, sorted within each, none of them twice."""
    seen: set[str] = set()
    for path in paths:
        if path == STANDARD_INPUT:
            yield File("<stdin>", sys.stdin.buffer.read())
            continue
        for name in _below(path) if os.path.isdir(path) else (path,):
            # One folder holds no file twice; resolving ten thousand names would take its time.
            real = os.path.realpath(name) if len(paths) > 1 else name
            if real not in seen:
                seen.add(real)
                yield _file(name)


def _file(name: str) -> File:
    try:
        with open(name, "rb") as file:
            return File(name, file.read())
    except OSError as error:
        raise CallplaneError(f"{name}: {(error.strerror or str(error)).lower()}") from None


def _below(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if is_manifest_name(name):
                yield os.path.join(parent, name)


def is_manifest_name(name: str) -> bool:
    """May a file of this name hold manifests?"""
    return name.endswith(SUFFIXES) and name not in KUSTOMIZATION_NAMES and not name.startswith(".")


def _read_file(tree: Tree, file: File, namespace: str) -> None:
    try:
        documents, repeated = yaml_documents.documents(file.content)
    except YamlProblem as problem:
        tree.broken.append(_of_file(file, problem.line, problem.message))
        return
    for key in repeated:
        tree.broken.append(_of_file(file, key.line, f"{key.key} is written twice in one mapping"))
    for position, document in enumerate(documents):
        if document is None:
            continue
        if isinstance(document, Mapping) and str(document.get("kind", "")).endswith("List"):
            items = document.get("items")
            if isinstance(items, list):
                for index, item in enumerate(items):
                    _take(tree, item, Source(file, position, index), namespace)
                continue
        _take(tree, document, Source(file, position, None), namespace)


def _of_file(file: File, line: int, message: str) -> Located:
    return Located(file.name, line, Finding(YAML_RULE, "YAML", "", "", "", message))


def _take(tree: Tree, document: Any, source: Source, namespace: str) -> None:
    if not isinstance(document, dict) or not _is_ours(document):
        tree.skipped[_kind_of(document)] += 1
        _take_namespace(tree, document)
        return
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("namespace"):
        metadata["namespace"] = namespace
    tree.manifests.append(Manifest(parse_strict(document), document, source))


def _is_ours(document: Mapping[str, Any]) -> bool:
    version = document.get("apiVersion")
    if not version:
        return document.get("kind") in registry.BY_NAME
    return version == API_VERSION or str(version).startswith(f"{GROUP}/")


def _kind_of(document: Any) -> str:
    if yaml_documents.is_object(document):
        return str(document["kind"])
    return "no object"


def _take_namespace(tree: Tree, document: Any) -> None:
    """Labels of namespaces decide consent, so these are read although the kind is not ours."""
    if not (yaml_documents.is_object(document) and document["kind"] == "Namespace"):
        return
    metadata = document.get("metadata")
    if document["apiVersion"] != "v1" or not isinstance(metadata, Mapping):
        return
    labels = metadata.get("labels")
    tree.namespace_labels[str(metadata.get("name"))] = {
        str(key): str(value)
        for key, value in (labels.items() if isinstance(labels, Mapping) else ())
    }


def _refuse_duplicates(tree: Tree) -> None:
    """The first declaration counts; each later one is a finding and is left out."""
    known: dict[ObjectKey, Manifest] = {}
    kept: list[Manifest] = []
    for manifest in tree.manifests:
        key = manifest.key
        first = known.get(key)
        if first is None or not key.name:
            known[key] = manifest
            kept.append(manifest)
            continue
        where = f"{first.source.file.name}:{_line_of(first.source, 'metadata.name')}"
        finding = Finding(
            DUPLICATE_RULE,
            key.kind,
            key.namespace,
            key.name,
            "metadata.name",
            f"is declared at {where} too",
        )
        tree.broken.append(locate(finding, manifest.source))
    tree.manifests = kept


def _line_of(source: Source, field_path: str) -> int:
    return Positions(source.file.content).line(source.document, source.item, field_path)


def locate(finding: Finding, source: Source) -> Located:
    """A finding of one object with its file and line."""
    return Located(source.file.name, _line_of(source, finding.field_path), finding)


def locate_all(tree: Tree, found: Iterable[Finding]) -> list[Located]:
    """Findings of the rules with their places. Each file is composed once."""
    sources = {each.key: each.source for each in tree.manifests}
    positions: dict[str, Positions] = {}
    located = []
    for finding in found:
        source = sources[ObjectKey(finding.kind, finding.namespace, finding.name)]
        name = source.file.name
        if name not in positions:
            positions[name] = Positions(source.file.content)
        line = positions[name].line(source.document, source.item, finding.field_path)
        located.append(Located(name, line, finding))
    return located


def of_schema(tree: Tree) -> Iterator[Finding]:
    """What reading the fields of each object found."""
    for manifest in tree.manifests:
        yield from rule_findings.of_parsing(manifest.parsed)


def _counted(skipped: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(skipped.items()))
