"""What listings of carriers have in common: rows that may not be readable, pages that are counted.

A carrier's folder must not import another's, so what is alike stands here.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from callplane.clock import Clock
from callplane.providers.carrier_protocol import NumberPage
from callplane.providers.protocol import Unavailable
from callplane.resources.carriers import NumberOnCarrier

Row = Mapping[str, Any]
#: Gets the page of that number, counted from 1: its rows, and how many all pages have.
FetchPage = Callable[[int], Awaitable[tuple[Sequence[Row], int]]]


def readable(
    rows: Sequence[Any], listed: Callable[[Any], NumberOnCarrier]
) -> tuple[tuple[NumberOnCarrier, ...], int]:
    """Rows that can be read, and how many cannot."""
    numbers = []
    for row in rows:
        try:
            numbers.append(listed(row))
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(numbers), len(rows) - len(numbers)


async def counted_pages(
    fetch: FetchPage,
    *,
    is_ours: Callable[[Row], bool],
    listed: Callable[[Any], NumberOnCarrier],
    clock: Clock,
) -> AsyncIterator[NumberPage]:
    """Pages until as many rows have come as the carrier says there are; rows of numbers that are no
    longer ours are left out of the total. Raises Unavailable when it ends before that.
    """
    seen, skipped, page = 0, 0, 1
    while True:
        observed_at = clock.monotonic()
        rows, total = await fetch(page)
        seen += len(rows)
        ours = [row for row in rows if is_ours(row)]
        skipped += len(rows) - len(ours)
        is_last = seen >= total
        if not rows and not is_last:
            raise Unavailable(f"listNumbers: {total - seen} of {total} numbers are missing")
        numbers, bad_rows = readable(ours, listed)
        count = total - skipped if is_last else None
        yield NumberPage(numbers, observed_at, is_last, bad_rows, total=count)
        if is_last:
            return
        page += 1


def day(text: object) -> datetime.date | None:
    """The day that a date or a time in ISO 8601 begins with; None where there is none.

    >>> day("2026-12-24T10:00:00Z")
    datetime.date(2026, 12, 24)
    >>> day(None)
    """
    try:
        return datetime.date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
