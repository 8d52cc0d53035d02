"""Edits of the manifests that we ship: whatever a file looks like, no more than a line changes."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from callplane.cli.yaml_editing import Place, edited
from callplane.engine.adoption import Edit, Entry

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(
    path
    for folder in ("manifests/samples", "manifests/tenants")
    for path in (ROOT / folder).rglob("*.yaml")
    if path.name != "kustomization.yaml"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_object_of_ours_is_edited_in_place(path: Path) -> None:
    content = path.read_bytes()
    for position, body in enumerate(yaml.safe_load_all(content)):
        if not body or "spec" not in body:
            continue
        policies = [each["type"] for each in body["spec"].get("policies", ())]
        edits = [
            (Edit(("spec", "description"), "adopted"), 1),
            (Edit(("spec", "policies", Entry("type", "TestPolicy"), "name"), "Sales"), 3),
            *((Edit(("spec", "policies", Entry("type", name), "name"), "Other"), 1)
              for name in policies),
        ]  # fmt: skip
        for edit, most in edits:
            changed = edited(content, Place(position), [edit])
            added, removed = lines_of(content, changed)
            assert added <= most, (path, edit)
            assert removed <= 1, (path, edit)


def lines_of(before: bytes, after: bytes) -> tuple[int, int]:
    """How many lines came and went."""
    diff = [
        line
        for line in difflib.unified_diff(
            before.decode().splitlines(), after.decode().splitlines(), n=0, lineterm=""
        )
        if not line.startswith(("---", "+++", "@@"))
    ]
    return sum(line[0] == "+" for line in diff), sum(line[0] == "-" for line in diff)


def test_there_are_files_to_try() -> None:
    assert len(FILES) > 15
