"""Months in a time zone: golden instants, clock changes, midnights that do not exist."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.values import Period, Seconds
from callplane.values.period import first_instant, zone_named

ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "UTC", "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("label", "start", "end", "hours"),
    [
        ("2026-03", "2026-03-01T00:00", "2026-03-31T23:00", 743),
        ("2026-10", "2026-09-30T23:00", "2026-11-01T00:00", 745),
        ("2027-02", "2027-02-01T00:00", "2027-03-01T00:00", 672),
        ("2028-02", "2028-02-01T00:00", "2028-03-01T00:00", 696),
    ],
)
def test_golden_months_of_london(label: str, start: str, end: str, hours: int) -> None:
    found = Period.parse(label, "Europe/London")
    assert found.start == datetime.fromisoformat(start + "+00:00")
    assert found.end == datetime.fromisoformat(end + "+00:00")
    assert found.end - found.start == timedelta(hours=hours)
    assert str(found) == label


@given(st.integers(0, 90 * 365 * 86_400), st.sampled_from(ZONES))
def test_every_instant_is_in_exactly_one_month(since_2000: int, zone: str) -> None:
    instant = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=since_2000)
    found = Period.of(instant, zone)
    assert instant in found
    assert instant not in found.following
    assert found.following.start == found.end
    assert Period.of(found.end, zone) == found.following
    assert Period.parse(found.label, zone) == found


def test_a_midnight_that_does_not_exist_is_the_end_of_the_gap() -> None:
    # In São Paulo clocks went from 00:00 to 01:00 on 4 November 2018.
    found = first_instant(date(2018, 11, 4), "America/Sao_Paulo")
    assert found == datetime(2018, 11, 4, 3, tzinfo=UTC)
    before = found - timedelta(seconds=1)
    assert before.astimezone(zone_named("America/Sao_Paulo")).date() == date(2018, 11, 3)


def test_the_day_of_an_instant_is_local() -> None:
    october = Period.parse("2026-10", "Europe/London")
    assert october.local_day(datetime(2026, 9, 30, 23, 30, tzinfo=UTC)) == date(2026, 10, 1)


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "October", "2026-10-01", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no month"):
        Period.parse(text, "Europe/London")


@pytest.mark.parametrize("zone", ["Mars/Phobos", "", "../etc/passwd", "Europe"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        Period.parse("2026-10", zone)


def test_an_instant_has_a_zone() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        Period.of(datetime.fromisoformat("2026-10-01T00:00"), "Europe/London")


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("90", 90), ("1:30:00", 5_400)])
def test_lengths_of_time_are_read(text: str, count: int) -> None:
    assert Seconds.parse(text) == Seconds(count)


@pytest.mark.parametrize("text", ["-1", "1.5", "1:60:00", "", "1h"])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        Seconds.parse(text)


def test_time_rounds_up_once_and_never_runs_backwards() -> None:
    begin = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)
    assert Seconds.between(begin, begin) == Seconds(0)
    assert Seconds.between(begin, begin + timedelta(hours=1, microseconds=1)) == Seconds(3_601)
    with pytest.raises(ValueError, match="not negative"):
        Seconds.between(begin, begin - timedelta(seconds=2))
    assert str(Seconds(3_661)) == "1:01:01"
