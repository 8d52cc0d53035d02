"""Failures are counted by source, forgiven with time, and never without bound."""

from __future__ import annotations

from callplane.server.attempts import AttemptLimits, FailedAttempts
from callplane.testing.manual_clock import ManualClock


def test_a_source_waits_after_its_burst_and_is_forgiven_step_by_step() -> None:
    clock = ManualClock()
    attempts = FailedAttempts(clock, AttemptLimits(burst=2, refill_seconds=10))
    assert attempts.wait_seconds("a") == 0
    attempts.failed("a")
    assert attempts.wait_seconds("a") == 0
    attempts.failed("a")
    assert attempts.wait_seconds("a") == 10
    assert attempts.wait_seconds("b") == 0
    clock.advance(9.5)
    assert attempts.wait_seconds("a") == 1
    clock.advance(0.5)
    assert attempts.wait_seconds("a") == 0
    attempts.failed("a")
    assert attempts.wait_seconds("a") == 10
    clock.advance(1000)
    attempts.failed("a")
    assert attempts.wait_seconds("a") == 0


def test_no_more_sources_are_kept_than_there_is_room_for() -> None:
    attempts = FailedAttempts(ManualClock(), AttemptLimits(burst=1, sources=2))
    for source in ("a", "b", "c"):
        attempts.failed(source)
    assert [attempts.wait_seconds(source) > 0 for source in ("a", "b", "c")] == [False, True, True]
