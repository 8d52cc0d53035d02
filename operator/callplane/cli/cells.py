"""Cells of a table that a spreadsheet program may open. Called by the verbs that write CSV."""

from __future__ import annotations

#: A spreadsheet program would take a cell that begins so for a formula, and run it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def formula_free(text: str) -> str:
    """The text, with an apostrophe before it where it would run as a formula.

    >>> formula_free("=1+1")
    "'=1+1"
    >>> formula_free("anna@example.com")
    'anna@example.com'
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
