"""A budget lets through what it has, and says when there is more."""

from __future__ import annotations

import pytest

from callplane.simulators.throttling import TokenBucket


def test_a_burst_passes_and_the_rest_waits() -> None:
    bucket = TokenBucket(10.0, burst=2.0)

    assert [bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0]
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.05) == pytest.approx(0.05)
    assert bucket.take(0.1) == 0.0


def test_rest_never_saves_more_than_a_burst() -> None:
    bucket = TokenBucket(10.0, burst=2.0)
    bucket.take(0.0)

    assert [bucket.take(100.0), bucket.take(100.0)] == [0.0, 0.0]
    assert bucket.take(100.0) > 0.0


def test_over_time_no_more_passes_than_the_rate_and_one_burst() -> None:
    bucket = TokenBucket(30.0)
    passed = sum(bucket.take(step / 1000) == 0.0 for step in range(10_000))

    assert passed == pytest.approx(330, abs=1)


def test_hammering_can_be_made_to_cost() -> None:
    bucket = TokenBucket(10.0, burst=1.0)
    bucket.take(0.0)

    assert bucket.take(0.0, refused_cost=1.0) == pytest.approx(0.2)
    assert bucket.take(0.0, refused_cost=1.0) == pytest.approx(0.3)


def test_without_a_rate_everything_passes() -> None:
    bucket = TokenBucket(None)

    assert {bucket.take(0.0) for _ in range(1000)} == {0.0}
