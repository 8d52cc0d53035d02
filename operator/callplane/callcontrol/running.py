"""All parts of call control that run at one time, for as many SBCs as there are.

The parts share nothing but the conversation and the books, and each goes on by itself after any
failure of its own. Nothing is lost by ending them at any moment: what was not taken is in the
spool, what is held ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callplane.callcontrol import evapi
from callplane.callcontrol.conversation import Conversation
from callplane.callcontrol.ports import Authoriser, RecordBook, Send
from callplane.callcontrol.recording import RETRY_SECONDS, Recorder, SpoolFollower
from callplane.tracing import NO_TRACES, Traces


@dataclass(frozen=True, slots=True)
class SbcPlace:
    """Where an SBC's evapi listens, and its spool where this machine can read it. `mark` remembers
    how far the spool was taken.
    """

    host: str
    port: int
    spool: Path | None = None
    mark: Path | None = None
    pause_seconds: float = RETRY_SECONDS

    def follower(self, book: RecordBook) -> SpoolFollower | None:
        """What takes the records of its spool, if there is one here."""
        if self.spool is None:
            return None
        mark = self.mark or self.spool.with_name(self.spool.name + ".mark")
        return SpoolFollower(book, self.spool, mark, pause_seconds=self.pause_seconds)


@asynccontextmanager
async def running(  # noqa: PLR0913 - what all parts need, named
    authoriser: Authoriser,
    book: RecordBook,
    sbcs: Sequence[SbcPlace],
    *,
    connected: Callable[[Send], None] = lambda _: None,
    known: asyncio.Event | None = None,
    started: Callable[[asyncio.Task[None]], None] = lambda _: None,
    traces: Traces = NO_TRACES,
) -> AsyncGenerator[Conversation]:
    """Speak with the SBCs while the block runs, once lines are `known`: until then each asks
    somebody else or follows its fail policy. Yields the conversation, for HTTP to join at once. The
    tasks that `started` is given run as long as the block does; one that ends before has failed.
    """
    recorder = Recorder(book)
    conversation = Conversation(authoriser, recorder, traces=traces)
    parts: list[Coroutine[Any, Any, None]] = [recorder.run()]
    for sbc in sbcs:
        parts.append(evapi.serve(sbc.host, sbc.port, conversation.handle, connected=connected))
        if (follower := sbc.follower(book)) is not None:
            parts.append(follower.run())
    tasks = [asyncio.create_task(_once(known, part)) for part in parts]
    for task in tasks:
        started(task)
    try:
        yield conversation
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await conversation.close()


async def _once(known: asyncio.Event | None, part: Coroutine[Any, Any, None]) -> None:
    try:
        if known is not None:
            await known.wait()
        await part
    finally:
        part.close()
