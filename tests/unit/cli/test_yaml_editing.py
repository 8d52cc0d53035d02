"""Edits of YAML: the line that was meant, and no other byte."""

from __future__ import annotations

import textwrap

import pytest
import yaml

from callplane.cli.yaml_editing import CannotEdit, Place, edited
from callplane.engine.adoption import Edit, Entry

ONE = Place(0)


def after(before: str, *edits: Edit, place: Place = ONE) -> str:
    return edited(textwrap.dedent(before).encode(), place, edits).decode()


def lines(text: str) -> str:
    return textwrap.dedent(text)


POLICY = ("spec", "policies", Entry("type", "Calling"), "name")
NUMBER = ("spec", "phoneNumber")


@pytest.mark.parametrize(
    ("before", "edit", "wanted"),
    [
        pytest.param(
            """\
            # Who pays: the sales team.
            spec:
              location:   London   # since March
              extension: "2001"
            """,
            Edit(("spec", "location"), "Leeds"),
            """\
            # Who pays: the sales team.
            spec:
              location:   Leeds   # since March
              extension: "2001"
            """,
            id="a value between comments and spaces",
        ),
        pytest.param(
            """\
            spec:
              phoneNumber:
                rangeRef:   # the old block
                  name: london
              # what follows
              onDelete: Detach
            """,
            Edit(NUMBER, {"e164": "+442079460007"}),
            """\
            spec:
              phoneNumber:
                e164: '+442079460007'
              # what follows
              onDelete: Detach
            """,
            id="a block for a block",
        ),
        pytest.param(
            """\
            spec: {phoneNumber: {none: {}}, onDelete: Detach}
            """,
            Edit(NUMBER, {"e164": "+442079460007"}),
            """\
            spec: {phoneNumber: {e164: '+442079460007'}, onDelete: Detach}
            """,
            id="within braces",
        ),
        pytest.param(
            """\
            spec:
              policies:
              - {type: Calling, name: Sales}   # on purpose
              - type: Other
                name: Basic
            status: {}
            """,
            Edit(POLICY, ""),
            """\
            spec:
              policies:
              - {type: Calling, name: ''}   # on purpose
              - type: Other
                name: Basic
            status: {}
            """,
            id="an entry of a list",
        ),
        pytest.param(
            """\
            spec:
              policies:
                - type: Other
                  name: Basic   # keep
            ---
            kind: Next
            """,
            Edit(POLICY, "Sales"),
            """\
            spec:
              policies:
                - type: Other
                  name: Basic   # keep
                - type: Calling
                  name: Sales
            ---
            kind: Next
            """,
            id="an entry that is new",
        ),
        pytest.param(
            """\
            spec:
              location: London  # of the number
            # the end
            """,
            Edit(POLICY, "Sales"),
            """\
            spec:
              location: London  # of the number
              policies:
                - type: Calling
                  name: Sales
            # the end
            """,
            id="a list that is new",
        ),
        pytest.param(
            "spec:\n  policies: []\n",
            Edit(POLICY, "Sales"),
            "spec:\n  policies: [{type: Calling, name: Sales}]\n",
            id="a list that is empty",
        ),
        pytest.param(
            "spec:\n  phoneNumber:\n  onDelete: Detach\n",
            Edit(NUMBER, {"none": {}}),
            "spec:\n  phoneNumber: {none: {}}\n  onDelete: Detach\n",
            id="a value that was left empty",
        ),
        pytest.param(
            "spec:\n  a: 1\n  b: 2",
            Edit(("spec", "c"), "x"),
            "spec:\n  a: 1\n  b: 2\n  c: x\n",
            id="a file without a last line end",
        ),
        pytest.param(
            "spec:\n  a: 1\n  b: {c: 2}  # gone\n  d: 3\n",
            Edit(("spec", "b"), None),
            "spec:\n  a: 1\n  d: 3\n",
            id="taken out",
        ),
        pytest.param(
            '{"spec": {"location": "London"}}\n',
            Edit(("spec", "licence"), "Professional"),
            '{"spec": {"location": "London", "licence": "Professional"}}\n',
            id="JSON stays JSON",
        ),
    ],
)
def test_only_what_was_meant_changes(before: str, edit: Edit, wanted: str) -> None:
    assert after(before, edit) == lines(wanted)


def test_line_ends_of_another_system_stay() -> None:
    content = b"spec:\r\n  a: 1\r\n  b: 2\r\n"
    edit = Edit(("spec", "policies", Entry("type", "Calling"), "name"), "Sales")
    changed = edited(content, ONE, [edit])
    assert changed == content + (b"  policies:\r\n    - type: Calling\r\n      name: Sales\r\n")


def test_one_document_of_many_and_one_item_of_a_list() -> None:
    many = "spec: {a: 1}\n---\nspec: {a: 1}\n"
    assert after(many, Edit(("spec", "a"), 2), place=Place(1)) == (
        "spec: {a: 1}\n---\nspec: {a: 2}\n"
    )
    listed = "kind: List\nitems:\n  - spec:\n      a: 1\n  - spec:\n      a: 1\n"
    changed = after(listed, Edit(("spec", "a"), 2), place=Place(0, 1))
    assert yaml.safe_load(changed)["items"] == [{"spec": {"a": 1}}, {"spec": {"a": 2}}]


def test_several_edits_of_one_object() -> None:
    changed = after(
        "spec:\n  location: London\n",
        Edit(("spec", "location"), "Leeds"),
        Edit(("spec", "emergencyLocationRef"), {"name": "leeds", "namespace": "platform"}),
        Edit(POLICY, "Sales"),
    )
    assert changed == lines(
        """\
        spec:
          location: Leeds
          emergencyLocationRef:
            name: leeds
            namespace: platform
          policies:
            - type: Calling
              name: Sales
        """
    )


def test_texts_that_look_like_something_else_are_quoted() -> None:
    changed = after("spec:\n  a: x\n", Edit(("spec", "a"), "+442079460007"))
    assert yaml.safe_load(changed) == {"spec": {"a": "+442079460007"}}
    assert yaml.safe_load(after("spec:\n  a: x\n", Edit(("spec", "a"), "no"))) == {
        "spec": {"a": "no"}
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: &x {b: 1}\nspec: *x\n", "by anchors"),
        ("a: &x {b: 1}\nspec:\n  <<: *x\n", "anchors|<<"),
        ("spec:\n  a: |\n    text\n", "block of text"),
        ("spec: text\n", "something else than a mapping"),
        ("﻿spec: {a: 1}\n", "byte order mark"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused(content: str, reason: str) -> None:
    with pytest.raises(CannotEdit, match=reason):
        after(content, Edit(("spec", "a"), "x"))


def test_text_of_another_encoding_is_refused() -> None:
    with pytest.raises(CannotEdit, match="UTF-8"):
        edited("spec: {a: ü}\n".encode("latin-1"), ONE, [Edit(("spec", "a"), "x")])
