"""How verbs write for people: counts, findings, tables that line up. Plain text, for a pager."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence

import typer

from callplane.cli.manifests import Located

_SIGN = re.compile(r"(?m)^(  )([-+~!?])(  )")
_GATED = re.compile(r"\[(?:gated|irreversible)[^\]\n]*\]$", re.MULTILINE)
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "!": "red", "?": "yellow"}


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`; an irregular plural follows a slash: `entry/entries`."""
    singular, _, plural = noun.partition("/")
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def finding_line(located: Located) -> str:
    """One finding; a warning says so beside its rule."""
    text = str(located)
    return text if located.finding.is_error else text.removesuffix("]") + ", warning]"


def for_terminal(plan: str) -> str:
    """A plan in text with its signs in colour, where a terminal shows it and nobody minds."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return plan
    return coloured(plan)


def coloured(plan: str) -> str:
    """The signs of a plan by what they mean; what is gated stands out. Nothing else changes."""

    def sign(found: re.Match[str]) -> str:
        before, character, after = found.groups()
        styled = typer.style(
            character, fg=_COLOURS[character], bold=True if character == "!" else None
        )
        return f"{before}{styled}{after}"

    shown = _SIGN.sub(sign, plan)
    return _GATED.sub(lambda found: typer.style(found[0], fg="magenta"), shown)


def table(rows: Iterable[Sequence[str]], *, indent: str = "") -> list[str]:
    """Lines with columns of equal width; the last column is as long as it likes."""
    everything = [tuple(row) for row in rows]
    if not everything:
        return []
    widths = [max(len(row[column]) for row in everything) for column in range(len(everything[0]))]
    lines = []
    for row in everything:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append((indent + "  ".join([*padded, row[-1]])).rstrip())
    return lines
