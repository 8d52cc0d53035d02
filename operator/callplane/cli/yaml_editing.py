"""Edits of YAML that leave every other byte of the file as it is: comments, order, quotes, spaces.

Called by `adopting`. A library that reads a file and writes it anew (ruamel.yaml was tried) changes
lines that nobody asked for, and a reviewer would have to look at each. Here the text is cut at the
places that the parser names. What cannot be edited safely is refused, and the outcome is parsed
again: it must be the document as it was with exactly that edit in it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from callplane.cli import yaml_documents
from callplane.cli.yaml_documents import YamlProblem
from callplane.engine.adoption import Edit, Entry, Step

_MERGE_TAG = "tag:yaml.org,2002:merge"


class CannotEdit(Exception):
    """The text is written in a way that is not edited here; the message says in which."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which document of a file, and which item of it where that is a List."""

    document: int
    item: int | None = None


def edited(content: bytes, place: Place, edits: Sequence[Edit]) -> bytes:
    """The file with the edits made. Raises CannotEdit."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise CannotEdit("it is not in UTF-8") from None
    if text.startswith("﻿"):
        raise CannotEdit("it begins with a byte order mark")
    wanted = _documents(content)
    for edit in edits:
        text = _with_edit(text, place, edit)
        _apply(_object(wanted, place), edit.path, edit.value)
    changed = text.encode()
    if _documents(changed) != wanted:
        raise CannotEdit("an edit here would change something else too")
    return changed


def _documents(content: bytes) -> list[Any]:
    try:
        return copy.deepcopy(yaml_documents.documents(content)[0])
    except YamlProblem as problem:
        raise CannotEdit(f"line {problem.line}: {problem.message}") from None


def _object(documents: list[Any], place: Place) -> Any:
    found = documents[place.document]
    return found if place.item is None else found["items"][place.item]


def _apply(content: Any, path: tuple[Step, ...], value: Any) -> None:
    """The same edit on the parsed document: what the text must read as afterwards."""
    for index, step in enumerate(path):
        is_last = index == len(path) - 1
        if isinstance(step, Entry):
            entry = next((each for each in content if each.get(step.key) == step.value), None)
            if entry is None:
                entry = {step.key: step.value}
                content.append(entry)
            content = entry
        elif not is_last:
            if content.get(step) is None:
                content[step] = [] if isinstance(path[index + 1], Entry) else {}
            content = content[step]
        elif value is None:
            content.pop(step, None)
        else:
            content[step] = value


# The text


def _with_edit(text: str, place: Place, edit: Edit) -> str:
    try:
        roots = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        raise CannotEdit("it cannot be read as YAML") from None
    _refuse_shared(roots[place.document])
    node: yaml.Node | None = roots[place.document]
    if place.item is not None:
        items = _value(node, "items")
        node = items.value[place.item] if isinstance(items, yaml.SequenceNode) else None
    return _Text(text, is_json=text.lstrip().startswith(("{", "["))).with_edit(node, edit)


def _refuse_shared(root: yaml.Node) -> None:
    """An anchor's text stands for several places: an edit of one would be an edit of all."""
    seen: set[int] = set()
    waiting: list[yaml.Node] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen and not isinstance(node, yaml.ScalarNode):
            raise CannotEdit("it repeats parts of itself by anchors")
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            if any(key.tag == _MERGE_TAG for key, _ in node.value):
                raise CannotEdit("it merges parts of itself by <<")
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                found: yaml.Node = value
                return found
    return None


def _entry(node: yaml.SequenceNode, step: Entry) -> yaml.Node | None:
    for each in node.value:
        value = _value(each, step.key)
        if isinstance(value, yaml.ScalarNode) and value.value == step.value:
            found: yaml.Node = each
            return found
    return None


def _end(node: yaml.Node) -> int:
    """Where the node's own text ends; for the parser a block ends where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    end: int = node.end_mark.index
    return end


class _Text:
    """The text of one file, and the one edit that is made in it."""

    def __init__(self, text: str, *, is_json: bool) -> None:
        self._text = text
        self._is_json = is_json
        self._line_end = "\r\n" if "\r\n" in text else "\n"

    def with_edit(self, node: yaml.Node | None, edit: Edit) -> str:
        """Walk down the path as far as it is there, and write the rest."""
        path = edit.path
        while True:
            step = path[0]
            if isinstance(step, Entry):
                if not isinstance(node, yaml.SequenceNode):
                    raise CannotEdit(f"there is no list with an entry {step.value}")
                found = _entry(node, step)
                if found is None:
                    content = _nested(path[1:], edit.value)
                    return self._appended(node, {step.key: step.value, **content})
                node, path = found, path[1:]
                continue
            if not isinstance(node, yaml.MappingNode):
                raise CannotEdit(f"{step} stands in something else than a mapping")
            found = _value(node, step)
            if found is None or (_is_empty(found) and len(path) > 1):
                if edit.value is None:
                    return self._text
                content = _nested(path, edit.value)
                if found is not None:
                    return self._replaced(found, content[step])
                return self._added(node, content)
            if len(path) == 1:
                if edit.value is None:
                    return self._without(node, step)
                return self._replaced(found, edit.value)
            node, path = found, path[1:]

    def _splice(self, start: int, end: int, new: str) -> str:
        return self._text[:start] + new.replace("\n", self._line_end) + self._text[end:]

    def _replaced(self, node: yaml.Node, value: Any) -> str:
        start, end = node.start_mark.index, _end(node)
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            raise CannotEdit("the value is written as a block of text")
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and not self._is_json:
            new = _block(value, node.start_mark.column)
            if not isinstance(value, Mapping | list):
                raise CannotEdit("a block would become a single value")
            return self._splice(start, end, new)
        inline = self._inline(value)
        has_space = start == 0 or self._text[start - 1] in " \t\n["
        return self._splice(start, end, inline if has_space else " " + inline)

    def _added(self, node: yaml.MappingNode, content: Mapping[str, Any]) -> str:
        """A key at the end of a mapping."""
        if not node.value:
            return self._splice(node.start_mark.index, _end(node), self._inline(content))
        if node.flow_style:
            inside = self._inline(content).removeprefix("{").removesuffix("}")
            return self._splice(_end(node.value[-1][1]), _end(node.value[-1][1]), ", " + inside)
        column = node.value[0][0].start_mark.column
        return self._new_lines(_end(node), _block(content, column), column)

    def _appended(self, node: yaml.SequenceNode, entry: Mapping[str, Any]) -> str:
        """An entry at the end of a list."""
        if not node.value:
            return self._splice(node.start_mark.index, _end(node), self._inline([entry]))
        end = _end(node)
        if node.flow_style:
            last = _end(node.value[-1])
            return self._splice(last, last, ", " + self._inline(entry))
        column = node.start_mark.column
        return self._new_lines(end, "- " + _block(entry, column + 2), column)

    def _new_lines(self, end: int, block: str, column: int) -> str:
        """Lines after the one in which something ends; a comment behind it stays where it is."""
        line_end = self._text.find("\n", end)
        if line_end < 0:
            return self._text + self._line_end + " " * column + block + self._line_end
        new = " " * column + block + "\n"
        return self._splice(line_end + 1, line_end + 1, new)

    def _without(self, node: yaml.MappingNode, key: str) -> str:
        if node.flow_style or len(node.value) == 1:
            raise CannotEdit(f"{key} cannot be taken out of a mapping in one line")
        for name, value in node.value:
            if name.value != key:
                continue
            start = self._text.rfind("\n", 0, name.start_mark.index) + 1
            if self._text[start : name.start_mark.index].strip():
                raise CannotEdit(f"{key} does not stand on a line of its own")
            end = self._text.find("\n", max(_end(value), name.end_mark.index))
            return self._splice(start, len(self._text) if end < 0 else end + 1, "")
        return self._text

    def _inline(self, value: Any) -> str:
        if self._is_json:
            return json.dumps(value, ensure_ascii=False)
        dumped = str(
            yaml.safe_dump(
                value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000
            )
        )
        return dumped.removesuffix("\n").removesuffix("\n...")


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _nested(path: tuple[Step, ...], value: Any) -> dict[str, Any]:
    """What has to be written where the first step of the path is not there."""
    content: dict[str, Any] = {}
    _apply(content, path, value)
    return content


def _block(value: Any, column: int) -> str:
    """The value in lines, the first of which begins at `column` already."""
    dumped = yaml.dump(
        value,
        Dumper=_Indented,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    lines = str(dumped).rstrip("\n").split("\n")
    return ("\n" + " " * column).join(lines)


class _Indented(yaml.SafeDumper):
    """Lists stand two spaces to the right of their key, as in every file of ours."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
