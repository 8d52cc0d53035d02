"""Failed attempts to sign in, counted by where they come from, so that guessing is slow and the API
server is not asked about every guess.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from callplane.clock import Clock


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """So many failures at once, and then one more each `refill_seconds`; `sources` are kept."""

    burst: int = 20
    refill_seconds: float = 3.0
    sources: int = 4096


class FailedAttempts:
    """One bucket a source. Who has signed in lately is never asked about here."""

    def __init__(self, clock: Clock, limits: AttemptLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or AttemptLimits()
        #: When a source's failures are forgotten; the further away, the more there were.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_seconds(self, source: str) -> int:
        """How long this source has to wait before its next attempt is looked at; 0: not at all."""
        debt = self._full_at.get(source, 0.0) - self._clock.monotonic()
        over = debt - (self._limits.burst - 1) * self._limits.refill_seconds
        return max(0, math.ceil(over))

    def failed(self, source: str) -> None:
        """Count one failure."""
        now = self._clock.monotonic()
        begin = max(now, self._full_at.get(source, 0.0))
        self._full_at[source] = begin + self._limits.refill_seconds
        self._full_at.move_to_end(source)
        if len(self._full_at) > self._limits.sources:
            self._full_at.popitem(last=False)
