"""The rows of one kind in a world, each with its past."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Generic, TypeVar

from callplane.simulators.cells import Cell

Row = TypeVar("Row")


class Shelf(Generic[Row]):
    """Rows by key, each with its past, in a stable order of keys."""

    def __init__(self, *, is_sorted: bool) -> None:
        self._cells: dict[str, Cell[Row]] = {}
        self._keys: list[str] = []
        self._is_sorted = is_sorted

    def get(self, key: str) -> Row | None:
        """The row as it is now."""
        cell = self._cells.get(key)
        return cell.current if cell is not None else None

    def seen(self, key: str, cutoff: float) -> Row | None:
        """The row as a reader sees it who knows of nothing after `cutoff`."""
        cell = self._cells.get(key)
        return cell.seen_at(cutoff) if cell is not None else None

    def put(self, key: str, row: Row | None, at: float) -> None:
        """Make `row` the truth from `at` on; None takes it away."""
        cell = self._cells.get(key)
        if cell is not None:
            cell.put(row, at)
            return
        self._cells[key] = Cell(row, at)
        if self._is_sorted and self._keys and key < self._keys[-1]:
            bisect.insort(self._keys, key)
        else:
            self._keys.append(key)

    def rows(self, cutoff: float | None = None) -> list[Row]:
        """All rows in order, as they are or as seen at `cutoff`."""
        cells = self._cells
        if cutoff is None:
            found: Iterable[Row | None] = (cells[key].current for key in self._keys)
        else:
            found = (cells[key].seen_at(cutoff) for key in self._keys)
        return [row for row in found if row is not None]
