"""How verbs write: counts, tables, colours."""

from __future__ import annotations

import re

import pytest

from callplane.cli import output

PLAN = """\
Plan: 2 changes on 2 of 3 objects
  +  sales/anna  number  next free of platform/london
  -  sales/ben   number  somebody's - own  [gated]
  !              Foreign why
  held above 25, or above 5
"""


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "error", "1 error"),
        (0, "error", "0 errors"),
        (2000, "error", "2,000 errors"),
        (2, "entry/entries", "2 entries"),
        (1, "entry/entries", "1 entry"),
    ],
)
def test_counts(number: int, noun: str, text: str) -> None:
    assert output.count(number, noun) == text


def test_columns_line_up_and_nothing_trails() -> None:
    lines = output.table([("a", "long", "x"), ("longer", "b", "")], indent="  ")
    assert lines == ["  a       long  x", "  longer  b"]
    assert output.table([]) == []


def test_colours_change_nothing_but_colour() -> None:
    shown = output.coloured(PLAN)
    assert shown.count("\x1b[") == 9
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == PLAN


def test_what_is_piped_has_no_colour() -> None:
    assert output.for_terminal(PLAN) == PLAN
