"""Call time as the books keep it: whole seconds, rounded up once from what a switch measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])\Z")
_PLAIN = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True, order=True)
class Seconds:
    """A length of time, never negative."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("a length of time is not negative")

    @classmethod
    def parse(cls, text: str) -> Seconds:
        """Read `90`, `1:30:00` (hours, minutes, seconds). Raises ValueError for everything else."""
        if _PLAIN.match(text):
            return cls(int(text))
        if found := _CLOCK.match(text):
            hours, minutes, seconds = map(int, found.groups())
            return cls(hours * 3600 + minutes * 60 + seconds)
        raise ValueError(f"{text!r} is no length of time: whole seconds, or as in 0:01:30")

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Seconds:
        """From one instant to a later one, rounded up once. Raises ValueError when it is not later.

        >>> from datetime import UTC
        >>> answered = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
        >>> Seconds.between(answered, answered + timedelta(milliseconds=304))
        Seconds(count=1)
        """
        microseconds = (end - start) // timedelta(microseconds=1)
        return cls(-(-microseconds // 1_000_000))

    def __str__(self) -> str:
        minutes, seconds = divmod(self.count, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}"
