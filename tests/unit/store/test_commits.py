"""What a commit must be before any database is asked: every cause, every mistake."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from callplane.numbering import lifecycle
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store import commits
from callplane.store.ports import Commit, IllegalCommit, Move, NumberRow
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    claim,
    elapse,
    give_back,
    later,
    number,
    person,
    receive,
    transfer,
    unassign,
)

ANN, BOB = person("ann"), person("bob")
ROW = NumberRow(
    number=number(1),
    connection=TENANT,
    state=NumberState.QUARANTINED,
    holder=ANN,
    declared_by=None,
    range_name="",
    number_type="",
    transfer_to=None,
    quarantined_until=later(days=90),
    reason="",
    updated_at=NOW,
    version=1,
)


def any_move(expected: NumberState, to: NumberState, cause: str) -> Move:
    """A move with everything its target state asks for."""
    return Move(
        number(1),
        expected=expected,
        to=to,
        cause=cause,
        holder=ANN,
        transfer_to=BOB if to is NumberState.TRANSFERRING else None,
    )


@pytest.mark.parametrize("cause", Cause)
def test_only_moves_of_the_table_pass(cause: Cause) -> None:
    for expected, to in product(NumberState, NumberState):
        commit = Commit(moves=[any_move(expected, to, cause)])
        if (expected, to, cause) in lifecycle.TRANSITIONS:
            commits.check(commit)
        else:
            with pytest.raises(IllegalCommit, match=f"cannot go from .* by {cause}"):
                commits.check(commit)


def test_a_mistake_names_place_and_reason_but_no_number() -> None:
    with pytest.raises(IllegalCommit) as caught:
        commits.check(Commit(moves=[replace(claim(1, ANN), holder=None)]))
    assert str(caught.value) == "+44…0001 cannot be Claimed without a holder"


def test_an_empty_commit_is_told_whatever_it_is_made_of() -> None:
    assert commits.is_empty(Commit())
    assert commits.is_empty(Commit(moves=[], holders=[], gate_dropped=[]))
    assert not commits.is_empty(Commit(gate_dropped=["a"]))
    assert not commits.is_empty(Commit(moves=[claim(1, ANN)]))


def refused(move: Move, row: NumberRow | None) -> bool:
    return commits.is_refused(move, row, connection=TENANT, now=NOW)


def test_a_row_must_be_as_expected() -> None:
    assert refused(claim(1, ANN), ROW)
    assert not refused(claim(1, ANN), None)
    assert refused(give_back(1, ANN), None)
    assert not refused(give_back(1, ANN), ROW)
    assert refused(give_back(1, ANN), replace(ROW, connection=OTHER_TENANT))
    assert refused(give_back(1, ANN), replace(ROW, state=NumberState.ASSIGNED))
    assert refused(give_back(1, BOB), ROW)
    assert refused(give_back(1, ANN), replace(ROW, holder=None))


def test_the_stated_holder_must_have_it() -> None:
    assigned = replace(ROW, state=NumberState.ASSIGNED)
    assert not refused(unassign(1, ANN, until=None), assigned)
    assert refused(unassign(1, BOB, until=None), assigned)
    assert refused(transfer(1, BOB, ANN), assigned)


def test_a_transfer_ends_with_its_receiver() -> None:
    under_way = replace(ROW, state=NumberState.TRANSFERRING, transfer_to=BOB)
    assert not refused(receive(1, BOB), under_way)
    assert refused(receive(1, ANN), under_way)


@pytest.mark.parametrize(
    ("until", "is_refused"),
    [(None, True), (later(seconds=1), True), (NOW, False), (later(days=-1), False)],
)
def test_a_rest_has_to_be_over(until: object, is_refused: bool) -> None:
    assert refused(elapse(1), replace(ROW, quarantined_until=until)) is is_refused


def test_a_freed_number_leaves_no_row() -> None:
    assert commits.row_after(elapse(1), connection=TENANT, now=NOW, version=3) is None
    row = commits.row_after(claim(1, ANN), connection=TENANT, now=NOW, version=3)
    assert row is not None
    assert (row.state, row.holder, row.version) == (NumberState.CLAIMED, ANN, 3)
