"""A clock that stands still until a test moves it."""

from __future__ import annotations

import datetime

START = datetime.datetime(2026, 3, 2, 9, 0, tzinfo=datetime.UTC)


class ManualClock:
    """Wall time and monotonic time that move together, and only when told to."""

    def __init__(self, start: datetime.datetime = START) -> None:
        self._start = start
        self._elapsed_seconds = 0.0

    def now(self) -> datetime.datetime:
        """The start and what has passed since."""
        return self._start + datetime.timedelta(seconds=self._elapsed_seconds)

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self._elapsed_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed_seconds += seconds

    async def sleep(self, seconds: float) -> None:
        """Let time pass: stands in for `asyncio.sleep` where one can be passed."""
        self.advance(seconds)
