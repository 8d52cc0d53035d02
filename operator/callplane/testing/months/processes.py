"""Call control processes, and the connection between each and its switch.

A process has everything that `callplane.callcontrol` runs: authoriser, conversation, recorder,
follower of the spool and reaper. The connection loses, repeats and delays messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from callplane.callcontrol import messages
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.conversation import Conversation
from callplane.callcontrol.messages import Order
from callplane.callcontrol.reaping import Reaper
from callplane.callcontrol.recording import Recorder, SpoolFollower
from callplane.clock import Clock
from callplane.testing.months.journal import attempt_in_hand
from callplane.testing.months.market import Tables
from callplane.testing.months.watched_books import Life, WatchedBooks

#: Rarer than in production, for three months have many minutes in which nothing happens.
FOLLOW_SECONDS = 1_800.0
REAP_SECONDS = 1_200.0


class Wire:
    """One connection. `loss` is the share of messages that never arrive, `twice` of those that come
    twice, `late` of those that others overtake.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.is_up = True
        self.loss, self.twice, self.late = 0.03, 0.01, 0.03

    def carry(self, deliver: Callable[[], None]) -> None:
        """Bring a message to the other end, or not."""
        if not self.is_up or self._random.random() < self.loss:
            return
        copies = 2 if self._random.random() < self.twice else 1
        for _ in range(copies):
            is_late = self._random.random() < self.late
            seconds = self._random.uniform(0, 3.0) if is_late else 0.001
            asyncio.get_running_loop().call_later(seconds, self._arrive, deliver)

    def _arrive(self, deliver: Callable[[], None]) -> None:
        if self.is_up:
            deliver()


@dataclass
class Process:
    """`orders` is where orders for the switch go."""

    life: Life
    books: WatchedBooks
    tables: Tables
    clock: Clock
    spool: Path
    source: str
    wire: Wire
    orders: Callable[[bytes], None]
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _of_connection: set[asyncio.Task[Any]] = field(default_factory=set)

    def start(self) -> None:
        book = BooksRecordBook(self.books, self.tables, self.clock, self.source)
        self.recorder = Recorder(book)
        self.authoriser = BooksAuthoriser(self.books, self.tables, self.clock, notes=self.tables)
        self.conversation = Conversation(self.authoriser, self.recorder)
        self.reaper = Reaper(self.books, self.tables, self.clock, REAP_SECONDS)
        mark = self.spool.with_name(self.spool.name + ".mark")
        self.follower = SpoolFollower(book, self.spool, mark, pause_seconds=FOLLOW_SECONDS)
        for work in (self.recorder.run(), self.reaper.run(), self.follower.run()):
            self._tasks.add(asyncio.create_task(work))

    def receive(self, body: bytes) -> None:
        """One message of the switch: a task of its own, as over evapi."""
        if self.life.is_dead:
            return
        task = asyncio.create_task(self._handle(body))
        self._of_connection.add(task)
        task.add_done_callback(self._of_connection.discard)

    def lose_connection(self) -> None:
        """What was being handled for it is cancelled, as `evapi` does."""
        if not self.life.is_dead:
            for task in self._of_connection:
                task.cancel()

    async def catch_up(self) -> None:
        """Take what waits and let go what is due, as time alone would have it."""
        while await self.follower.step():
            pass
        await self.reaper.step()

    async def _handle(self, body: bytes) -> None:
        await self.life.breathe()
        event = messages.parse_event(body)
        attempt_in_hand.set(getattr(event, "attempt_id", ""))
        await self.conversation.handle(event, self._send)

    def _send(self, order: Order) -> None:
        if not self.wire.is_up:
            raise ConnectionError("the SBC is not connected")
        if not self.life.is_dead:
            body = messages.to_json(order)
            self.wire.carry(lambda: self.orders(body))
