"""Objects that stand still for want of a number, and what brings them back.

An exhausted range wakes as many as it has numbers freed, the oldest object first. A number that
somebody else has wakes those who want it when its row moves, or when the object that has it is
edited or goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from callplane.engine.keyed_queue import KeyedQueue, Priority
from callplane.engine.object_cache import ObjectCache
from callplane.numbering.lifecycle import NumberState
from callplane.store.ports import Move
from callplane.values import E164, ObjectKey


class NumberWaiters:
    """Who waits for what. A pass takes its object off (`begin`) and puts it on again if need be."""

    def __init__(self, cache: ObjectCache, queue: KeyedQueue) -> None:
        self._cache = cache
        self._queue = queue
        self._ranges: dict[ObjectKey, str] = {}
        self._wanted: dict[E164 | ObjectKey, set[ObjectKey]] = {}

    def begin(self, key: ObjectKey) -> None:
        """The object looks for itself now."""
        self._ranges.pop(key, None)

    def wait_for_range(self, key: ObjectKey, range_name: str) -> None:
        """`range_name` is namespace/name, as rows of the register have it."""
        self._ranges[key] = range_name

    def wait_for_number(self, key: ObjectKey, number: E164, owner: ObjectKey | None) -> None:
        """`owner` is the object that has the number, where one has it."""
        for thing in (number, owner):
            if thing is not None:
                self._wanted.setdefault(thing, set()).add(key)

    def moved(self, moves: Iterable[Move]) -> None:
        """Numbers have moved in the register."""
        freed: Counter[str] = Counter()
        for move in moves:
            self.wake_for(move.number)
            if move.to is NumberState.FREE:
                freed[move.range_name] += 1
        for range_name, count in freed.items():
            self.range_has_free(range_name, count)

    def wake_for(self, thing: E164 | ObjectKey) -> None:
        """The number has moved, or the object that has it was edited or is gone."""
        for key in sorted(self._wanted.pop(thing, ())):
            self._queue.add(key, Priority.DEPENDENCY)

    def range_has_free(self, range_name: str, count: int) -> None:
        """Wake as many as can be served, the oldest object first."""
        waiting = [
            cached
            for key, name in self._ranges.items()
            if name == range_name and (cached := self._cache.get(key)) is not None
        ]
        waiting.sort(key=lambda cached: (cached.created, cached.key))
        for cached in waiting[:count]:
            self._queue.add(cached.key, Priority.DEPENDENCY)

    def all_ranges(self) -> set[str]:
        """Ranges that somebody waits for."""
        return set(self._ranges.values())
