"""What the checks of the register share: a list of their own, and ways to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from callplane.store.ports import (
    Commit,
    ConnectionRow,
    HeldElsewhere,
    Move,
    MoveRefused,
    NumberRow,
    Register,
)
from callplane.testing.register_builders import (
    NOW,
    STALE_AFTER_SECONDS,
    TENANT,
    claim,
    gate_row,
    holder_row,
    intent,
    later,
    number,
    person,
    tenant_object,
)

Check = Callable[[Register], Awaitable[None]]
Checks = dict[str, Check]

ANN, BOB = person("ann"), person("bob")


def listed_in(checks: Checks) -> Callable[[Check], Check]:
    """A decorator that puts a check into its module's list."""

    def put(check: Check) -> Check:
        checks[check.__name__] = check
        return check

    return put


async def row_of(register: Register, index: int) -> NumberRow | None:
    rows = await register.numbers_in(number(index), number(index))
    return rows[0] if rows else None


async def run(register: Register, *moves: Move, epoch: int = 1, now: datetime = NOW) -> None:
    """Commit moves one after the other."""
    for move in moves:
        await register.commit(TENANT, Commit(moves=[move]), epoch=epoch, now=now)


async def refusal_of(register: Register, move: Move, *, now: datetime = NOW) -> MoveRefused:
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
    assert caught.value.row == await row_of(register, int(move.number.text[-3:]))
    assert move.number.text not in str(caught.value)
    assert await register.history(number(0)) == ()
    return caught.value


async def ask(
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
