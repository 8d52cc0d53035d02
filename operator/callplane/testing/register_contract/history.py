"""The life of a number: its events, their chain, what is forgotten and what is rebuilt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callplane.numbering.lifecycle import Cause, NumberState
from callplane.store.ports import (
    Checkpoint,
    Commit,
    EpochLost,
    Move,
    MoveRefused,
    ObservedNumber,
    Register,
)
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    adopt,
    claim,
    confirm,
    hold,
    holder_row,
    later,
    number,
    transfer,
    unassign,
    user_object,
)
from callplane.testing.register_contract.asking import (
    ANN,
    BOB,
    Checks,
    listed_in,
    row_of,
    run,
)

CHECKS: Checks = {}
check = listed_in(CHECKS)


@check
async def what_was_taken_and_what_became_free_are_set_off(register: Register) -> None:
    epoch = await hold(register)
    first, last = number(1), number(9)
    assert await register.drained_since(first, last, since=NOW) == 0
    for index in (1, 2, 3):
        moves = [claim(index, ANN)]
        await register.commit(TENANT, Commit(moves=moves), epoch=epoch, now=NOW)
    await register.commit(
        TENANT, Commit(moves=[confirm(1, ANN)]), epoch=epoch, now=later(seconds=1)
    )
    assert await register.drained_since(first, last, since=NOW) == 3
    assert await register.drained_since(number(2), last, since=NOW) == 2
    assert await register.drained_since(first, last, since=later(seconds=1)) == 0
    given_up = Move(number(3), NumberState.CLAIMED, NumberState.FREE, Cause.ABANDON)
    await register.commit(TENANT, Commit(moves=[given_up]), epoch=epoch, now=later(seconds=2))
    assert await register.drained_since(first, last, since=NOW) == 2
    assert await register.drained_since(first, last, since=later(seconds=2)) == -1


@check
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


@check
async def events_are_chained(register: Register) -> None:
    await hold(register)
    empty = await register.verify()
    assert (empty.events, empty.unlinked, empty.first_broken, empty.head) == (0, 0, None, "")
    assert await register.checkpoint() == Checkpoint(0, "")
    assert await register.link_events() == 0
    await run(register, claim(1, ANN), claim(2, BOB), confirm(1, ANN))
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


@check
async def a_chain_that_misses_its_checkpoint_is_broken(register: Register) -> None:
    await hold(register)
    await run(register, claim(1, ANN))
    await register.link_events()
    other = Checkpoint(1, "00" * 32)
    report = await register.verify(checkpoint=other)
    assert report.first_broken == (await register.history(number(1)))[0].sequence
    head = await register.checkpoint()
    report = await register.verify(checkpoint=replace(head, position=2))
    assert report.first_broken is not None
    assert "before the checkpoint at 2" in report.details[0]


@check
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
    row = await row_of(register, 1)
    assert row is not None
    assert row.holder == ANN, "a number in use keeps its holder"


@check
async def a_rebuild_believes_what_it_sees(register: Register) -> None:
    epoch = await hold(register)
    await run(
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


@check
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


@check
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
    assert await row_of(register, 1) is None
