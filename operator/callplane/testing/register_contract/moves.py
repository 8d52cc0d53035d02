"""Numbers change hands by the table, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store.ports import (
    Commit,
    IllegalCommit,
    Move,
    MoveRefused,
    NumberRow,
    Register,
)
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    abandon,
    adopt,
    claim,
    confirm,
    elapse,
    gate_row,
    give_back,
    hold,
    holder_row,
    intent,
    later,
    number,
    person,
    receive,
    tenant_object,
    transfer,
    unassign,
    user_object,
)
from callplane.testing.register_contract.asking import (
    ANN,
    BOB,
    Checks,
    listed_in,
    refusal_of,
    row_of,
    run,
)

CHECKS: Checks = {}
check = listed_in(CHECKS)


@check
async def a_number_that_is_received_goes_over_to_its_receivers_connection(
    register: Register,
) -> None:
    away = person("bob", tenant=OTHER_TENANT.external_id)
    epoch = await hold(register)
    other = await hold(register, OTHER_TENANT, declared_by=tenant_object("other"))
    for move in (claim(1, ANN), confirm(1, ANN), transfer(1, ANN, away)):
        await register.commit(TENANT, Commit(moves=[move]), epoch=epoch, now=NOW)
    here, there = await register.load(TENANT), await register.load(OTHER_TENANT)
    assert [row.number for row in here.numbers] == [number(1)]
    assert there.numbers == ()
    given = Commit(moves=[receive(1, away)])
    committed = await register.commit(TENANT, given, epoch=epoch, now=NOW)
    assert [row.connection for row in committed.numbers] == [OTHER_TENANT]
    row = await row_of(register, 1)
    assert row is not None
    assert (row.connection, row.holder, row.state) == (OTHER_TENANT, away, NumberState.CLAIMED)
    # Whoever gave it sees it go, whoever receives it sees it come, by version.
    assert (await register.load(TENANT, since=here.sequence)).removed_numbers == (number(1),)
    arrived = await register.load(OTHER_TENANT, since=there.sequence)
    assert [each.number for each in arrived.numbers] == [number(1)]
    assert arrived.sequence >= arrived.numbers[0].version
    # From now on it is the receiver's to move, and nobody else's.
    with pytest.raises(MoveRefused):
        await register.commit(TENANT, Commit(moves=[confirm(1, away)]), epoch=epoch, now=NOW)
    await register.commit(OTHER_TENANT, Commit(moves=[confirm(1, away)]), epoch=other, now=NOW)


@check
async def a_claim_is_a_row_and_an_event(register: Register) -> None:
    epoch = await hold(register)
    move = claim(
        1, ANN, declared_by=user_object("ann"), range_name="voice/london", number_type="direct"
    )
    commit = Commit(moves=[move], holders=[holder_row("ann")])
    committed = await register.commit(TENANT, commit, epoch=epoch, now=NOW)
    row = await row_of(register, 1)
    assert row == NumberRow(
        number=number(1),
        connection=TENANT,
        state=NumberState.CLAIMED,
        holder=ANN,
        declared_by=user_object("ann"),
        range_name="voice/london",
        number_type="direct",
        transfer_to=None,
        quarantined_until=None,
        reason="",
        updated_at=NOW,
        version=committed.sequence,
    )
    assert committed.numbers == (row,)
    assert committed.holders == (replace(holder_row("ann"), version=committed.sequence),)
    events = await register.history(number(1))
    assert len(events) == 1
    event = events[0]
    assert (event.number, event.at, event.cause) == (number(1), NOW, "Allocate")
    assert (event.from_state, event.to_state) == (NumberState.FREE, NumberState.CLAIMED)
    assert (event.connection, event.installation) == (TENANT, "cluster-1")
    assert (event.holder, event.user_name) == (str(ANN), "ann@contoso.example")
    assert event.declared_by == "TeamsUser voice/ann"
    assert (event.reason, event.link) == ("", None)


@check
async def a_life_is_told_in_order(register: Register) -> None:
    await hold(register)
    await run(
        register,
        claim(1, ANN),
        confirm(1, ANN),
        unassign(1, ANN, until=later(days=90), reason="left"),
        give_back(1, ANN),
        abandon(1),
    )
    events = await register.history(number(1))
    assert [event.cause for event in events] == [
        "Allocate",
        "Confirm",
        "Unassign",
        "ReturnToHolder",
        "Abandon",
    ]
    assert [event.to_state for event in events[:-1]] == [event.from_state for event in events[1:]]
    assert [event.reason for event in events] == ["", "", "left", "", ""]
    # Who gave it up is known, although the move names nobody.
    assert events[-1].holder == str(ANN)
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))


@check
async def a_taken_number_is_not_free(register: Register) -> None:
    await hold(register)
    await run(register, claim(1, ANN))
    refused = await refusal_of(register, claim(1, BOB))
    assert refused.row is not None
    assert refused.row.holder == ANN
    assert len(await register.history(number(1))) == 1


@check
async def a_number_of_another_connection_is_not_free(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await register.commit(OTHER_TENANT, Commit(moves=[claim(1, ANN)]), epoch=other, now=NOW)
    refused = await refusal_of(register, claim(1, BOB))
    assert refused.row is not None
    assert refused.row.connection == OTHER_TENANT


@check
async def a_row_of_another_connection_is_not_moved(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await register.commit(OTHER_TENANT, Commit(moves=[claim(1, ANN)]), epoch=other, now=NOW)
    await refusal_of(register, confirm(1, ANN))


@check
async def a_row_in_another_state_is_not_moved(register: Register) -> None:
    await hold(register)
    await run(register, claim(1, ANN))
    await refusal_of(register, unassign(1, ANN, until=None))


@check
async def a_free_number_has_no_row_to_move(register: Register) -> None:
    await hold(register)
    refused = await refusal_of(register, confirm(1, ANN))
    assert refused.row is None


@check
async def a_row_of_another_holder_is_not_moved(register: Register) -> None:
    await hold(register)
    await run(register, adopt(1, ANN))
    await refusal_of(register, unassign(1, BOB, until=None))
    await refusal_of(register, transfer(1, BOB, ANN))


@check
async def a_holder_does_not_change_in_passing(register: Register) -> None:
    await hold(register)
    await run(register, claim(1, ANN))
    await refusal_of(register, confirm(1, BOB))


@check
async def a_resting_number_goes_back_to_its_holder_only(register: Register) -> None:
    await hold(register)
    await run(register, adopt(1, ANN), unassign(1, ANN, until=later(days=90)))
    await refusal_of(register, give_back(1, BOB))
    await refusal_of(register, claim(1, BOB))
    await run(register, give_back(1, ANN))
    row = await row_of(register, 1)
    assert row is not None
    assert (row.state, row.holder, row.quarantined_until) == (NumberState.CLAIMED, ANN, None)


@check
async def a_rest_ends_when_it_is_over(register: Register) -> None:
    await hold(register)
    await run(register, adopt(1, ANN), unassign(1, ANN, until=later(days=90)))
    await refusal_of(register, elapse(1), now=later(days=89))
    await run(register, elapse(1), now=later(days=90))
    assert await row_of(register, 1) is None


@check
async def a_rest_without_end_goes_on(register: Register) -> None:
    await hold(register)
    await run(register, adopt(1, ANN), unassign(1, ANN, until=None))
    await refusal_of(register, elapse(1), now=later(days=9999))


@check
async def a_number_in_transfer_is_for_its_receiver(register: Register) -> None:
    await hold(register)
    await run(register, adopt(1, ANN), transfer(1, ANN, BOB))
    await refusal_of(register, receive(1, person("eve")))
    await refusal_of(register, receive(1, ANN))
    await run(register, receive(1, BOB))
    row = await row_of(register, 1)
    assert row is not None
    assert (row.state, row.holder, row.transfer_to) == (NumberState.CLAIMED, BOB, None)


@check
async def two_people_swap_in_one_commit(register: Register) -> None:
    epoch = await hold(register)
    await run(register, adopt(1, ANN), adopt(2, BOB))
    swap = Commit(moves=[transfer(2, BOB, ANN), transfer(1, ANN, BOB)])
    committed = await register.commit(TENANT, swap, epoch=epoch, now=NOW)
    assert [row.number for row in committed.numbers] == [number(1), number(2)]
    await register.commit(
        TENANT, Commit(moves=[receive(1, BOB), receive(2, ANN)]), epoch=epoch, now=NOW
    )
    rows = await register.numbers_in(number(1), number(2))
    assert [row.holder for row in rows] == [BOB, ANN]


@check
async def a_declaring_object_is_replaced(register: Register) -> None:
    await hold(register)
    await run(register, adopt(1, ANN, declared_by=user_object("ann")))
    assigned = NumberState.ASSIGNED
    await run(register, Move(number(1), assigned, assigned, Cause.DETACH, holder=ANN))
    row = await row_of(register, 1)
    assert row is not None
    assert (row.state, row.holder, row.declared_by) == (NumberState.ASSIGNED, ANN, None)
    await run(
        register,
        Move(
            number(1),
            assigned,
            assigned,
            Cause.TAKE_OVER,
            holder=ANN,
            declared_by=user_object("anna"),
        ),
    )
    row = await row_of(register, 1)
    assert row is not None
    assert row.declared_by == user_object("anna")
    named = [event.declared_by for event in await register.history(number(1))]
    assert named == ["TeamsUser voice/ann", "TeamsUser voice/ann", "TeamsUser voice/anna"]


@check
async def mistakes_are_refused_before_anything(register: Register) -> None:
    epoch = await hold(register)
    free, claimed = NumberState.FREE, NumberState.CLAIMED
    in_transfer = replace(transfer(1, ANN, BOB), transfer_to=None)
    for commit in (
        Commit(moves=[Move(number(1), free, NumberState.RELEASED, Cause.RELEASE)]),
        Commit(moves=[Move(number(1), free, claimed, "NoSuchCause", holder=ANN)]),
        Commit(moves=[Move(number(1), free, claimed, Cause.ALLOCATE)]),
        Commit(moves=[claim(1, ANN), claim(1, ANN)]),
        Commit(moves=[in_transfer]),
        Commit(moves=[claim(1, ANN, transfer_to=BOB)]),
        Commit(moves=[confirm(1, ANN, expected_holder=BOB)]),
        Commit(holders=[holder_row("ann"), holder_row("ann")]),
        Commit(holders=[holder_row("ann")], dropped_holders=[ANN]),
        Commit(intents=[intent("one"), intent("one")]),
        Commit(gate_rows=[gate_row(1), gate_row(1)]),
        Commit(gate_rows=[gate_row(1)], gate_dropped=[gate_row(1).change_id]),
    ):
        with pytest.raises(IllegalCommit) as caught:
            await register.commit(TENANT, commit, epoch=epoch, now=NOW)
        assert number(1).text not in str(caught.value)
    assert (await register.load(TENANT)).sequence == 0
