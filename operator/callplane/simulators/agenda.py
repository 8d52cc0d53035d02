"""What a world has promised to do later: orders that finish, licences that arrive, states that
settle.

A world has no background task. Before each look at it, `advance` runs whatever fell due, in order
of time, so the same requests at the same times always meet the same world.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

Deed = Callable[[float], None]
"""Called with the time at which it was due, in seconds of the world's monotonic clock."""


class Agenda:
    """Deeds by due time; those due at the same time run in the order they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deed]] = []
        self._added = 0

    def add(self, due: float, deed: Deed) -> None:
        """Promise `deed` for the time `due`, in seconds of the world's monotonic clock."""
        self._added += 1
        heapq.heappush(self._heap, (due, self._added, deed))

    def advance(self, now: float) -> None:
        """Run everything that was due at or before `now`, deeds added meanwhile included."""
        while self._heap and self._heap[0][0] <= now:
            due, _, deed = heapq.heappop(self._heap)
            deed(due)

    def __len__(self) -> int:
        return len(self._heap)
