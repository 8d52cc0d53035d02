"""What has been used and what is held, of one account in one period: the row that is locked.

The same numbers stand in one row of the database. Minutes and money that live calls hold count
towards every limit, so that any number of calls at once stay within it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date


@dataclass(frozen=True, slots=True)
class Counters:
    """Seconds of the pool and of grace, micro-units of money, live calls.

    `day_micros` and `day_held_micros` belong to `day`, a local day of the account. Of
    `posted_micros`, `unsecured_micros` came from calls that held no reservation (an outage) or had
    lost it.
    """

    entitlement_seconds: int = 0
    used_seconds: int = 0
    held_seconds: int = 0
    grace_used_seconds: int = 0
    grace_held_seconds: int = 0
    posted_micros: int = 0
    held_micros: int = 0
    unsecured_micros: int = 0
    day: date | None = None
    day_micros: int = 0
    day_held_micros: int = 0
    live_calls: int = 0

    def on_day(self, day: date) -> Counters:
        """As seen on a local day: a new day begins with nothing; an old one does not come back."""
        if self.day is not None and day <= self.day:
            return self
        return replace(self, day=day, day_micros=0, day_held_micros=0)

    @property
    def left_seconds(self) -> int:
        """What nobody has used; others may hold it."""
        return self.entitlement_seconds - self.used_seconds

    @property
    def free_seconds(self) -> int:
        """What a new call may have."""
        return self.entitlement_seconds - self.used_seconds - self.held_seconds

    @property
    def due_micros(self) -> int:
        """What counts towards the ceiling."""
        return self.posted_micros + self.held_micros

    @property
    def day_due_micros(self) -> int:
        """What counts towards the cap of the day."""
        return self.day_micros + self.day_held_micros


@dataclass(frozen=True, slots=True)
class LineCounters:
    """Of one line: calls that are up, and calls that began within the last minute."""

    live_calls: int = 0
    calls_last_minute: int = 0


UNUSED = Counters()
QUIET = LineCounters()
