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
from callplane.values import ObjectKey


class WriteBudget:
    """Tokens refill at `rate_per_second` up to `burst`; `wake(key, priority)` brings a parked key
    back.
    """

    def __init__(
        self,
        *,
        rate_per_second: float,
        burst: float,
        monotonic: Callable[[], float],
        wake: Callable[[ObjectKey, Priority], None],
    ) -> None:
        self._rate = rate_per_second
        self._burst = burst
        self._monotonic = monotonic
        self._wake = wake
        self._tokens = burst
        self._refilled_at = monotonic()
        self._closed_until = 0.0
        self._order = itertools.count()
        self._parked: list[tuple[Priority, int, ObjectKey]] = []
        self._parked_keys: dict[ObjectKey, Priority] = {}
        self._granted: dict[ObjectKey, float] = {}
        self.waits = 0
        # Rung when somebody begins to wait, so that whoever calls `serve` can sleep until then.
        self.ring: Callable[[], None] = lambda: None

    def reconfigure(self, *, rate_per_second: float, burst: float) -> None:
        self._refill()
        self._rate, self._burst = rate_per_second, burst
        self._tokens = min(self._tokens, burst)
        self.ring()

    def take(self, key: ObjectKey, priority: Priority) -> bool:
        """True: go ahead. False: the key is parked and will be woken when its turn has come."""
        if self._granted.pop(key, None) is not None and self._monotonic() >= self._closed_until:
            return True
        self._refill()
        is_open = self._monotonic() >= self._closed_until
        if is_open and self._tokens >= 1.0 and not self._parked_keys:
            self._tokens -= 1.0
            return True
        self._park(key, priority)
        return False

    def close_for(self, seconds: float) -> None:
        """The provider asked for patience."""
        self._refill()
        self._closed_until = max(self._closed_until, self._monotonic() + seconds)
        self._tokens = 0.0

    def serve(self) -> float | None:
        """Hand free tokens to parked keys; returns the seconds until the next one, None when nobody
        waits.
        """
        self._refill()
        now = self._monotonic()
        if now < self._closed_until:
            return self._closed_until - now if self._parked_keys else None
        while self._parked and self._tokens >= 1.0:
            priority, _, key = heapq.heappop(self._parked)
            if self._parked_keys.get(key) is not priority:
                continue
            del self._parked_keys[key]
            self._tokens -= 1.0
            self._granted[key] = now
            self._wake(key, priority)
        if not self._parked_keys:
            return None
        return max((1.0 - self._tokens) / self._rate, 0.0)

    def forget(self, key: ObjectKey) -> None:
        """The key no longer wants a token: one that was kept for it goes back."""
        self._parked_keys.pop(key, None)
        if self._granted.pop(key, None) is not None:
            self._tokens = min(self._tokens + 1.0, self._burst)

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
        earned = max(now - max(self._refilled_at, self._closed_until), 0.0) * self._rate
        self._tokens = min(self._tokens + earned, self._burst)
        self._refilled_at = now
