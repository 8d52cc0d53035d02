"""A guard that is taken out of the books is missed by the check that is named beside it.

The mutants of PostgreSQL are real: the function in the database is replaced. Those of the twin and
of the pure core both share replace a function in Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from callplane.billing import clip, entitlements
from callplane.billing.counters import LineCounters
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_postgres import PostgresBooks
from callplane.testing import books_contract, books_months_contract
from callplane.testing.books_machine import BooksMachine

CHECKS = books_contract.CHECKS | books_months_contract.CHECKS


@dataclass(frozen=True, slots=True)
class SqlMutant:
    """`old` stands once in the function and becomes `new`; `misses` is the check that must fail."""

    name: str
    function: str
    old: str
    new: str
    misses: str


SQL_MUTANTS = (
    SqlMutant(
        "the key of a leg is not looked at",
        "settle",
        "on conflict do nothing;\n        if not found then",
        "on conflict do nothing;\n        if false then",
        "a_leg_is_accounted_for_once",
    ),
    SqlMutant(
        "the same attempt is reserved again",
        "reserve",
        "where attempt_id = p_attempt;\n    if found then",
        "where attempt_id = p_attempt;\n    if false then",
        "one_attempt_is_reserved_once",
    ),
    SqlMutant(
        "the month is not locked",
        "lock_period",
        "where account = p_account and period_start = p_start for update;\n    if found",
        "where account = p_account and period_start = p_start;\n    if found",
        "many_at_once_share_the_last_pound",
    ),
    SqlMutant(
        "what others hold counts as free",
        "shortage",
        "or a.entitlement_seconds - a.used_seconds - a.held_seconds < r.pool_first",
        "or a.entitlement_seconds - a.used_seconds < r.pool_first",
        "many_at_once_share_the_last_minute",
    ),
    SqlMutant(
        "held money does not count towards the ceiling",
        "shortage",
        "p_ceiling - a.posted_micros - a.held_micros < v_least",
        "p_ceiling - a.posted_micros < v_least",
        "many_at_once_share_the_last_pound",
    ),
    SqlMutant(
        "the wish is recorded instead of the grant",
        "reserve",
        "held_seconds = held_seconds + v.pool_seconds",
        "held_seconds = held_seconds + p_first_slice",
        "a_grant_is_recorded_and_never_more_than_there_is",
    ),
    SqlMutant(
        "the cap of the day is not looked at",
        "shortage",
        "p_day_cap - a.day_micros - a.day_held_micros < v_least",
        "false",
        "the_cap_of_a_day_counts_held_money_and_ends_with_the_day",
    ),
    SqlMutant(
        "a day never ends",
        "reserve",
        "if a.day is null or p_day > a.day then",
        "if a.day is null then",
        "the_cap_of_a_day_counts_held_money_and_ends_with_the_day",
    ),
    SqlMutant(
        "calls of other months are not up",
        "shortage",
        "select sum(other.live_calls)",
        "select sum(0)",
        "live_calls_count_across_the_end_of_a_month",
    ),
    SqlMutant(
        "calls a minute are not counted",
        "shortage",
        ">= p_line_rate",
        "< 0",
        "calls_a_minute_are_counted",
    ),
    SqlMutant(
        "a settlement of another grant is taken",
        "settle",
        "is distinct from (p ->> 'granted')::bigint",
        "is null",
        "a_settlement_of_an_older_grant_is_computed_again",
    ),
    SqlMutant(
        "what was presumed stays",
        "settle",
        "elsif r.state = 'Expired' then",
        "elsif false then",
        "what_is_presumed_is_replaced_by_the_record",
    ),
    SqlMutant(
        "a call without reservation takes what others hold",
        "settle",
        "greatest(0, entitlement_seconds - used_seconds - held_seconds)",
        "greatest(0, entitlement_seconds - used_seconds)",
        "a_call_without_reservation_draws_the_pool_to_zero_at_most",
    ),
    SqlMutant(
        "a plan that is added again brings its minutes again",
        "entitle",
        "brought.account = p_account and",
        "false and",
        "the_highest_plan_counts_and_an_upgrade_posts_the_difference",
    ),
    SqlMutant(
        "a call that never came about is still up",
        "let_go",
        "live_calls = live_calls - 1",
        "live_calls = live_calls",
        "a_call_that_never_came_about_frees_what_it_held",
    ),
    SqlMutant(
        "a batch takes what others hold",
        "settle_copied",
        "a.entitlement_seconds - a.used_seconds - a.held_seconds",
        "a.entitlement_seconds - a.used_seconds",
        "a_batch_is_what_its_calls_are_one_by_one",
    ),
    SqlMutant(
        "a batch draws for each call as if it were the only one",
        "settle_copied",
        "order by k.nth)",
        "order by k.nth rows between current row and current row)",
        "a_batch_is_what_its_calls_are_one_by_one",
    ),
    SqlMutant(
        "a batch does not look for reservations",
        "settle_copied",
        "where r.attempt_id = e.attempt_id",
        "where false",
        "a_batch_with_reserved_calls_settles_them_by_their_grants",
    ),
    SqlMutant(
        "a batch does not look for closed statements",
        "settle_copied",
        "where s.account = e.account and",
        "where false and",
        "what_comes_after_closing_is_charged_in_the_open_month",
    ),
    SqlMutant(
        "months of a batch are not locked",
        "settle_copied",
        "perform books.lock_period(v.account, v.period_start, v.period_end, v.currency, p_now);",
        "null;",
        "many_batches_at_once_draw_the_pool_to_zero_and_never_below",
    ),
    SqlMutant(
        "a closed month bears what comes late",
        "bearing_month",
        "where account = p_account and",
        "where false and account = p_account and",
        "what_comes_after_closing_is_charged_in_the_open_month",
    ),
    SqlMutant(
        "a month is closed at its end",
        "close_statement",
        "interval '72 hours'",
        "interval '0 hours'",
        "a_month_is_closed_once_and_72_hours_after_its_end",
    ),
    SqlMutant(
        "a statement of other counters is taken",
        "close_statement",
        "or (a.used_seconds",
        "or false and (a.used_seconds",
        "a_month_that_changed_meanwhile_is_not_closed",
    ),
    SqlMutant(
        "grace has no bound for the month",
        "grant_of",
        "a.entitlement_seconds * r.grace_percent / 100",
        "1000000",
        "grace_is_bounded_and_reported",
    ),
)


EMPTY = """
truncate books.account_periods, books.plan_holders, books.entitlements, books.reservations,
    books.leg_keys, books.cdrs, books.postings, books.suspense, books.statements
"""


@pytest.fixture
async def postgres_books(migrated_dsn: str) -> AsyncIterator[PostgresBooks]:
    books = PostgresBooks(migrated_dsn)
    await books.open()
    yield books
    await books.close()


@pytest.mark.parametrize("mutant", SQL_MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_mutant_of_the_database_is_caught(
    postgres_books: PostgresBooks, migrated_dsn: str, mutant: SqlMutant
) -> None:
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:
        name = f"books.{mutant.function}"
        row = owner.execute("select pg_get_functiondef(%s::regproc)", (name,)).fetchone()
        assert row is not None
        assert row[0].count(mutant.old) == 1, "the mutant does not fit the function any more"
        owner.execute(row[0].replace(mutant.old, mutant.new))
        with pytest.raises((AssertionError, psycopg.errors.IntegrityError)):
            await again_and_again(CHECKS[mutant.misses], postgres_books, owner)


async def again_and_again(
    check: books_contract.Check, books: PostgresBooks, owner: psycopg.Connection
) -> None:
    """What takes a race may take more than one; everything else fails the first time."""
    for _ in range(10):
        await check(books)
        owner.execute(EMPTY)


def _no_shortage(quote: Any, counters: Any, line: Any) -> None:
    """In place of every reason that a reservation has."""


def _quiet_line(books: MemoryBooks, account: str, line: str, now: Any) -> LineCounters:
    return LineCounters()


def _all_money(quote: Any, counters: Any, *, with_day: bool) -> int:
    return 10**9


def _all_again(posted: Any, held: Any) -> dict[str, int]:
    return dict(held)


def _keep_holding(books: MemoryBooks, held: Any, state: Any) -> None:
    held.row = replace(held.row, state=state)


def _open_as_ever(books: MemoryBooks, payers: Any, now: Any) -> None:
    """In place of opening past months without plans."""


def _no_take_back(books: MemoryBooks, held: Any, month: Any, bears: Any, now: Any) -> None:
    """In place of the reversal of what was presumed."""


@dataclass(frozen=True, slots=True)
class PythonMutant:
    """`name` of `owner` is replaced; `misses` is the check that must fail."""

    owner: Any
    name: str
    new: Any
    misses: str


PYTHON_MUTANTS = (
    PythonMutant(clip, "shortage", _no_shortage, "many_at_once_share_the_last_minute"),
    PythonMutant(clip, "shortage", _no_shortage, "many_at_once_share_the_last_pound"),
    PythonMutant(clip, "_room", _all_money, "money_is_held_and_charged_within_the_ceiling"),
    PythonMutant(
        entitlements,
        "to_post",
        _all_again,
        "the_highest_plan_counts_and_an_upgrade_posts_the_difference",
    ),
    PythonMutant(MemoryBooks, "_line", _quiet_line, "calls_are_counted_by_account_and_line"),
    PythonMutant(
        MemoryBooks, "_let_go", _keep_holding, "a_call_that_never_came_about_frees_what_it_held"
    ),
    PythonMutant(
        MemoryBooks, "_take_back", _no_take_back, "what_is_presumed_is_replaced_by_the_record"
    ),
    PythonMutant(
        MemoryBooks,
        "_open_past",
        _open_as_ever,
        "a_month_before_the_first_plan_is_opened_without_it",
    ),
    PythonMutant(
        MemoryBooks,
        "_bearing",
        lambda books, month, now: month,
        "what_comes_after_closing_is_charged_in_the_open_month",
    ),
)


@pytest.mark.parametrize(
    "mutant", PYTHON_MUTANTS, ids=lambda mutant: f"{mutant.name} by {mutant.misses}"
)
async def test_a_mutant_in_python_is_caught(
    mutant: PythonMutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await CHECKS[mutant.misses](MemoryBooks())
    monkeypatch.setattr(mutant.owner, mutant.name, mutant.new)
    with pytest.raises(AssertionError):
        await CHECKS[mutant.misses](MemoryBooks())


@pytest.mark.parametrize(
    ("name", "new"),
    [("_let_go", _keep_holding), ("_take_back", _no_take_back)],
    ids=["holds are kept", "what was presumed stays"],
)
def test_the_state_machine_finds_a_mutant_by_itself(
    name: str, new: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryBooks, name, new)
    with asyncio.Runner() as runner:

        class OverAMutant(BooksMachine):
            pass

        OverAMutant.runner = runner
        with pytest.raises((AssertionError, ExceptionGroup)):
            run_state_machine_as_test(
                OverAMutant,
                settings=settings(
                    max_examples=200, stateful_step_count=30, phases=[Phase.generate]
                ),
            )
