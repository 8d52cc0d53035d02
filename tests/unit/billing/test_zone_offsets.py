"""Local times of a batch are those that a single call would be given."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from callplane.billing.zone_offsets import zone_offsets

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
seconds = st.integers(1_700_000_000, 1_900_000_000)
zones = st.sampled_from(
    ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
)


@given(zones, seconds, st.integers(0, 40_000_000), st.floats(0, 1))
def test_every_instant_has_the_zones_own_offset(
    zone: str, first: int, length: int, share: float
) -> None:
    found = zone_offsets(zone, first, first + length)
    asked = first + int(length * share)
    offset = found.offsets[bisect_right(found.begins, asked) - 1]
    local = (EPOCH + timedelta(seconds=asked)).astimezone(ZoneInfo(zone))
    assert local.utcoffset() == timedelta(seconds=offset)


def test_a_clock_change_is_found_to_the_second() -> None:
    summer_ends = datetime(2026, 10, 25, 1, tzinfo=UTC)
    at = int(summer_ends.timestamp())
    found = zone_offsets("Europe/London", at - 90_000, at + 90_000)
    assert list(found.begins) == [at - 90_000, at]
    assert list(found.offsets) == [3_600, 0]
