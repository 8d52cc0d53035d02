"""Commits of many passes in one transaction, when many commit at one time.

A commit that comes alone is sent at once. While one is under way, and for a moment afterwards, what
else comes is gathered and sent together, as a database groups its own. Whoever asked learns only of
their own part: when a group is refused, its parts are sent one by one, so that only the refused one
fails. Called by `register_mirror`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from callplane.store.ports import Commit, Committed, EpochLost, StoreUnavailable

# While commits follow one another this closely, the next ones are gathered for as long.
GATHER_SECONDS = 0.01
GROUP_MAX = 64

Send = Callable[[Commit, datetime], Awaitable[Committed]]
Take = Callable[[Commit, Committed], None]


@dataclass(slots=True)
class _Waiting:
    commit: Commit
    now: datetime
    answer: asyncio.Future[Committed]
    names: frozenset[Hashable]


class CommitGroups:
    """Sends commits of one connection, one transaction after the other.

    `take` hears of each commit that was done, before whoever asked for it goes on, and also when
    they have gone away.
    """

    def __init__(self, send: Send, take: Take) -> None:
        self._send = send
        self._take = take
        self._queue: list[_Waiting] = []
        self._sender: asyncio.Task[None] | None = None
        self._ended_at = float("-inf")

    async def commit(self, commit: Commit, now: datetime) -> Committed:
        """Raises what `Register.commit` raises for this commit."""
        answer: asyncio.Future[Committed] = self._loop().create_future()
        self._queue.append(_Waiting(commit, now, answer, frozenset(_names(commit))))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(), name="commits")
        return await answer

    async def close(self) -> None:
        """What was not sent yet is not sent any more."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        _give_up(self._queue)
        self._queue.clear()

    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def _send_all(self) -> None:
        while self._queue:
            pause_seconds = self._ended_at + GATHER_SECONDS - self._loop().time()
            if pause_seconds > 0:
                await asyncio.sleep(pause_seconds)
            group = self._next_group()
            try:
                await self._send_group(group)
            finally:
                _give_up(group)
            self._ended_at = self._loop().time()

    def _next_group(self) -> list[_Waiting]:
        """From the front of the queue, up to the first that touches what an earlier one touches."""
        group: list[_Waiting] = []
        taken: set[Hashable] = set()
        while self._queue and len(group) < GROUP_MAX and not (taken & self._queue[0].names):
            waiting = self._queue.pop(0)
            taken |= waiting.names
            group.append(waiting)
        return group

    async def _send_group(self, group: Sequence[_Waiting]) -> None:
        if len(group) == 1:
            await self._send_one(group[0])
            return
        now = max(waiting.now for waiting in group)
        try:
            committed = await self._send(_merged([waiting.commit for waiting in group]), now)
        except (EpochLost, StoreUnavailable) as error:
            _fail(group, error)
        except Exception:  # noqa: BLE001 - whatever it is, it is told to whom it belongs
            # One of them is refused and nothing was written: let each speak for itself.
            for waiting in group:
                await self._send_one(waiting)
        else:
            for waiting in group:
                self._done(waiting, _part_of(committed, waiting.commit))

    async def _send_one(self, waiting: _Waiting) -> None:
        try:
            committed = await self._send(waiting.commit, waiting.now)
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            _fail([waiting], error)
        else:
            self._done(waiting, committed)

    def _done(self, waiting: _Waiting, committed: Committed) -> None:
        self._take(waiting.commit, committed)
        if not waiting.answer.done():
            waiting.answer.set_result(committed)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)


def _give_up(group: Sequence[_Waiting]) -> None:
    """The sender ends before these had an answer; whoever waits must not be cancelled by it."""
    _fail(group, StoreUnavailable("the connection's commits have ended"))


def _names(commit: Commit) -> Iterator[Hashable]:
    """What a transaction may name only once, and whose commits stay in their order."""
    yield from (("number", move.number) for move in commit.moves)
    yield from (("holder", move.holder) for move in commit.moves if move.holder is not None)
    yield from (("holder", row.holder) for row in commit.holders)
    yield from (("holder", holder) for holder in commit.dropped_holders)
    yield from (("intent", intent.request_id) for intent in commit.intents)
    yield from (("gate", row.change_id) for row in commit.gate_rows)
    yield from (("gate", change_id) for change_id in commit.gate_dropped)


def _merged(commits: Sequence[Commit]) -> Commit:
    return Commit(
        moves=tuple(move for commit in commits for move in commit.moves),
        holders=tuple(row for commit in commits for row in commit.holders),
        dropped_holders=tuple(holder for commit in commits for holder in commit.dropped_holders),
        intents=tuple(intent for commit in commits for intent in commit.intents),
        gate_rows=tuple(row for commit in commits for row in commit.gate_rows),
        gate_dropped=tuple(change_id for commit in commits for change_id in commit.gate_dropped),
    )


def _part_of(committed: Committed, commit: Commit) -> Committed:
    numbers = {move.number for move in commit.moves}
    holders = {row.holder for row in commit.holders}
    return Committed(
        numbers=tuple(row for row in committed.numbers if row.number in numbers),
        holders=tuple(row for row in committed.holders if row.holder in holders),
        sequence=committed.sequence,
        found=committed.found,
    )
