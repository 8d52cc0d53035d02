"""The mirror takes in what others did, and never undoes what we have done meanwhile."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from callplane.engine.register_mirror import ReadAnew, RegisterMirror
from callplane.store.memory import MemoryRegister
from callplane.store.ports import Commit, Committed, RegisterState, StoreUnavailable
from callplane.testing.register_builders import (
    NOW,
    TENANT,
    abandon,
    claim,
    confirm,
    gate_row,
    hold,
    holder_row,
    intent,
    number,
    person,
)
from callplane.values import ConnectionId

pytestmark = pytest.mark.looptime
ANN, BOB = person("ann"), person("bob")


class SlowRegister(MemoryRegister):
    """Reads take a second to arrive; `loses` commits whose answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.loses = 0

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState:
        state = await super().load(connection, since=since)
        await asyncio.sleep(1.0)
        return state

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        committed = await super().commit(connection, commit, epoch=epoch, now=now)
        if self.loses:
            self.loses -= 1
            raise StoreUnavailable("the answer was lost")
        return committed


async def mirror_of(register: MemoryRegister) -> RegisterMirror:
    held = await hold(register)
    mirror = RegisterMirror(register, TENANT, held)
    await mirror.load()
    return mirror


async def test_a_commit_during_a_reading_is_newer_than_it() -> None:
    register = SlowRegister()
    mirror = await mirror_of(register)
    await mirror.commit(Commit(moves=[claim(1, ANN), claim(2, BOB)]), now=NOW)
    reading = asyncio.create_task(mirror.refresh())
    await asyncio.sleep(0.5)
    await mirror.commit(Commit(moves=[confirm(1, ANN)]), now=NOW)
    await mirror.commit(Commit(moves=[abandon(2)]), now=NOW)
    known = mirror.numbers[number(1)]
    assert await reading == set(), "our own commits are no news"
    assert mirror.numbers[number(1)] == known
    assert number(2) not in mirror.numbers


async def test_what_others_did_before_our_last_commit_is_seen() -> None:
    register = MemoryRegister()
    mirror = await mirror_of(register)
    other = RegisterMirror(register, TENANT, mirror.epoch)
    await other.commit(Commit(moves=[claim(1, ANN)], holders=[holder_row("ann")]), now=NOW)
    await mirror.commit(Commit(moves=[claim(2, BOB)]), now=NOW)
    assert await mirror.refresh() == {ANN}
    assert set(mirror.numbers) == {number(1), number(2)}
    await other.commit(Commit(moves=[abandon(1)], dropped_holders=[ANN]), now=NOW)
    await mirror.refresh()
    assert (set(mirror.numbers), set(mirror.holders)) == ({number(2)}, set())


async def test_after_a_lost_answer_nothing_is_kept_that_is_gone() -> None:
    register = SlowRegister()
    mirror = await mirror_of(register)
    sent, held = intent("one"), gate_row(1)
    await mirror.commit(
        Commit(intents=[sent], gate_rows=[held], holders=[holder_row("ann")]), now=NOW
    )
    register.loses = 1
    with pytest.raises(StoreUnavailable):
        await mirror.commit(Commit(gate_dropped=[held.change_id], dropped_holders=[ANN]), now=NOW)
    with pytest.raises(ReadAnew):
        await mirror.commit(Commit(), now=NOW)
    assert (mirror.gate_rows, mirror.holders) == ({}, {})
    assert mirror.open_intents(sent.holder) == [sent]
