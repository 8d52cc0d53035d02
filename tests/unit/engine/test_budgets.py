"""Turns at a provider's rate: who goes first, what is kept for edits, what a refusal teaches."""

from __future__ import annotations

import pytest

from callplane.engine.budgets import WriteBudget
from callplane.engine.keyed_queue import Priority
from callplane.values import ObjectKey


class Stage:
    """A budget on a clock that is set by hand, and who was woken."""

    def __init__(self, rate: float, *, burst: float = 1.0) -> None:
        self.now = 1000.0
        self.woken: list[str] = []
        self.budget = WriteBudget(
            rate_per_second=rate,
            burst=burst,
            monotonic=lambda: self.now,
            wake=lambda key, priority: self.woken.append(key.name),
        )

    def take(self, name: str, priority: Priority = Priority.INITIAL) -> bool:
        return self.budget.take(ObjectKey("TeamsUser", "sales", name), priority)

    def take_many(self, count: int, priority: Priority = Priority.INITIAL) -> int:
        return sum(self.take(f"{priority.name}-{nth}", priority) for nth in range(count))

    def wait(self, seconds: float, *, step: float = 0.01) -> None:
        """Time passes, with the loop that serves those who wait."""
        for _ in range(round(seconds / step)):
            self.now += step
            self.budget.serve()


def test_background_work_has_a_small_burst_and_then_the_rate() -> None:
    stage = Stage(10.0, burst=2.0)
    assert stage.take_many(30) == 2
    stage.wait(2.0)
    assert len(stage.woken) == pytest.approx(20, abs=1)


def test_a_second_of_writes_is_kept_for_what_a_user_does() -> None:
    stage = Stage(30.0, burst=3.0)
    stage.take_many(100)
    stage.wait(1.0)
    assert stage.take_many(27, Priority.USER) == 27


def test_edits_pass_those_who_wait_and_keep_their_order() -> None:
    stage = Stage(10.0)
    stage.take_many(50)
    assert stage.take_many(20, Priority.USER) == 9
    stage.wait(1.5)
    assert stage.woken[:11] == [f"USER-{nth}" for nth in range(9, 20)]


def test_who_asks_again_with_more_urgency_goes_sooner_and_only_once() -> None:
    stage = Stage(10.0)
    stage.take_many(3)
    assert not stage.take("late")
    for name in ("a", "b", "c", "d", "e", "f", "g", "h", "i"):
        assert stage.take(name, Priority.USER)
    assert not stage.take("late", Priority.USER)
    stage.wait(3.0)
    assert stage.woken == ["late", "INITIAL-1", "INITIAL-2"]


def test_a_woken_key_has_its_token() -> None:
    stage = Stage(10.0)
    stage.take_many(2)
    stage.wait(0.2)
    assert stage.woken == ["INITIAL-1"]
    assert stage.take("INITIAL-1")
    assert stage.budget.parked == 0


def test_a_refusal_closes_the_budget_for_as_long_as_it_said() -> None:
    stage = Stage(10.0)
    stage.budget.close_for(5.0)
    assert not stage.take("a", Priority.USER)
    stage.wait(4.9)
    assert stage.woken == []
    stage.wait(0.3)
    assert stage.woken == ["a"]


def accepted_and_refused(configured: float, granted: float, *, seconds: float) -> tuple[int, int]:
    """A mass change at a provider that grants less than is configured, one second's worth at
    once.
    """
    stage = Stage(configured, burst=configured / 10)
    tokens, accepted, refused, waiting = granted, 0, 0, ["0"]
    count = 0
    while stage.now < 1000.0 + seconds:
        stage.now += 0.005
        tokens = min(tokens + 0.005 * granted, granted)
        stage.budget.serve()
        waiting, stage.woken = waiting + stage.woken, []
        while waiting:
            name = waiting.pop()
            if not stage.take(name):
                continue
            if tokens >= 1.0:
                tokens, accepted, count = tokens - 1.0, accepted + 1, count + 1
                waiting.append(str(count))
            else:
                refused += 1
                stage.budget.close_for((1.0 - tokens) / granted)
                stage.take(name)
    return accepted, refused


@pytest.mark.parametrize("configured", [30.0, 60.0, 400.0])
def test_what_the_provider_grants_is_learnt_and_used_up(configured: float) -> None:
    accepted, refused = accepted_and_refused(configured, 30.0, seconds=40.0)
    assert accepted >= 0.93 * 30.0 * 40.0
    assert refused <= 0.05 * accepted


def test_the_configured_rate_comes_back_when_the_provider_grants_it_again() -> None:
    stage = Stage(10.0, burst=2.0)
    stage.take_many(5)
    stage.budget.close_for(1.0)
    stage.wait(120.0)
    stage.woken.clear()
    stage.take_many(100, Priority.RETRY)
    stage.wait(5.0)
    assert len(stage.woken) == pytest.approx(50, abs=2)


def test_a_write_that_took_two_requests_delays_the_next_ones_by_both() -> None:
    stage = Stage(10.0, burst=2.0)
    stage.take_many(100, Priority.RETRY)
    stage.wait(1.0)
    stage.woken.clear()
    done = 0
    for _ in range(500):
        stage.wait(0.01)
        for name in stage.woken[done:]:
            assert stage.take(name, Priority.RETRY)
            stage.budget.took(2)
        done = len(stage.woken)
    assert done == pytest.approx(5.0 * 10.0 / 2, abs=2)
