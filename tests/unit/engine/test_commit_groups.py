"""Commits that come together share a transaction, and nobody learns of it but the database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from callplane.engine.commit_groups import CommitGroups
from callplane.store.ports import (
    Commit,
    Committed,
    EpochLost,
    HolderRow,
    MoveRefused,
    StoreUnavailable,
)
from callplane.values import E164, ConnectionId, HolderId, Platform

pytestmark = pytest.mark.looptime

NOW = datetime(2026, 11, 2, tzinfo=UTC)
CONNECTION = ConnectionId("teams", "t")


def commit(name: str) -> Commit:
    """A commit that names one person."""
    holder = HolderId(Platform.TEAMS, "t", name)
    row = HolderRow(
        holder=holder, connection=CONNECTION, declared_by=None, user_name="", applied={}, undone={}
    )
    return Commit(holders=(row,))


class Database:
    """Takes 2 ms for a transaction; refuses those that name `refused`."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.taken: list[str] = []
        self.refused = ""
        self.error: Exception | None = None
        self.groups = CommitGroups(self.send, self.take)

    async def send(self, commit: Commit, now: datetime) -> Committed:
        names = [row.holder.user_id for row in commit.holders]
        self.transactions.append(names)
        await asyncio.sleep(0.002)
        if self.error is not None:
            raise self.error
        if self.refused in names:
            raise MoveRefused(E164("+442079460000"), None)
        return Committed((), tuple(commit.holders), len(self.transactions), 0)

    def take(self, commit: Commit, committed: Committed) -> None:
        assert tuple(commit.holders) == committed.holders
        self.taken += [row.holder.user_id for row in commit.holders]

    async def commit(self, name: str) -> Committed:
        return await self.groups.commit(commit(name), NOW)


async def test_a_commit_alone_is_sent_at_once() -> None:
    database = Database()
    began = asyncio.get_running_loop().time()
    committed = await database.commit("ann")
    assert [row.holder.user_id for row in committed.holders] == ["ann"]
    assert asyncio.get_running_loop().time() - began == pytest.approx(0.002)


async def test_what_comes_meanwhile_is_sent_together_and_each_gets_their_own() -> None:
    database = Database()
    names = [f"p{nth:02d}" for nth in range(40)]
    answers = await asyncio.gather(*(database.commit(name) for name in names))
    assert len(database.transactions) == 1
    assert [row.holder.user_id for answer in answers for row in answer.holders] == names
    assert database.taken == names


async def test_two_commits_that_name_the_same_stay_apart_and_in_order() -> None:
    database = Database()
    await asyncio.gather(*(database.commit(name) for name in ("ann", "ben", "ann", "cas")))
    assert database.transactions == [["ann", "ben"], ["ann", "cas"]]


async def test_only_the_refused_one_fails() -> None:
    database = Database()
    database.refused = "ben"
    answers = await asyncio.gather(
        *(database.commit(name) for name in ("ann", "ben", "cas")), return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers] == [
        "Committed",
        "MoveRefused",
        "Committed",
    ]
    assert database.taken == ["ann", "cas"]
    assert database.transactions == [["ann", "ben", "cas"], ["ann"], ["ben"], ["cas"]]


async def test_a_lost_epoch_is_everybodys_and_nothing_is_tried_again() -> None:
    database = Database()
    database.error = EpochLost("somebody else")
    answers = await asyncio.gather(
        *(database.commit(name) for name in ("ann", "ben")), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [EpochLost, EpochLost]
    assert len(database.transactions) == 1


async def test_what_was_done_is_taken_although_nobody_waits_any_more() -> None:
    database = Database()
    asking = asyncio.create_task(database.commit("ann"))
    await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert database.taken == ["ann"]


async def test_closing_sends_nothing_more() -> None:
    database = Database()
    asking = [asyncio.create_task(database.commit(name)) for name in ("ann", "ann")]
    await asyncio.sleep(0.001)
    await database.groups.close()
    ends = await asyncio.gather(*asking, return_exceptions=True)
    # Whoever waits for one goes on living: a worker must not be cancelled by its connection's end.
    assert [type(end) for end in ends] == [StoreUnavailable, StoreUnavailable]
    assert database.transactions == [["ann"]]
