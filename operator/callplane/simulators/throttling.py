"""The budgets a world gives its callers: a token bucket each."""

from __future__ import annotations


class TokenBucket:
    """`rate` calls a second on average, `burst` at once. A rate of None lets everything through."""

    def __init__(self, rate: float | None, *, burst: float | None = None) -> None:
        self.rate = rate
        self.burst = burst if burst is not None else max(1.0, rate or 0.0)
        self._tokens = self.burst
        self._filled_at: float | None = None

    def take(self, now: float, *, refused_cost: float = 0.0) -> float:
        """Take one token at `now` (seconds). Returns 0.0, or the seconds to wait when there is
        none.

        `refused_cost` is what a refused call takes all the same: vendors count failed calls against
        the quota, so hammering makes the wait longer.
        """
        if self.rate is None:
            return 0.0
        if self._filled_at is not None:
            gained = (now - self._filled_at) * self.rate
            self._tokens = min(self.burst, self._tokens + gained)
        self._filled_at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        self._tokens -= refused_cost
        return (1.0 - self._tokens) / self.rate
