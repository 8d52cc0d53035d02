"""The whole lifecycle table: every pair of states and every cause, not a sample of them."""

from __future__ import annotations

from collections import deque
from itertools import product

import pytest

from callplane.apis import phone_numbers
from callplane.numbering import lifecycle
from callplane.numbering.lifecycle import Cause, NumberState

# Written by hand and not derived from the table, so that a slip in the table shows here. A row is a
# state, an entry what may follow it and why.
EXPECTED: dict[str, dict[str, set[str]]] = {
    "Free": {
        "Reserved": {"Reserve"},
        "Claimed": {"Allocate"},
        "Assigned": {"Adopt", "Rebuild"},
        "Quarantined": {"Rebuild", "RestForRelease"},
        "Ordering": {"Order"},
        "PortingIn": {"PortIn"},
    },
    "Reserved": {
        "Free": {"Unreserve"},
        "Claimed": {"Allocate"},
        "Assigned": {"Adopt", "Rebuild"},
    },
    "Claimed": {
        "Claimed": {"TakeOver", "Detach", "Orphan"},
        "Assigned": {"Confirm", "Rebuild"},
        "Free": {"Abandon"},
        "Quarantined": {"Unassign", "Rebuild"},
        "Transferring": {"Transfer"},
    },
    "Assigned": {
        "Assigned": {"TakeOver", "Detach", "Orphan", "Rebuild"},
        "Quarantined": {"Unassign", "Rebuild"},
        "Transferring": {"Transfer"},
    },
    "Transferring": {
        "Transferring": {"TakeOver", "Detach", "Orphan"},
        "Claimed": {"Receive"},
        "Assigned": {"Cancel", "Rebuild"},
        "Quarantined": {"Abandon", "Rebuild"},
    },
    "Quarantined": {
        "Assigned": {"Adopt", "Rebuild"},
        "Claimed": {"ReturnToHolder"},
        "Free": {"Elapse"},
        "ReleasePending": {"RequestRelease"},
    },
    "Ordering": {"Free": {"Activate"}, "Released": {"Cancel"}, "Assigned": {"Rebuild"}},
    "PortingIn": {"Free": {"Activate"}, "Released": {"Cancel"}, "Assigned": {"Rebuild"}},
    "ReleasePending": {
        "Quarantined": {"Keep"},
        "Released": {"Release"},
        "Assigned": {"Rebuild"},
    },
    "Released": {
        "Ordering": {"Order"},
        "PortingIn": {"PortIn"},
        "Assigned": {"Rebuild"},
        "Free": {"Activate"},
    },
}


@pytest.mark.parametrize(("before", "after"), list(product(NumberState, NumberState)))
def test_every_pair_of_states_with_every_cause(before: NumberState, after: NumberState) -> None:
    wanted = EXPECTED[before.value].get(after.value, set())
    allowed = {cause.value for cause in Cause if lifecycle.may_move(before, after, cause)}
    assert allowed == wanted
    assert {cause.value for cause in lifecycle.causes(before, after)} == wanted


def test_a_cause_that_is_none_moves_nothing() -> None:
    assert not lifecycle.may_move(NumberState.FREE, NumberState.CLAIMED, "because")


def test_a_cause_may_be_given_as_text() -> None:
    assert lifecycle.may_move(NumberState.FREE, NumberState.CLAIMED, "Allocate")


def test_no_number_is_stuck() -> None:
    for start in NumberState:
        assert NumberState.FREE in reachable(start)


def test_a_used_number_reaches_somebody_new_only_through_its_rest() -> None:
    without_rest = reachable(
        NumberState.ASSIGNED, avoiding={NumberState.QUARANTINED, NumberState.TRANSFERRING}
    )
    assert without_rest == {NumberState.ASSIGNED}


def test_a_number_is_released_only_from_its_rest() -> None:
    for start in NumberState:
        if start in {NumberState.ORDERING, NumberState.PORTING_IN, NumberState.RELEASED}:
            # These never were ours: cancelling an order gives nothing back.
            continue
        if start in {NumberState.QUARANTINED, NumberState.RELEASE_PENDING}:
            continue
        on_their_way = {NumberState.ORDERING, NumberState.PORTING_IN}
        avoided = reachable(start, avoiding={NumberState.QUARANTINED, *on_their_way})
        assert NumberState.RELEASED not in avoided


def test_every_cause_is_of_use() -> None:
    assert {cause for _, _, cause in lifecycle.TRANSITIONS} == set(Cause)


def test_states_are_those_of_the_api() -> None:
    assert [state.value for state in NumberState] == [
        state.value for state in phone_numbers.NumberState
    ]


def reachable(start: NumberState, *, avoiding: set[NumberState] | None = None) -> set[NumberState]:
    seen, waiting = {start}, deque([start])
    while waiting:
        state = waiting.popleft()
        for before, after, _ in lifecycle.TRANSITIONS:
            if before is state and after not in seen and after not in (avoiding or set()):
                seen.add(after)
                waiting.append(after)
    return seen
