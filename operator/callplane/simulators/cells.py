"""One row of a world with its recent past, so that a lagging read can answer with yesterday's
truth.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Row = TypeVar("Row")

KEPT_VERSIONS = 8
"""How much past a row keeps; a reader that lags further behind sees the oldest version kept."""


class Cell(Generic[Row]):
    """A row, since when it is so, and what it was before. None stands for "does not exist"."""

    __slots__ = ("_earlier", "_since", "current")

    def __init__(self, row: Row | None, since: float = float("-inf")) -> None:
        self.current = row
        self._since = since
        self._earlier: tuple[tuple[float, Row | None], ...] = ()

    def put(self, row: Row | None, at: float) -> None:
        """Make `row` the truth from the time `at` on."""
        self._earlier = (*self._earlier, (self._since, self.current))[-KEPT_VERSIONS:]
        self.current = row
        self._since = at

    def seen_at(self, cutoff: float) -> Row | None:
        """The row as a reader sees it who knows of nothing that happened after `cutoff`."""
        if self._since <= cutoff:
            return self.current
        for since, row in reversed(self._earlier):
            if since <= cutoff:
                return row
        return self._earlier[0][1] if len(self._earlier) == KEPT_VERSIONS else None
