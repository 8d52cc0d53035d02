"""How fast a provider lets us write, learnt from what it accepts and refuses.

A configured rate is an upper bound that somebody chose; what a provider grants today may be less,
and every refused write costs it a call and us three commits. Called by `engine.budgets`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 5.0
# Sure to be tried again in a while, and slow enough that refusals stay rare.
GROWTH = 1.05
GROWTH_SECONDS = 2.0
SLOWEST_PER_SECOND = 0.2


class Pace:
    """Writes a second: the configured rate until the provider refuses, then what it has accepted
    lately, growing slowly until it refuses again.
    """

    def __init__(self, *, limit_per_second: float, monotonic: Callable[[], float]) -> None:
        self.limit_per_second = limit_per_second
        self._monotonic = monotonic
        self._sent: deque[float] = deque()
        self._learnt: tuple[float, float] | None = None

    @property
    def per_second(self) -> float:
        if self._learnt is None:
            return self.limit_per_second
        learnt, at = self._learnt
        grown: float = learnt * GROWTH ** min((self._monotonic() - at) / GROWTH_SECONDS, 1000.0)
        if grown >= self.limit_per_second:
            self._learnt = None
            return self.limit_per_second
        return grown

    def sent(self) -> None:
        """A write goes out."""
        now = self._monotonic()
        self._sent.append(now)
        while self._sent[0] <= now - WINDOW_SECONDS:
            self._sent.popleft()

    def unsent(self) -> None:
        """One of them was not taken."""
        if self._sent:
            self._sent.pop()

    def refused(self) -> None:
        """The provider has refused one of them because they come too fast."""
        now = self._monotonic()
        self.unsent()
        lately = [at for at in self._sent if at > now - WINDOW_SECONDS]
        seconds = min(max(now - lately[0], 1.0), WINDOW_SECONDS) if lately else WINDOW_SECONDS
        accepted = max(len(lately) / seconds, SLOWEST_PER_SECOND)
        # Half at most at once: few may have been accepted only because few were sent.
        pace = self.per_second
        self._learnt = (min(max(accepted, pace / 2), pace), now)
