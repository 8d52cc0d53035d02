"""Time zones in which it is about noon, for accounts of tests that run by the machine's clock.

A month that ends, or a day that begins, while such a test runs would take its pool and its counters
away. Where it is noon that is half a day off, whenever the test runs.
"""

from __future__ import annotations

from datetime import UTC, datetime

NOON_HOUR = 12


def zone(now: datetime) -> str:
    """The name of a zone where the clock says between 12:00 and 13:00.

    >>> zone(datetime(2026, 11, 30, 23, 59, 58, tzinfo=UTC))
    'Etc/GMT+11'
    >>> zone(datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC))
    'Etc/GMT-12'
    """
    # What these names call plus lies west, where it is earlier.
    return f"Etc/GMT{now.astimezone(UTC).hour - NOON_HOUR:+d}"
