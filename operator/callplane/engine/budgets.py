"""Rate limits of one connection: token buckets whose waiters are keys, not workers.

A pass that needs a token it cannot have is parked: the worker goes on, and the key comes back with
a token of its own when its turn is there. Turns go by priority, then by who asked first. A
`Retry-After` of the provider closes the bucket until then.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from callplane.engine.keyed_queue import Priority
from callplane.engine.pacing import Pace
from callplane.values import ObjectKey


class WriteBudget:
    """Tokens refill at `rate_per_second`, or at what the provider grants where that is less;
    `wake(key, priority)` brings a parked key back.

    Background work has bursts of `burst`. A second's worth is kept for what a user has just done,
    so that an edit, or a batch that was let through, does not stand behind a mass change.
    """

    def __init__(
        self,
        *,
        rate_per_second: float,
        burst: float,
        monotonic: Callable[[], float],
        wake: Callable[[ObjectKey, Priority], None],
    ) -> None:
        self._pace = Pace(limit_per_second=rate_per_second, monotonic=monotonic)
        self._burst = burst
        self._monotonic = monotonic
        self._wake = wake
        self._tokens = self._capacity
        self._refilled_at = monotonic()
        self._closed_until = 0.0
        self._order = itertools.count()
        self._parked: list[tuple[Priority, int, ObjectKey]] = []
        self._parked_keys: dict[ObjectKey, Priority] = {}
        self._granted: dict[ObjectKey, float] = {}
        self.waits = 0
        # Rung when somebody begins to wait, so that whoever calls `serve` can sleep until then.
        self.ring: Callable[[], None] = lambda: None

    @property
    def _capacity(self) -> float:
        return max(self._burst, self._pace.per_second)

    def _needed(self, priority: Priority) -> float:
        """Tokens that must be there for one to be taken."""
        return 1.0 if priority is Priority.USER else 1.0 + self._capacity - self._burst

    def reconfigure(self, *, rate_per_second: float, burst: float) -> None:
        self._refill()
        self._pace.limit_per_second, self._burst = rate_per_second, burst
        self._tokens = min(self._tokens, self._capacity)
        self.ring()

    def take(self, key: ObjectKey, priority: Priority) -> bool:
        """True: go ahead. False: the key is parked and will be woken when its turn has come."""
        if self._granted.pop(key, None) is not None and self._monotonic() >= self._closed_until:
            self._pace.sent()
            return True
        self._refill()
        is_open = self._monotonic() >= self._closed_until
        if is_open and self._tokens >= self._needed(priority) and not self._is_behind(priority):
            self._tokens -= 1.0
            self._pace.sent()
            return True
        self._park(key, priority)
        return False

    def _is_behind(self, priority: Priority) -> bool:
        """Does somebody wait who goes first?"""
        first = self._first()
        return first is not None and first <= priority

    def took(self, requests: int) -> None:
        """A write that had its token took so many requests in the end; those that come after it
        wait for the rest.
        """
        for _ in range(requests - 1):
            self._pace.sent()
            self._tokens -= 1.0

    def close_for(self, seconds: float) -> None:
        """The provider has refused a write and asked for patience."""
        self._refill()
        if self._monotonic() < self._closed_until:
            # It was under way when the first one was refused, and teaches nothing more.
            self._pace.unsent()
        else:
            self._pace.refused()
        self._closed_until = max(self._closed_until, self._monotonic() + seconds)
        self._tokens = 0.0

    def serve(self) -> float | None:
        """Hand free tokens to parked keys; returns seconds until the next, None if nobody waits."""
        self._refill()
        now = self._monotonic()
        if now < self._closed_until:
            return self._closed_until - now if self._parked_keys else None
        while (first := self._first()) is not None:
            missing = self._needed(first) - self._tokens
            if missing > 0:
                return missing / self._pace.per_second
            _, _, key = heapq.heappop(self._parked)
            del self._parked_keys[key]
            self._tokens -= 1.0
            self._granted[key] = now
            self._wake(key, first)
        return None

    def _first(self) -> Priority | None:
        """The best priority that waits; drops what has gone from the heap's head."""
        while self._parked:
            priority, _, key = self._parked[0]
            if self._parked_keys.get(key) is priority:
                return priority
            heapq.heappop(self._parked)
        return None

    def forget(self, key: ObjectKey) -> None:
        """The key no longer wants a token: one that was kept for it goes back."""
        self._parked_keys.pop(key, None)
        if self._granted.pop(key, None) is not None:
            self._tokens = min(self._tokens + 1.0, self._capacity)

    @property
    def parked(self) -> int:
        return len(self._parked_keys)

    def _park(self, key: ObjectKey, priority: Priority) -> None:
        known = self._parked_keys.get(key)
        if known is not None and known <= priority:
            return
        self.waits += 1
        self._parked_keys[key] = priority
        heapq.heappush(self._parked, (priority, next(self._order), key))
        self.ring()

    def _refill(self) -> None:
        now = self._monotonic()
        open_seconds = max(now - max(self._refilled_at, self._closed_until), 0.0)
        self._tokens = min(self._tokens + open_seconds * self._pace.per_second, self._capacity)
        self._refilled_at = now
