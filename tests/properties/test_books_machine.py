"""The twin of the books keeps its invariants under arbitrary interleavings."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from callplane.testing.books_machine import BooksMachine


def test_the_twin_keeps_its_invariants() -> None:
    with asyncio.Runner() as runner:

        class OverTheTwin(BooksMachine):
            pass

        OverTheTwin.runner = runner
        run_state_machine_as_test(
            OverTheTwin, settings=settings(max_examples=150, stateful_step_count=40)
        )
