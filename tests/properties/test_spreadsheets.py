"""Spreadsheets of any content: one answer a row, and a number is read or refused, never changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.apis.parsing import parse_strict
from callplane.desired.sheet_kinds import NUMBERS, TEAMS_PEOPLE, WEBEX_PEOPLE, SheetKind
from callplane.desired.spreadsheets import (
    Columns,
    Drafted,
    Seen,
    Target,
    Unreadable,
    drafts,
    read_number,
    rows,
)

COLUMNS = Columns.parse("userPrincipalName=Mail,number=DDI,location=Site,policy.TeamsXPolicy=P")
HEADER = ["Mail", "DDI", "Site", "P"]
TARGET = Target("sales", "sales", "main", "GB")

separators = st.sampled_from(["", " ", "-", ".", "\u00a0", " - "])
users = st.sampled_from(["a@example.com", "A@example.com", "b@example.com", "a.@example.com"])
numbers = st.sampled_from(["020 7946 0000", "+442079460000", "02079460001", "0044 20 7946 0002"])
cells = st.one_of(st.text(max_size=12), users, numbers)
sheets = st.lists(st.one_of(st.lists(cells, max_size=6), st.tuples(users, numbers)), max_size=12)


@given(st.integers(0, 999), st.sampled_from(["+44", "0044", "0", "44", "+44 (0)"]), st.data())
def test_a_number_is_the_same_however_it_is_written(
    index: int, prefix: str, data: st.DataObject
) -> None:
    digits = f"2079460{index:03}"
    written = prefix + "".join(data.draw(separators) + digit for digit in digits)
    assert read_number(written, country="GB").text == f"+44{digits}"


@given(sheets)
def test_every_row_that_is_not_empty_has_one_answer(sheet: list[list[str]]) -> None:
    answers = list(drafts([HEADER, *sheet], COLUMNS, TARGET, Seen()))
    full = [row for row, cells in enumerate(sheet, 2) if any(cell.strip() for cell in cells)]
    assert [each.row for each in answers] == full


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (TEAMS_PEOPLE, "userPrincipalName=Mail,number=DDI,location=Site,policy.TeamsXPolicy=P"),
        (WEBEX_PEOPLE, "email=Mail,number=DDI,location=Site,extension=P"),
        (NUMBERS, "number=DDI,description=Site,use=P"),
    ],
)
@given(sheets)
def test_what_is_drafted_is_valid_and_nobody_is_in_it_twice(
    kind: SheetKind, columns: str, sheet: list[list[str]]
) -> None:
    target = replace(TARGET, kind=kind)
    answers = drafts([HEADER, *sheet], Columns.parse(columns, kind), target, Seen())
    bodies = [each.body for each in answers if isinstance(each, Drafted)]
    assert not any(parse_strict(body).errors for body in bodies)
    specs = [body["spec"] for body in bodies]
    for taken in (
        [body["metadata"]["name"] for body in bodies],
        [spec.get(kind.subject) or spec["e164"] for spec in specs],
        [spec.get("e164") or spec["phoneNumber"]["e164"] for spec in specs],
    ):
        assert len(taken) == len(set(taken))


@given(st.text())
def test_any_text_below_a_header_is_read_to_its_end(text: str) -> None:
    lines = [f"{','.join(HEADER)}\n", *text.splitlines(keepends=True)]
    found = list(rows(lines))
    assert found[0] == HEADER
    assert all(isinstance(each, list | Unreadable) for each in found)
    answers = list(drafts(found, COLUMNS, TARGET, Seen()))
    assert len(answers) < len(found)
