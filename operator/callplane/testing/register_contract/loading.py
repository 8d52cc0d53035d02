"""What was committed is read back whole, or as what changed since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from callplane.plan import change as changes
from callplane.plan.gate import GateStatus
from callplane.store.ports import (
    Commit,
    IntentState,
    Register,
    RegisterState,
)
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    TENANT,
    abandon,
    claim,
    confirm,
    gate_row,
    hold,
    holder_row,
    intent,
    later,
    number,
    person,
)
from callplane.testing.register_contract.asking import (
    ANN,
    BOB,
    Checks,
    listed_in,
    run,
)
from callplane.values import E164

CHECKS: Checks = {}
check = listed_in(CHECKS)


@check
async def a_load_is_by_version(register: Register) -> None:
    epoch = await hold(register)
    assert await register.load(TENANT) == RegisterState((), (), (), (), 0)
    await run(register, claim(1, ANN), claim(2, BOB))
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
    await run(register, claim(1, BOB))
    fourth = await register.load(TENANT, since=first.sequence)
    assert fourth.removed_numbers == (), "it is taken again"
    assert (await register.load(OTHER_TENANT)).numbers == ()


@check
async def a_number_gone_to_another_connection_is_removed(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await run(register, claim(1, ANN))
    seen = (await register.load(TENANT)).sequence
    await run(register, abandon(1))
    await register.commit(OTHER_TENANT, Commit(moves=[claim(1, ANN)]), epoch=other, now=NOW)
    assert (await register.load(TENANT, since=seen)).removed_numbers == (number(1),)


@check
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
        assert committed.found == seen[-1]
        seen.append(state.sequence)
    assert seen == sorted(set(seen))
    nothing = await register.commit(TENANT, Commit(), epoch=epoch, now=NOW)
    assert nothing.sequence == nothing.found == seen[-1]
    assert (await register.identity()).sequence == seen[-1]


@check
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


@check
async def finished_intents_are_forgotten_by_age_and_open_ones_never(register: Register) -> None:
    epoch = await hold(register)
    done = replace(intent("done"), state=IntentState.CONFIRMED)
    still = intent("open", "bob")
    await register.commit(TENANT, Commit(intents=[done, still]), epoch=epoch, now=NOW)
    assert await register.forget_intents(done.sent_at) == 0
    assert await register.forget_intents(done.sent_at + timedelta(seconds=1)) == 1
    assert (await register.load(TENANT)).open_intents == (still,)


@check
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


@check
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


@check
async def a_span_is_read_over_all_connections(register: Register) -> None:
    await hold(register)
    other = await hold(register, OTHER_TENANT)
    await run(register, claim(3, ANN), claim(1, BOB))
    await register.commit(OTHER_TENANT, Commit(moves=[claim(2, ANN)]), epoch=other, now=NOW)
    longer = replace(claim(4, ANN), number=E164(number(2).text + "1"))
    await run(register, longer)
    rows = await register.numbers_in(number(1), number(2))
    assert [row.number for row in rows] == [number(1), number(2)]
    assert [row.connection for row in rows] == [TENANT, OTHER_TENANT]
    rows = await register.numbers_in(number(0), number(999))
    assert [row.number for row in rows] == [number(1), number(2), number(3)]
    for first, last in ((number(2), number(1)), (number(1), longer.number)):
        with pytest.raises(ValueError, match=r"length|greater"):
            await register.numbers_in(first, last)


@check
async def an_identity_stays(register: Register) -> None:
    first = await register.identity()
    assert len(first.identity) == 36
    assert first.sequence == 0
    await hold(register)
    await run(register, claim(1, ANN))
    assert (await register.identity()).identity == first.identity
