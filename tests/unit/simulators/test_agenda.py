"""What was promised happens when it is due."""

from __future__ import annotations

from callplane.simulators.agenda import Agenda


def test_deeds_run_in_order_of_time_then_of_promise() -> None:
    agenda, done = Agenda(), []
    agenda.add(2.0, lambda due: done.append(("late", due)))
    agenda.add(1.0, lambda due: done.append(("first", due)))
    agenda.add(1.0, lambda due: done.append(("second", due)))

    agenda.advance(1.5)
    assert done == [("first", 1.0), ("second", 1.0)]
    agenda.advance(5.0)
    assert done[2:] == [("late", 2.0)]
    assert len(agenda) == 0


def test_a_deed_may_promise_another_that_is_due_already() -> None:
    agenda, done = Agenda(), []
    agenda.add(1.0, lambda due: agenda.add(due + 1.0, done.append))

    agenda.advance(3.0)
    assert done == [2.0]
