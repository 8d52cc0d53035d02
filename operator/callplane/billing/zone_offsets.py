"""How far a zone's clock is from UTC, as steps in time: local times of a whole batch by one search.

The zone's own data answer, as they do for a single call, so that both see the same clock change.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callplane.values.period import zone_named

_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ZoneOffsets:
    """From `begins[n]` (seconds since 1970) on, local time is UTC and `offsets[n]` seconds."""

    begins: array[int]
    offsets: array[int]


def zone_offsets(zone: str, first: int, last: int) -> ZoneOffsets:
    """The steps of a zone between two instants, in seconds since 1970, both of them included.

    >>> list(zone_offsets("Europe/London", 1_790_000_000, 1_795_000_000).offsets)
    [3600, 0]
    """
    place = zone_named(zone)

    def offset(second: int) -> int:
        shift = place.utcoffset((_EPOCH + timedelta(seconds=second)).astimezone(place))
        return 0 if shift is None else shift // timedelta(seconds=1)

    begins, offsets = array("q", [first]), array("q", [offset(first)])
    at = first
    while at < last:
        behind = min(at + _DAY, last)
        if offset(behind) != offsets[-1]:
            before, after = at, behind
            while after - before > 1:
                middle = (before + after) // 2
                if offset(middle) == offsets[-1]:
                    before = middle
                else:
                    after = middle
            begins.append(after)
            offsets.append(offset(after))
            behind = after
        at = behind
    return ZoneOffsets(begins, offsets)
