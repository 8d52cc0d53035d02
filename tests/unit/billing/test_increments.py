"""Increments and the two roundings, by the table of the notation and against brute force."""

from __future__ import annotations

import pytest

from callplane.billing.increments import Increment, affordable, charged, held
from callplane.testing.billing_builders import increment


@pytest.mark.parametrize(
    ("notation", "seconds", "billable"),
    [
        ("1/1", 0, 0), ("1/1", 1, 1), ("1/1", 61, 61),
        ("60/1", 1, 60), ("60/1", 60, 60), ("60/1", 61, 61),
        ("60/60", 1, 60), ("60/60", 60, 60), ("60/60", 61, 120),
        ("6/6", 1, 6), ("6/6", 6, 6), ("6/6", 7, 12),
        ("30/6", 1, 30), ("30/6", 30, 30), ("30/6", 31, 36), ("30/6", 36, 36), ("30/6", 37, 42),
    ],
)  # fmt: skip
def test_notation(notation: str, seconds: int, billable: int) -> None:
    assert increment(notation).billable(seconds) == billable


def test_a_call_of_its_whole_is_charged_no_more() -> None:
    for first in (1, 7, 30, 60):
        for step in (1, 6, 60):
            counted = Increment(first, step)
            for seconds in range(200):
                whole = counted.whole(seconds)
                assert counted.billable(whole) == whole <= seconds
                assert counted.billable(whole + 1) > seconds


def test_an_increment_has_parts_of_a_second_at_least() -> None:
    with pytest.raises(ValueError, match="at least one second"):
        Increment(0, 1)


def test_charges_round_half_up_once() -> None:
    assert [charged(1, micros) for micros in (29, 30, 31, 89, 90)] == [0, 1, 1, 1, 2]
    assert charged(180, 7_500) == 22_500


def test_holds_round_up_and_cover_every_charge() -> None:
    for micros in range(1, 130):
        for seconds in range(1, 130):
            assert charged(seconds, micros) <= held(seconds, micros)


def test_what_is_affordable_is_found_without_a_search() -> None:
    for price in range(1, 80):
        for left in range(150):
            longest = affordable(left, price)
            assert held(longest, price) <= left < held(longest + 1, price)
