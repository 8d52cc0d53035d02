"""Free numbers of ranges, handed out in order. In memory: the register decides who really gets
one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from callplane.values import E164, NumberSpan


class RangeStock:
    """Candidates of one range, ascending; each is handed out once until `refill`.

    Choosing walks the range once over all claims together, where a search from the start for each
    claim would be quadratic in the size of the range.
    """

    def __init__(self, spans: Sequence[NumberSpan]) -> None:
        self._spans = tuple(spans)
        self._given_back: list[E164] = []
        self.refill()

    def refill(self) -> None:
        """Numbers have become free: start over from the lowest."""
        self._candidates = (number for span in self._spans for number in span)

    def next(self, is_free: Callable[[E164], bool]) -> E164 | None:
        """The lowest candidate that is free; None when there is none left."""
        while self._given_back:
            number = heapq.heappop(self._given_back)
            if is_free(number):
                return number
        for number in self._candidates:
            if is_free(number):
                return number
        return None

    def give_back(self, number: E164) -> None:
        """It was handed out and could not be claimed: the next to ask gets it."""
        heapq.heappush(self._given_back, number)

    def __contains__(self, number: E164) -> bool:
        return any(number in span for span in self._spans)
