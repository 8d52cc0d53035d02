"""How long the free numbers of a range last, and when to say that few are left.

The pace is what the register's history says of the last month: numbers taken, less numbers that
became free again. Asked seldom, because it changes slowly and a range may be counted every second.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from callplane.apis.number_ranges import LowStock, NumberRange
from callplane.engine.scope import Scope

WINDOW_DAYS = 30
KEEP_SECONDS = 600.0


async def look(scope: Scope, found: NumberRange, *, free: int, total: int) -> None:
    """Put days to empty into status, and low stock among the conditions, of a range that says what
    low means; of others nobody has asked to hear.
    """
    low = found.spec.low_stock
    if low is None:
        return
    days = days_to_empty(free, await _drained(scope, found))
    if days is not None or scope.cached.status.get("daysToEmpty") is not None:
        scope.status["daysToEmpty"] = days
    if not is_low(low, free=free, total=total):
        return
    lasts = f"; at last month's pace they last {days} days" if days is not None else ""
    text = f"{free} of {total} numbers are free{lasts}"
    scope.circumstances = replace(scope.circumstances, low_stock=text)


def is_low(low: LowStock, *, free: int, total: int) -> bool:
    """Is either limit reached?"""
    if low.min_free is not None and free < low.min_free:
        return True
    return low.min_free_percent is not None and free * 100 < low.min_free_percent * total


def days_to_empty(free: int, drained: int) -> int | None:
    """Whole days until the range is empty at the pace of the window; None: it does not drain."""
    return free * WINDOW_DAYS // drained if drained > 0 else None


async def _drained(scope: Scope, found: NumberRange) -> int:
    engine, now = scope.engine, scope.engine.clock.monotonic()
    known = engine.drains.get(scope.key)
    if known is not None and now - known[0] < KEEP_SECONDS:
        return known[1]
    since = engine.clock.now() - timedelta(days=WINDOW_DAYS)
    drained = 0
    for span in found.spec.spans:
        drained += await engine.register.drained_since(span.first, span.last, since=since)
    engine.drains[scope.key] = (now, drained)
    return drained
