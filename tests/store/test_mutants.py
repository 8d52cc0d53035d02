"""A guard that is taken out of the register is missed by the check that is named beside it.

The mutants of PostgreSQL are real: the function in the database is replaced. Those of the twin and
of the rules both share replace a function in Python.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from callplane.numbering import lifecycle
from callplane.store import chain, commits, holding, rebuilding
from callplane.store.memory import MemoryRegister
from callplane.store.ports import Register
from callplane.store.postgres import PostgresRegister
from callplane.testing import register_contract

CHECKS = register_contract.CHECKS


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
        "the epoch is not looked at",
        "commit",
        "v_epoch is distinct from p_epoch",
        "false",
        "a_commit_needs_the_epoch",
    ),
    SqlMutant(
        "a released connection keeps its epoch alive",
        "commit",
        "and not released",
        "",
        "an_epoch_never_comes_back",
    ),
    SqlMutant(
        "the expected state is not looked at",
        "commit",
        "v_row.state <> v_move.expected",
        "false",
        "a_row_in_another_state_is_not_moved",
    ),
    SqlMutant(
        "the connection of a row is not looked at",
        "commit",
        "or v_row.provider <> p_provider or v_row.external_id <> p_external_id",
        "",
        "a_row_of_another_connection_is_not_moved",
    ),
    SqlMutant(
        "the expected holder is not looked at",
        "commit",
        "v_move.required_holder <> coalesce(v_row.holder, '')",
        "false",
        "a_row_of_another_holder_is_not_moved",
    ),
    SqlMutant(
        "a quarantined number goes to anybody",
        "commit",
        "v_move.required_holder <> coalesce(v_row.holder, '')",
        "false",
        "a_resting_number_goes_back_to_its_holder_only",
    ),
    SqlMutant(
        "a number in transfer goes to anybody",
        "commit",
        "v_move.required_receiver <> coalesce(v_row.transfer_to, '')",
        "false",
        "a_number_in_transfer_is_for_its_receiver",
    ),
    SqlMutant(
        "the quarantine has no length",
        "commit",
        "v_move.must_have_rested",
        "false",
        "a_rest_ends_when_it_is_over",
    ),
    SqlMutant(
        "a quarantine without end is over",
        "commit",
        "coalesce(v_row.quarantined_until > p_now, true)",
        "v_row.quarantined_until > p_now",
        "a_rest_without_end_goes_on",
    ),
    SqlMutant(
        "a taken number is quietly kept",
        "commit",
        "if not found then",
        "if false then",
        "a_taken_number_is_not_free",
    ),
    SqlMutant(
        "a taken number is overwritten",
        "commit",
        "on conflict (number) do nothing",
        "on conflict (number) do update set holder = excluded.holder",
        "a_taken_number_is_not_free",
    ),
    SqlMutant(
        "no event is written",
        "commit",
        "perform register.add_event(",
        "perform num_nulls(",
        "a_claim_is_a_row_and_an_event",
    ),
    SqlMutant(
        "no tombstone is left",
        "commit",
        "p_provider, p_external_id, 'number', v_move.number, v_version)",
        "'nobody', p_external_id, 'number', v_move.number, v_version)",
        "a_load_is_by_version",
    ),
    SqlMutant(
        "the version of a commit is forgotten",
        "commit",
        "greatest(marks.version, excluded.version)",
        "marks.version",
        "a_sequence_only_grows",
    ),
    SqlMutant(
        "an event is not queued for its link",
        "add_event",
        "insert into register.unlinked_events values (v_sequence);",
        "",
        "events_are_chained",
    ),
    SqlMutant(
        "a personal field is hashed without its salt",
        "salted",
        "p_salt ||",
        "",
        "events_are_chained",
    ),
)


@pytest.fixture
async def mutable(
    postgres_register: PostgresRegister, migrated_dsn: str
) -> AsyncIterator[Callable[[SqlMutant], Register]]:
    """A function that makes a register over a mutated database."""
    with psycopg.connect(migrated_dsn, autocommit=True) as owner:

        def mutate(mutant: SqlMutant) -> Register:
            name = f"register.{mutant.function}"
            row = owner.execute("select pg_get_functiondef(%s::regproc)", (name,)).fetchone()
            assert row is not None
            assert row[0].count(mutant.old) == 1, "the mutant does not fit the function any more"
            owner.execute(row[0].replace(mutant.old, mutant.new))
            return postgres_register

        yield mutate


@pytest.mark.parametrize("mutant", SQL_MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_mutant_of_the_database_is_caught(
    mutable: Callable[[SqlMutant], Register], mutant: SqlMutant
) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await CHECKS[mutant.misses](mutable(mutant))


@dataclass(frozen=True, slots=True)
class PythonMutant:
    """`name` of `owner` is replaced; `misses` is the check that must fail."""

    owner: Any
    name: str
    new: Any
    misses: str


def _never_raises(*arguments: object, **named: object) -> None:
    """In place of a guard that raises."""


def _is_false(*arguments: object, **named: object) -> bool:
    return False


def _is_true(*arguments: object, **named: object) -> bool:
    return True


def _only_the_stated_holder(move: Any) -> Any:
    return move.expected_holder


def _hold_for_anybody(request: Any, row: Any, *, released: bool) -> Any:
    return holding._taken(request, epoch=1 if row is None else row.epoch + 1)


def _first_epoch(request: Any, row: Any, *, released: bool) -> Any:
    return holding._taken(request, epoch=1)


def _unfenced(register: MemoryRegister, connection: Any, epoch: int) -> Any:
    return register._connections[connection]


def _forget_checkpoints(verifier: chain.Verifier, checkpoints: object) -> None:
    verifier._expected = {}


PYTHON_MUTANTS = (
    PythonMutant(commits, "is_refused", _is_false, "a_taken_number_is_not_free"),
    PythonMutant(commits, "is_refused", _is_false, "a_row_in_another_state_is_not_moved"),
    PythonMutant(commits, "check", _never_raises, "mistakes_are_refused_before_anything"),
    PythonMutant(lifecycle, "may_move", _is_true, "mistakes_are_refused_before_anything"),
    PythonMutant(
        commits,
        "required_holder",
        _only_the_stated_holder,
        "a_resting_number_goes_back_to_its_holder_only",
    ),
    PythonMutant(
        commits, "required_receiver", _never_raises, "a_number_in_transfer_is_for_its_receiver"
    ),
    PythonMutant(commits, "must_have_rested", _is_false, "a_rest_ends_when_it_is_over"),
    PythonMutant(MemoryRegister, "_fenced", _unfenced, "a_commit_needs_the_epoch"),
    PythonMutant(MemoryRegister, "_add_event", _never_raises, "a_claim_is_a_row_and_an_event"),
    PythonMutant(holding, "decide", _hold_for_anybody, "a_connection_in_use_is_held_elsewhere"),
    PythonMutant(holding, "decide", _hold_for_anybody, "a_holder_keeps_its_connection"),
    PythonMutant(holding, "decide", _first_epoch, "an_epoch_never_comes_back"),
    PythonMutant(holding, "changes_hands", _is_false, "listeners_hear_of_administrators_only"),
    PythonMutant(rebuilding, "_CONTRADICTED", frozenset(), "a_rebuild_believes_what_it_sees"),
    PythonMutant(
        chain.Verifier,
        "__post_init__",
        _forget_checkpoints,
        "a_chain_that_misses_its_checkpoint_is_broken",
    ),
)


@pytest.mark.parametrize(
    "mutant", PYTHON_MUTANTS, ids=lambda mutant: f"{mutant.name} by {mutant.misses}"
)
async def test_a_mutant_in_python_is_caught(
    mutant: PythonMutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await CHECKS[mutant.misses](MemoryRegister())
    monkeypatch.setattr(mutant.owner, mutant.name, mutant.new)
    with pytest.raises((AssertionError, pytest.fail.Exception, TimeoutError)):
        await CHECKS[mutant.misses](MemoryRegister())
