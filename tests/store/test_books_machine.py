"""PostgreSQL and the twin answer alike under arbitrary interleavings, and keep their invariants."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from callplane.store.books_memory import MemoryBooks
from callplane.store.books_postgres import PostgresBooks
from callplane.testing.books_machine import BooksMachine


def test_the_database_and_its_twin_are_one(migrated_dsn: str) -> None:
    with asyncio.Runner() as runner:
        postgres = PostgresBooks(migrated_dsn)
        runner.run(postgres.open())

        class OverBoth(BooksMachine):
            pass

        OverBoth.runner = runner
        OverBoth.books = (MemoryBooks(), postgres)
        try:
            run_state_machine_as_test(
                OverBoth, settings=settings(max_examples=40, stateful_step_count=30)
            )
        finally:
            runner.run(postgres.close())
