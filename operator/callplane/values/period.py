"""The month in a time zone: what pools, ceilings and statements run by.

A boundary is local midnight of the first, turned into an instant. Nothing is ever reset by a timer:
whoever asks computes the period of an instant, however long the asker slept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_LABEL = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True)
class Period:
    """One calendar month of a zone (IANA name); `start` belongs to it, `end` to the next one.

    >>> march = Period.parse("2026-03", "Europe/London")
    >>> march.end - march.start
    datetime.timedelta(days=30, seconds=82800)
    """

    year: int
    month: int
    zone: str
    start: datetime
    end: datetime

    @classmethod
    def of(cls, instant: datetime, zone: str) -> Period:
        """The period that an instant (with a time zone) falls into. Raises ValueError."""
        if instant.tzinfo is None:
            raise ValueError("an instant without a time zone belongs to no period")
        local = instant.astimezone(zone_named(zone))
        return _month(local.year, local.month, zone)

    @classmethod
    def parse(cls, label: str, zone: str) -> Period:
        """Read `2026-10`. Raises ValueError."""
        found = _LABEL.match(label)
        if found is None:
            raise ValueError(f"{label!r} is no month: year and month, as in 2026-10")
        return _month(int(found[1]), int(found[2]), zone)

    @property
    def label(self) -> str:
        return f"{self.year}-{self.month:02}"

    @property
    def following(self) -> Period:
        return _month(self.year + self.month // 12, self.month % 12 + 1, self.zone)

    def local_day(self, instant: datetime) -> date:
        """The day of an instant where the account is."""
        return instant.astimezone(zone_named(self.zone)).date()

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, datetime) and self.start <= instant < self.end

    def __str__(self) -> str:
        return self.label


@lru_cache(maxsize=1024)
def _month(year: int, month: int, zone: str) -> Period:
    start = first_instant(date(year, month, 1), zone)
    end = first_instant(date(year + month // 12, month % 12 + 1, 1), zone)
    return Period(year, month, zone, start, end)


def first_instant(day: date, zone: str) -> datetime:
    """The first instant of a local day, in UTC.

    Where midnight falls into the gap of a clock change, that is the end of the gap; where it
    happens twice, the first.
    """
    place = zone_named(zone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=place).astimezone(UTC)
    if midnight.astimezone(place).date() == day and midnight.astimezone(place).hour == 0:
        return midnight
    # The clock jumped over midnight: what midnight would have been is behind the gap or before it.
    probe = midnight - timedelta(hours=3)
    while probe.astimezone(place).date() < day:
        probe += timedelta(minutes=15)
    return probe


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo:
    """The zone. Raises ValueError for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone, such as Europe/London") from error
