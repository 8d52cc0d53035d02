"""One leader of one installation works a connection, and knows when it no longer does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from callplane.store.ports import (
    Commit,
    ConnectionRow,
    EpochLost,
    HeldElsewhere,
    Register,
)
from callplane.testing.register_builders import (
    NOW,
    OTHER_TENANT,
    STALE_AFTER_SECONDS,
    TENANT,
    claim,
    hold,
    holder_row,
    intent,
    later,
    number,
    tenant_object,
)
from callplane.testing.register_contract.asking import (
    ANN,
    Checks,
    ask,
    listed_in,
    row_of,
    run,
)
from callplane.values import ConnectionId

CHECKS: Checks = {}
check = listed_in(CHECKS)


@check
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
    assert await row_of(register, 1) is not None


@check
async def a_connection_nobody_holds_takes_no_commit(register: Register) -> None:
    with pytest.raises(EpochLost):
        await register.commit(TENANT, Commit(moves=[claim(1, ANN)]), epoch=0, now=NOW)
    with pytest.raises(EpochLost):
        await register.heartbeat(TENANT, epoch=0, now=NOW)
    with pytest.raises(EpochLost):
        await register.release_connection(TENANT, epoch=0)


@check
async def an_epoch_never_comes_back(register: Register) -> None:
    epoch = await hold(register)
    await run(register, claim(1, ANN))
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
    assert await row_of(register, 1) is not None, "numbers outlive their connection's object"


@check
async def a_holder_keeps_its_connection(register: Register) -> None:
    first = await ask(register)
    assert first == ConnectionRow(TENANT, "cluster-1", tenant_object(), 1, NOW)
    kept = await ask(register, age_seconds=9999)
    assert kept == replace(first, heartbeat_at=later(seconds=9999))
    assert await hold(register) == 2
    assert await register.connections() == (replace(first, epoch=2),)


@check
async def an_object_made_again_is_the_same(register: Register) -> None:
    await ask(register)
    again = await register.hold_connection(
        TENANT,
        declared_by=replace(tenant_object(), uid="uid-of-the-next"),
        now=NOW,
        stale_after_seconds=STALE_AFTER_SECONDS,
        new_epoch=False,
    )
    assert isinstance(again, ConnectionRow)
    assert (again.epoch, again.declared_by.uid) == (1, "uid-of-the-next")


@check
async def a_connection_in_use_is_held_elsewhere(register: Register) -> None:
    row = await ask(register)
    assert isinstance(row, ConnectionRow)
    for name, installation in (("contoso", "cluster-2"), ("fabrikam", "cluster-1")):
        answer = await ask(
            register, name, installation=installation, age_seconds=STALE_AFTER_SECONDS
        )
        assert answer == HeldElsewhere(row)
    assert await register.connections() == (row,)


@check
async def a_heartbeat_keeps_a_connection(register: Register) -> None:
    await ask(register)
    await register.heartbeat(TENANT, epoch=1, now=later(seconds=200))
    held = await ask(register, installation="cluster-2", age_seconds=STALE_AFTER_SECONDS + 1)
    assert isinstance(held, HeldElsewhere)
    assert held.row.heartbeat_at == later(seconds=200)
    with pytest.raises(EpochLost):
        await register.heartbeat(TENANT, epoch=2, now=NOW)


@check
async def a_stale_connection_is_taken_over(register: Register) -> None:
    await ask(register)
    taken = await ask(
        register, "fabrikam", installation="cluster-2", age_seconds=STALE_AFTER_SECONDS + 1
    )
    assert isinstance(taken, ConnectionRow)
    assert (taken.installation, taken.epoch) == ("cluster-2", 2)
    with pytest.raises(EpochLost):
        await register.commit(TENANT, Commit(), epoch=1, now=NOW)


@check
async def a_connection_is_taken_by_force(register: Register) -> None:
    await ask(register)
    taken = await ask(register, installation="cluster-2", force=True)
    assert isinstance(taken, ConnectionRow)
    assert (taken.installation, taken.epoch) == ("cluster-2", 2)


@check
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
        await ask(register, installation="cluster-2", force=True)
        assert await asyncio.wait_for(heard.get(), 5) == TENANT
        await register.replace_from_observation(OTHER_TENANT, [], now=NOW, quarantined_until=NOW)
        assert await asyncio.wait_for(heard.get(), 5) == OTHER_TENANT
        await register.redact(ANN)
        assert await asyncio.wait_for(heard.get(), 5) is None
        assert heard.empty()
    finally:
        listener.cancel()
