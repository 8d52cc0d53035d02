"""How verbs write for people: counts, findings, tables that line up. Plain text, for a pager."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from callplane.cli.manifests import Located


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`; an irregular plural follows a slash: `entry/entries`."""
    singular, _, plural = noun.partition("/")
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def finding_line(located: Located) -> str:
    """One finding; a warning says so beside its rule."""
    text = str(located)
    return text if located.finding.is_error else text.removesuffix("]") + ", warning]"


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
