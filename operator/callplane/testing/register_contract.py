"""What every register does: one list of checks, run over PostgreSQL and its in-memory twin.

Each check is a coroutine function over a register with nothing in it. The mutants of the register
are run over the same checks: a guard that is taken out must make the check of its name fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan import change as changes
from callplane.plan.gate import GateStatus
from callplane.store.ports import (
    Checkpoint,
    Commit,
    ConnectionRow,
    EpochLost,
    HeldElsewhere,
    IllegalCommit,
    IntentState,
    Move,
    MoveRefused,
    NumberRow,
    ObservedNumber,
    Register,
    RegisterState,
)
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    STALE_AFTER_SECONDS,
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
from callplane.values import E164, ConnectionId

Check = Callable[[Register], Awaitable[None]]
CHECKS: dict[str, Check] = {}

ANN, BOB = person("ann"), person("bob")


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


async def _row(register: Register, index: int) -> NumberRow | None:
    rows = await register.numbers_in(number(index), number(index))
    return rows[0] if rows else None


async def _run(register: Register, *moves: Move, epoch: int = 1, now: datetime = NOW) -> None:
    """Commit moves one after the other."""
    for move in moves:
        await register.commit(TENANT, Commit(moves=[move]), epoch=epoch, now=now)


async def _refused(register: Register, move: Move, *, now: datetime = NOW) -> MoveRefused:
    """The move is refused, whatever stands beside it in its commit is not written either."""
    before = await register.load(TENANT)
    commit = Commit(
        # A move of a lower and one of a higher number, so that one of them would come first.
        moves=[claim(0, BOB), move, claim(999, BOB)],
        holders=[holder_row("bob")],
        intents=[intent("beside")],
        gate_rows=[gate_row(77)],
    )
    with pytest.raises(MoveRefused) as caught:
        await register.commit(TENANT, commit, epoch=1, now=now)
    assert await register.load(TENANT) == before
    assert caught.value.number == move.number
    assert caught.value.row == await _row(register, int(move.number.text[-3:]))
    assert move.number.text not in str(caught.value)
    assert await register.history(number(0)) == ()
    return caught.value


@_check
async def a_claim_is_a_row_and_an_event(register: Register) -> None:
    epoch = await hold(register)
    move = claim(
        1, ANN, declared_by=user_object("ann"), range_name="voice/london", number_type="direct"
    )
    commit = Commit(moves=[move], holders=[holder_row("ann")])
    committed = await register.commit(TENANT, commit, epoch=epoch, now=NOW)
    row = await _row(register, 1)
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


@_check
async def a_life_is_told_in_order(register: Register) -> None:
    await hold(register)
    await _run(
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


@_check
async def a_taken_number_is_not_free(register: Register) -> None:
    await hold(register)
    await _run(register, claim(1, ANN))
    refused = await _refused(register, claim(1, BOB))
    assert refused.row is not None
    assert refused.row.holder == ANN
    assert len(await register.history(number(1))) == 1


@_check
async def a_number_of_another_connection_is_not_free(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await register.commit(OTHER_TENANT, Commit(moves=[claim(1, ANN)]), epoch=other, now=NOW)
    refused = await _refused(register, claim(1, BOB))
    assert refused.row is not None
    assert refused.row.connection == OTHER_TENANT


@_check
async def a_row_of_another_connection_is_not_moved(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await register.commit(OTHER_TENANT, Commit(moves=[claim(1, ANN)]), epoch=other, now=NOW)
    await _refused(register, confirm(1, ANN))


@_check
async def a_row_in_another_state_is_not_moved(register: Register) -> None:
    await hold(register)
    await _run(register, claim(1, ANN))
    await _refused(register, unassign(1, ANN, until=None))


@_check
async def a_free_number_has_no_row_to_move(register: Register) -> None:
    await hold(register)
    refused = await _refused(register, confirm(1, ANN))
    assert refused.row is None


@_check
async def a_row_of_another_holder_is_not_moved(register: Register) -> None:
    await hold(register)
    await _run(register, adopt(1, ANN))
    await _refused(register, unassign(1, BOB, until=None))
    await _refused(register, transfer(1, BOB, ANN))


@_check
async def a_holder_does_not_change_in_passing(register: Register) -> None:
    await hold(register)
    await _run(register, claim(1, ANN))
    await _refused(register, confirm(1, BOB))


@_check
async def a_resting_number_goes_back_to_its_holder_only(register: Register) -> None:
    await hold(register)
    await _run(register, adopt(1, ANN), unassign(1, ANN, until=later(days=90)))
    await _refused(register, give_back(1, BOB))
    await _refused(register, claim(1, BOB))
    await _run(register, give_back(1, ANN))
    row = await _row(register, 1)
    assert row is not None
    assert (row.state, row.holder, row.quarantined_until) == (NumberState.CLAIMED, ANN, None)


@_check
async def a_rest_ends_when_it_is_over(register: Register) -> None:
    await hold(register)
    await _run(register, adopt(1, ANN), unassign(1, ANN, until=later(days=90)))
    await _refused(register, elapse(1), now=later(days=89))
    await _run(register, elapse(1), now=later(days=90))
    assert await _row(register, 1) is None


@_check
async def a_rest_without_end_goes_on(register: Register) -> None:
    await hold(register)
    await _run(register, adopt(1, ANN), unassign(1, ANN, until=None))
    await _refused(register, elapse(1), now=later(days=9999))


@_check
async def a_number_in_transfer_is_for_its_receiver(register: Register) -> None:
    await hold(register)
    await _run(register, adopt(1, ANN), transfer(1, ANN, BOB))
    await _refused(register, receive(1, person("eve")))
    await _refused(register, receive(1, ANN))
    await _run(register, receive(1, BOB))
    row = await _row(register, 1)
    assert row is not None
    assert (row.state, row.holder, row.transfer_to) == (NumberState.CLAIMED, BOB, None)


@_check
async def two_people_swap_in_one_commit(register: Register) -> None:
    epoch = await hold(register)
    await _run(register, adopt(1, ANN), adopt(2, BOB))
    swap = Commit(moves=[transfer(2, BOB, ANN), transfer(1, ANN, BOB)])
    committed = await register.commit(TENANT, swap, epoch=epoch, now=NOW)
    assert [row.number for row in committed.numbers] == [number(1), number(2)]
    await register.commit(
        TENANT, Commit(moves=[receive(1, BOB), receive(2, ANN)]), epoch=epoch, now=NOW
    )
    rows = await register.numbers_in(number(1), number(2))
    assert [row.holder for row in rows] == [BOB, ANN]


@_check
async def a_declaring_object_is_replaced(register: Register) -> None:
    await hold(register)
    await _run(register, adopt(1, ANN, declared_by=user_object("ann")))
    assigned = NumberState.ASSIGNED
    await _run(register, Move(number(1), assigned, assigned, Cause.DETACH, holder=ANN))
    row = await _row(register, 1)
    assert row is not None
    assert (row.state, row.holder, row.declared_by) == (NumberState.ASSIGNED, ANN, None)
    await _run(
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
    row = await _row(register, 1)
    assert row is not None
    assert row.declared_by == user_object("anna")
    named = [event.declared_by for event in await register.history(number(1))]
    assert named == ["TeamsUser voice/ann", "TeamsUser voice/ann", "TeamsUser voice/anna"]


@_check
async def a_commit_needs_the_epoch(register: Register) -> None:
    first = await hold(register)
    second = await hold(register)
    assert second > first
    full = Commit(moves=[claim(1, ANN)], holders=[holder_row("ann")], intents=[intent("one")])
    for commit in (full, Commit()):
        with pytest.raises(EpochLost):
            await register.commit(TENANT, commit, epoch=first, now=NOW)
        with pytest.raises(EpochLost):
            await register.commit(TENANT, commit, epoch=second + 1, now=NOW)
    state = await register.load(TENANT)
    assert (state.numbers, state.holders, state.open_intents) == ((), (), ())
    assert await register.history(number(1)) == ()
    await register.commit(TENANT, full, epoch=second, now=NOW)
    assert await _row(register, 1) is not None


@_check
async def a_connection_nobody_holds_takes_no_commit(register: Register) -> None:
    with pytest.raises(EpochLost):
        await register.commit(TENANT, Commit(moves=[claim(1, ANN)]), epoch=0, now=NOW)
    with pytest.raises(EpochLost):
        await register.heartbeat(TENANT, epoch=0, now=NOW)
    with pytest.raises(EpochLost):
        await register.release_connection(TENANT, epoch=0)


@_check
async def an_epoch_never_comes_back(register: Register) -> None:
    epoch = await hold(register)
    await _run(register, claim(1, ANN))
    with pytest.raises(EpochLost):
        await register.release_connection(TENANT, epoch=epoch + 1)
    await register.release_connection(TENANT, epoch=epoch)
    assert await register.connections() == ()
    with pytest.raises(EpochLost):
        await register.commit(TENANT, Commit(), epoch=epoch, now=NOW)
    with pytest.raises(EpochLost):
        await register.heartbeat(TENANT, epoch=epoch, now=NOW)
    again = await hold(
        register, declared_by=tenant_object(installation="cluster-2"), new_epoch=False
    )
    assert again > epoch
    assert await _row(register, 1) is not None, "numbers outlive their connection's object"


async def _ask(
    register: Register,
    name: str = "contoso",
    *,
    installation: str = "cluster-1",
    age_seconds: float = 0.0,
    force: bool = False,
) -> ConnectionRow | HeldElsewhere:
    return await register.hold_connection(
        TENANT,
        declared_by=tenant_object(name, installation=installation),
        now=later(seconds=age_seconds),
        stale_after_seconds=STALE_AFTER_SECONDS,
        new_epoch=False,
        force=force,
    )


@_check
async def a_holder_keeps_its_connection(register: Register) -> None:
    first = await _ask(register)
    assert first == ConnectionRow(TENANT, "cluster-1", tenant_object(), 1, NOW)
    kept = await _ask(register, age_seconds=9999)
    assert kept == replace(first, heartbeat_at=later(seconds=9999))
    assert await hold(register) == 2
    assert await register.connections() == (replace(first, epoch=2),)


@_check
async def an_object_made_again_is_the_same(register: Register) -> None:
    await _ask(register)
    again = await register.hold_connection(
        TENANT,
        declared_by=replace(tenant_object(), uid="uid-of-the-next"),
        now=NOW,
        stale_after_seconds=STALE_AFTER_SECONDS,
        new_epoch=False,
    )
    assert isinstance(again, ConnectionRow)
    assert (again.epoch, again.declared_by.uid) == (1, "uid-of-the-next")


@_check
async def a_connection_in_use_is_held_elsewhere(register: Register) -> None:
    row = await _ask(register)
    assert isinstance(row, ConnectionRow)
    for name, installation in (("contoso", "cluster-2"), ("fabrikam", "cluster-1")):
        answer = await _ask(
            register, name, installation=installation, age_seconds=STALE_AFTER_SECONDS
        )
        assert answer == HeldElsewhere(row)
    assert await register.connections() == (row,)


@_check
async def a_heartbeat_keeps_a_connection(register: Register) -> None:
    await _ask(register)
    await register.heartbeat(TENANT, epoch=1, now=later(seconds=200))
    held = await _ask(register, installation="cluster-2", age_seconds=STALE_AFTER_SECONDS + 1)
    assert isinstance(held, HeldElsewhere)
    assert held.row.heartbeat_at == later(seconds=200)
    with pytest.raises(EpochLost):
        await register.heartbeat(TENANT, epoch=2, now=NOW)


@_check
async def a_stale_connection_is_taken_over(register: Register) -> None:
    await _ask(register)
    taken = await _ask(
        register, "fabrikam", installation="cluster-2", age_seconds=STALE_AFTER_SECONDS + 1
    )
    assert isinstance(taken, ConnectionRow)
    assert (taken.installation, taken.epoch) == ("cluster-2", 2)
    with pytest.raises(EpochLost):
        await register.commit(TENANT, Commit(), epoch=1, now=NOW)


@_check
async def a_connection_is_taken_by_force(register: Register) -> None:
    await _ask(register)
    taken = await _ask(register, installation="cluster-2", force=True)
    assert isinstance(taken, ConnectionRow)
    assert (taken.installation, taken.epoch) == ("cluster-2", 2)


@_check
async def a_load_is_by_version(register: Register) -> None:
    epoch = await hold(register)
    assert await register.load(TENANT) == RegisterState((), (), (), (), 0)
    await _run(register, claim(1, ANN), claim(2, BOB))
    first = await register.load(TENANT)
    assert [row.number for row in first.numbers] == [number(1), number(2)]
    assert first.removed_numbers == ()
    await register.commit(
        TENANT,
        Commit(moves=[confirm(2, BOB), abandon(1)], holders=[holder_row("bob")]),
        epoch=epoch,
        now=later(seconds=1),
    )
    second = await register.load(TENANT, since=first.sequence)
    assert [row.number for row in second.numbers] == [number(2)]
    assert [row.holder for row in second.holders] == [BOB]
    assert second.removed_numbers == (number(1),)
    assert second.sequence > first.sequence
    assert second.sequence == max(row.version for row in second.numbers)
    third = await register.load(TENANT, since=second.sequence)
    assert third == RegisterState((), (), (), (), second.sequence)
    await _run(register, claim(1, BOB))
    fourth = await register.load(TENANT, since=first.sequence)
    assert fourth.removed_numbers == (), "it is taken again"
    assert (await register.load(OTHER_TENANT)).numbers == ()


@_check
async def a_number_gone_to_another_connection_is_removed(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await _run(register, claim(1, ANN))
    seen = (await register.load(TENANT)).sequence
    await _run(register, abandon(1))
    await register.commit(OTHER_TENANT, Commit(moves=[claim(1, ANN)]), epoch=other, now=NOW)
    assert (await register.load(TENANT, since=seen)).removed_numbers == (number(1),)


@_check
async def a_sequence_only_grows(register: Register) -> None:
    epoch = await hold(register)
    seen = [0]
    for commit in (
        Commit(gate_rows=[gate_row(1), gate_row(2)]),
        Commit(gate_dropped=[gate_row(1).change_id]),
        Commit(intents=[intent("one")]),
        Commit(moves=[claim(1, ANN)], holders=[holder_row("ann")]),
        Commit(dropped_holders=[ANN]),
        Commit(moves=[abandon(1)]),
    ):
        committed = await register.commit(TENANT, commit, epoch=epoch, now=NOW)
        state = await register.load(TENANT)
        assert state.sequence == committed.sequence
        seen.append(state.sequence)
    assert seen == sorted(set(seen))
    nothing = await register.commit(TENANT, Commit(), epoch=epoch, now=NOW)
    assert nothing.sequence == seen[-1]
    assert (await register.identity()).sequence == seen[-1]


@_check
async def intents_are_open_until_they_are_not(register: Register) -> None:
    epoch = await hold(register)
    sent = intent("one")
    await register.commit(
        TENANT, Commit(intents=[sent, intent("zero", "bob")]), epoch=epoch, now=NOW
    )
    state = await register.load(TENANT, since=10**9)
    assert state.open_intents == (sent, intent("zero", "bob")), "complete, whatever the version"
    known = replace(sent, operation="operations('7')")
    await register.commit(TENANT, Commit(intents=[known]), epoch=epoch, now=NOW)
    assert known in (await register.load(TENANT)).open_intents
    for final in (IntentState.CONFIRMED, IntentState.REFUSED, IntentState.ABANDONED):
        await register.commit(
            TENANT,
            Commit(intents=[replace(known, state=final, detail="why")]),
            epoch=epoch,
            now=NOW,
        )
        assert [each.request_id for each in (await register.load(TENANT)).open_intents] == ["zero"]


@_check
async def gate_rows_are_kept_whole(register: Register) -> None:
    epoch = await hold(register)
    full = gate_row(
        1,
        change=replace(gate_row(1).change, cause=changes.Cause.DRIFT, irreversible=True),
        status=GateStatus.CONSUMED,
        digest="cp1:00",
        approval="uid-of-the-approval",
        expires_at=later(days=7),
        consumed_at=later(seconds=3),
    )
    await register.commit(TENANT, Commit(gate_rows=[gate_row(2), full]), epoch=epoch, now=NOW)
    rows = (await register.load(TENANT, since=10**9)).gate_rows
    assert {row.change_id: row for row in rows} == {
        gate_row(2).change_id: gate_row(2),
        full.change_id: full,
    }
    assert [row.change.cause for row in rows if row == full] == [changes.Cause.DRIFT]
    granted = replace(gate_row(2), status=GateStatus.GRANTED)
    await register.commit(
        TENANT,
        Commit(gate_rows=[granted], gate_dropped=[full.change_id, "unknown"]),
        epoch=epoch,
        now=NOW,
    )
    assert (await register.load(TENANT)).gate_rows == (granted,)


@_check
async def holders_are_kept_whole(register: Register) -> None:
    epoch = await hold(register)
    row = holder_row("ann", applied={"number": None, "policies": {'Ürün ✓ "q" \\': [1, True]}})
    bare = replace(holder_row("bob"), declared_by=None, undone={}, applied={})
    committed = await register.commit(TENANT, Commit(holders=[row, bare]), epoch=epoch, now=NOW)
    state = await register.load(TENANT)
    assert state.holders == committed.holders
    assert state.holders == tuple(replace(each, version=committed.sequence) for each in (row, bare))
    await register.commit(
        TENANT, Commit(dropped_holders=[ANN, person("nobody")]), epoch=epoch, now=NOW
    )
    state = await register.load(TENANT, since=committed.sequence)
    assert state.holders == ()
    assert state.removed_holders == (ANN, person("nobody"))
    await register.commit(TENANT, Commit(holders=[row]), epoch=epoch, now=NOW)
    state = await register.load(TENANT, since=committed.sequence)
    assert [each.holder for each in state.holders] == [ANN]
    assert state.removed_holders == (person("nobody"),)


@_check
async def a_leaver_is_named_in_history(register: Register) -> None:
    epoch = await hold(register)
    await register.commit(
        TENANT, Commit(moves=[adopt(1, ANN)], holders=[holder_row("ann")]), epoch=epoch, now=NOW
    )
    await register.commit(
        TENANT,
        Commit(moves=[unassign(1, ANN, until=None)], dropped_holders=[ANN]),
        epoch=epoch,
        now=NOW,
    )
    names = [event.user_name for event in await register.history(number(1))]
    assert names == ["ann@contoso.example", "ann@contoso.example"]


@_check
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


@_check
async def a_span_is_read_over_all_connections(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await _run(register, claim(3, ANN), claim(1, BOB))
    await register.commit(OTHER_TENANT, Commit(moves=[claim(2, ANN)]), epoch=other, now=NOW)
    longer = replace(claim(4, ANN), number=E164(number(2).text + "1"))
    await _run(register, longer)
    rows = await register.numbers_in(number(1), number(2))
    assert [row.number for row in rows] == [number(1), number(2)]
    assert [row.connection for row in rows] == [TENANT, OTHER_TENANT]
    rows = await register.numbers_in(number(0), number(999))
    assert [row.number for row in rows] == [number(1), number(2), number(3)]
    for first, last in ((number(2), number(1)), (number(1), longer.number)):
        with pytest.raises(ValueError, match=r"length|greater"):
            await register.numbers_in(first, last)


@_check
async def events_are_chained(register: Register) -> None:
    await hold(register)
    empty = await register.verify()
    assert (empty.events, empty.unlinked, empty.first_broken, empty.head) == (0, 0, None, "")
    assert await register.checkpoint() == Checkpoint(0, "")
    assert await register.link_events() == 0
    await _run(register, claim(1, ANN), claim(2, BOB), confirm(1, ANN))
    assert await register.link_events(limit=2) == 2
    half = await register.checkpoint()
    report = await register.verify()
    assert (report.events, report.unlinked, report.first_broken) == (3, 1, None)
    assert (half.position, half.link) == (2, report.head)
    assert await register.link_events(limit=2) == 1
    assert await register.link_events(limit=2) == 0
    report = await register.verify(checkpoint=half)
    assert (report.events, report.unlinked, report.first_broken) == (3, 0, None)
    assert report.details == ()
    linked = [event.link for event in await register.history(number(1))]
    assert len(set(linked)) == 2
    assert linked[-1] == report.head
    assert half.link == (await register.history(number(2)))[0].link


@_check
async def a_chain_that_misses_its_checkpoint_is_broken(register: Register) -> None:
    await hold(register)
    await _run(register, claim(1, ANN))
    await register.link_events()
    other = Checkpoint(1, "00" * 32)
    report = await register.verify(checkpoint=other)
    assert report.first_broken == (await register.history(number(1)))[0].sequence
    head = await register.checkpoint()
    report = await register.verify(checkpoint=replace(head, position=2))
    assert report.first_broken is not None
    assert "before the checkpoint at 2" in report.details[0]


@_check
async def redaction_leaves_the_chain_whole(register: Register) -> None:
    epoch = await hold(register)
    await register.commit(
        TENANT,
        Commit(moves=[claim(1, ANN), claim(2, BOB)], holders=[holder_row("ann")]),
        epoch=epoch,
        now=NOW,
    )
    await register.commit(
        TENANT, Commit(moves=[confirm(1, ANN), claim(3, ANN)]), epoch=epoch, now=NOW
    )
    await register.link_events()
    head = (await register.verify()).head
    assert await register.redact(number(1)) == 2
    assert [event.holder for event in await register.history(number(1))] == ["", ""]
    assert [event.user_name for event in await register.history(number(1))] == ["", ""]
    assert [event.declared_by for event in await register.history(number(1))] == ["", ""]
    assert (await register.history(number(3)))[0].user_name == "ann@contoso.example"
    assert await register.redact(ANN) == 1
    assert await register.redact(ANN) == 0
    assert (await register.history(number(3)))[0].user_name == ""
    assert (await register.history(number(2)))[0].holder == str(BOB)
    report = await register.verify()
    assert (report.first_broken, report.redacted, report.head) == (None, 3, head)
    row = await _row(register, 1)
    assert row is not None
    assert row.holder == ANN, "a number in use keeps its holder"


@_check
async def a_rebuild_believes_what_it_sees(register: Register) -> None:
    epoch = await hold(register)
    await _run(
        register,
        adopt(1, ANN, declared_by=user_object("ann")),
        adopt(2, ANN),
        adopt(3, ANN),
        claim(4, BOB),
        adopt(5, BOB),
        unassign(5, BOB, until=later(days=10)),
        adopt(6, BOB),
        unassign(6, BOB, until=later(days=10)),
        adopt(7, ANN),
        transfer(7, ANN, BOB),
        adopt(10, ANN),
    )
    until = later(days=90)
    seen = [
        ObservedNumber(number(1), ANN, "voice/london", "direct"),
        ObservedNumber(number(2), BOB),
        ObservedNumber(number(3), None),
        ObservedNumber(number(4), BOB),
        ObservedNumber(number(5), None),
        ObservedNumber(number(6), ANN),
        ObservedNumber(number(7), None),
        ObservedNumber(number(8), BOB),
        ObservedNumber(number(9), None, "voice/london"),
    ]
    committed = await register.replace_from_observation(
        TENANT, seen, now=later(seconds=5), quarantined_until=until
    )
    assert {row.number for row in committed.numbers} == {
        number(index) for index in (2, 3, 4, 6, 7, 8, 9)
    }
    rows = {row.number: row for row in await register.numbers_in(number(0), number(99))}
    unknown, assigned = "unknown history", NumberState.ASSIGNED
    resting = NumberState.QUARANTINED
    assert [
        (row.state, row.holder, row.quarantined_until, row.reason) for row in rows.values()
    ] == [
        (assigned, ANN, None, ""),
        (assigned, BOB, None, ""),
        (resting, ANN, until, unknown),
        (assigned, BOB, None, ""),
        (resting, BOB, later(days=10), ""),
        (assigned, ANN, None, ""),
        (resting, ANN, until, unknown),
        (assigned, BOB, None, ""),
        (resting, None, until, unknown),
        (assigned, ANN, None, ""),
    ]
    assert rows[number(1)].declared_by == user_object("ann"), "nothing is touched that agrees"
    with pytest.raises(EpochLost):
        await register.commit(TENANT, Commit(), epoch=epoch, now=NOW)
    again = await register.replace_from_observation(
        TENANT, seen, now=later(seconds=9), quarantined_until=until
    )
    assert again.numbers == ()
    assert (await register.history(number(9)))[-1].cause == "Rebuild"


@_check
async def a_rebuild_needs_no_rows_at_all(register: Register) -> None:
    committed = await register.replace_from_observation(
        TENANT,
        [ObservedNumber(number(1), ANN), ObservedNumber(number(2), None)],
        now=NOW,
        quarantined_until=later(days=90),
    )
    assert [row.state for row in committed.numbers] == [
        NumberState.ASSIGNED,
        NumberState.QUARANTINED,
    ]
    assert await hold(register) == 1


@_check
async def a_rebuild_takes_nothing_from_another_connection(register: Register) -> None:
    other = await hold(register, OTHER_TENANT)
    await register.commit(OTHER_TENANT, Commit(moves=[claim(2, ANN)]), epoch=other, now=NOW)
    with pytest.raises(MoveRefused):
        await register.replace_from_observation(
            TENANT,
            [ObservedNumber(number(1), BOB), ObservedNumber(number(2), BOB)],
            now=NOW,
            quarantined_until=later(days=90),
        )
    assert await _row(register, 1) is None


@_check
async def listeners_hear_of_administrators_only(register: Register) -> None:
    epoch = await hold(register)
    heard: asyncio.Queue[ConnectionId | None] = asyncio.Queue()

    async def listen() -> None:
        async for connection in register.listen():
            heard.put_nowait(connection)

    listener = asyncio.create_task(listen())
    try:
        assert await asyncio.wait_for(heard.get(), 5) is None, "what was missed is looked for first"
        await register.commit(TENANT, Commit(moves=[claim(1, ANN)]), epoch=epoch, now=NOW)
        await register.heartbeat(TENANT, epoch=epoch, now=NOW)
        await hold(register)
        await _ask(register, installation="cluster-2", force=True)
        assert await asyncio.wait_for(heard.get(), 5) == TENANT
        await register.replace_from_observation(OTHER_TENANT, [], now=NOW, quarantined_until=NOW)
        assert await asyncio.wait_for(heard.get(), 5) == OTHER_TENANT
        await register.redact(ANN)
        assert await asyncio.wait_for(heard.get(), 5) is None
        assert heard.empty()
    finally:
        listener.cancel()


@_check
async def an_identity_stays(register: Register) -> None:
    first = await register.identity()
    assert len(first.identity) == 36
    assert first.sequence == 0
    await hold(register)
    await _run(register, claim(1, ANN))
    assert (await register.identity()).identity == first.identity
