"""A clock that goes with the event loop's: virtual where the loop's time is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class LoopClock:
    """`begin` is the moment at which the loop's time was 0."""

    begin: datetime

    def now(self) -> datetime:
        return self.begin + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
