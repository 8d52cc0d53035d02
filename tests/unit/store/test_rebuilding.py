"""A rebuild over every state a row may be in."""

from __future__ import annotations

import pytest

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store import commits, rebuilding
from callplane.store.ports import Commit, Move, MoveRefused, NumberRow, ObservedNumber
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    later,
    number,
    person,
    user_object,
)
from callplane.values import ConnectionId, HolderId

ANN, BOB = person("ann"), person("bob")
UNTIL = later(days=90)
WITH_A_ROW = [state for state in NumberState if state is not NumberState.FREE]


def row(state: NumberState, *, connection: ConnectionId = TENANT) -> NumberRow:
    return NumberRow(
        number=number(1),
        connection=connection,
        state=state,
        holder=ANN,
        declared_by=user_object("ann"),
        range_name="voice/london",
        number_type="",
        transfer_to=BOB if state is NumberState.TRANSFERRING else None,
        quarantined_until=None,
        reason="",
        updated_at=NOW,
        version=1,
    )


def moves(state: NumberState, holder: HolderId | None) -> tuple[Move, ...]:
    known = {} if state is NumberState.FREE else {number(1): row(state)}
    return rebuilding.moves(
        known, [ObservedNumber(number(1), holder)], connection=TENANT, quarantined_until=UNTIL
    )


@pytest.mark.parametrize("state", NumberState)
@pytest.mark.parametrize("holder", [None, ANN, BOB])
def test_every_move_is_in_the_table(state: NumberState, holder: HolderId | None) -> None:
    made = moves(state, holder)
    commits.check(Commit(moves=made))
    assert {move.cause for move in made} <= {Cause.REBUILD}
    assert {move.expected for move in made} <= {state}


@pytest.mark.parametrize("state", NumberState)
def test_who_has_it_has_it(state: NumberState) -> None:
    (move,) = moves(state, BOB)
    assert (move.to, move.holder, move.declared_by) == (NumberState.ASSIGNED, BOB, None)


def test_what_agrees_is_left_alone() -> None:
    assert moves(NumberState.ASSIGNED, ANN) == ()


@pytest.mark.parametrize("state", WITH_A_ROW)
def test_what_nobody_has_rests_or_is_kept(state: NumberState) -> None:
    made = moves(state, None)
    if state in (NumberState.CLAIMED, NumberState.ASSIGNED, NumberState.TRANSFERRING):
        (move,) = made
        assert (move.to, move.holder) == (NumberState.QUARANTINED, ANN)
        assert (move.quarantined_until, move.reason) == (UNTIL, "unknown history")
        assert move.range_name == "voice/london"
    else:
        assert made == ()


def test_an_unknown_number_rests() -> None:
    (move,) = moves(NumberState.FREE, None)
    assert (move.to, move.holder) == (NumberState.QUARANTINED, None)


def test_moves_are_in_order_of_number() -> None:
    seen = [ObservedNumber(number(index), ANN) for index in (3, 1, 2)]
    made = rebuilding.moves({}, seen, connection=TENANT, quarantined_until=UNTIL)
    assert [move.number for move in made] == [number(1), number(2), number(3)]


def test_another_connection_keeps_its_numbers() -> None:
    known = {number(1): row(NumberState.ASSIGNED, connection=OTHER_TENANT)}
    with pytest.raises(MoveRefused):
        rebuilding.moves(
            known, [ObservedNumber(number(1), ANN)], connection=TENANT, quarantined_until=UNTIL
        )


@pytest.mark.parametrize("state", WITH_A_ROW)
def test_what_rests_or_is_held_elsewhere_and_is_on_nobody_here_is_left_alone(
    state: NumberState,
) -> None:
    known = {number(1): row(state, connection=OTHER_TENANT)}
    seen = [ObservedNumber(number(1), None), ObservedNumber(number(2), ANN)]
    (move,) = rebuilding.moves(known, seen, connection=TENANT, quarantined_until=UNTIL)
    assert (move.number, move.holder) == (number(2), ANN)
