"""YAML as the Kubernetes API reads it, and where in a file a field stands.

Parsing uses libyaml's loader, which is ten times faster than the one in Python and keeps no lines.
Lines are found afterwards, by composing again only the files in which something was found.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_TIMESTAMP_TAG = "tag:yaml.org,2002:timestamp"
_MERGE_TAG = "tag:yaml.org,2002:merge"
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


class YamlProblem(Exception):
    """Text that is no YAML; `line` counts from 1. The message holds none of the file's content."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class _Loader(yaml.CSafeLoader):
    """Dates stay text, as in the JSON that the API server gets; repeated keys are noticed."""

    # libyaml's parser is given the whole text at once, so one document may set this for the file.
    has_repeated_keys = False

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            self.has_repeated_keys = True
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP_TAG]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class RepeatedKey:
    """A key that one mapping has twice; `line` is the second one's."""

    key: str
    line: int


def documents(content: bytes) -> tuple[list[Any], list[RepeatedKey]]:
    """Every document of a file, empty ones as None, and the keys that are written twice.

    Raises YamlProblem.
    """
    try:
        loader: Any = _Loader(content)
        try:
            found = []
            while loader.check_data():
                found.append(loader.get_data())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _problem(error) from None
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise YamlProblem(1, f"cannot be read as YAML: {type(error).__name__}") from None
    repeated = list(_repeated_keys(content)) if loader.has_repeated_keys else []
    return found, repeated


def _problem(error: yaml.YAMLError) -> YamlProblem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        message = error.problem or error.context or "cannot be read as YAML"
        return YamlProblem(mark.line + 1 if mark is not None else 1, message)
    return YamlProblem(1, "is not text in UTF-8, or holds characters that YAML does not allow")


def _repeated_keys(content: bytes) -> Iterator[RepeatedKey]:
    """Keys merged in by `<<` may be written again: that is what merging is for."""
    for root in yaml.compose_all(content, Loader=yaml.CSafeLoader):
        for mapping in _mappings(root):
            seen: set[str] = set()
            for key, _ in mapping.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE_TAG:
                    continue
                if key.value in seen:
                    yield RepeatedKey(key.value, key.start_mark.line + 1)
                seen.add(key.value)


def _mappings(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    waiting = [root]
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


class Positions:
    """Lines of the fields of one file."""

    def __init__(self, content: bytes) -> None:
        try:
            self._roots = list(yaml.compose_all(content, Loader=yaml.CSafeLoader))
        except yaml.YAMLError:
            self._roots = []

    def line(self, document: int, item: int | None, field_path: str) -> int:
        """The line of a field, counted from 1; of the nearest one above it where it is missing.

        `item` is the position in a List, None for a document that is an object itself.
        """
        if document >= len(self._roots):
            return 1
        node: yaml.Node | None = self._roots[document]
        line = _line(node)
        steps = f"items[{item}].{field_path}" if item is not None else field_path
        for index, name in _STEP.findall(steps):
            found = _entry(node, int(index)) if index else _field(node, name)
            if found is None:
                break
            line, node = found
        return line


def _line(node: yaml.Node | None) -> int:
    return node.start_mark.line + 1 if node is not None else 1


def _entry(node: yaml.Node | None, index: int) -> tuple[int, yaml.Node] | None:
    if not isinstance(node, yaml.SequenceNode) or index >= len(node.value):
        return None
    entry = node.value[index]
    return _line(entry), entry


def _field(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value == name:
            return _line(key), value
    return None


def is_object(document: Any) -> bool:
    """Does a document look like an object of the Kubernetes API?"""
    return isinstance(document, Mapping) and "apiVersion" in document and "kind" in document
