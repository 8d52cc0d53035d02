"""Call records on their way into the book: none is let go before it was taken.

Two ways lead here. What comes over the connection waits in memory; what stands in the spool is read
again from the last offset that was committed. Both bring the same records, and the book takes each
attempt once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from callplane.callcontrol import spool
from callplane.callcontrol.messages import CallRecord
from callplane.callcontrol.ports import RecordBook

BATCH_MAX: Final = 500
RETRY_SECONDS: Final = 1.0
#: Records in memory; the spool has them as well, so that the oldest may be dropped beyond this.
WAITING_MAX: Final = 100_000

log = logging.getLogger(__name__)


@dataclass
class Recorder:
    """Posts records that came over connections, in batches, until each was taken."""

    book: RecordBook
    retry_seconds: float = RETRY_SECONDS
    _waiting: deque[CallRecord] = field(default_factory=lambda: deque(maxlen=WAITING_MAX))
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self, record: CallRecord) -> None:
        """Keep a record until it is posted."""
        self._waiting.append(record)
        self._arrived.set()

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._post()

    async def _post(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        try:
            await self.book.post(batch)
        except BaseException as error:
            self._waiting.extendleft(reversed(batch))
            if not isinstance(error, Exception):
                raise
            log.exception("%d records wait", len(self._waiting))
            await asyncio.sleep(self.retry_seconds)


@dataclass
class SpoolFollower:
    """Posts what the spool holds beyond the offset that `mark` remembers."""

    book: RecordBook
    path: Path
    mark: Path
    pause_seconds: float = RETRY_SECONDS

    async def run(self) -> None:
        """Follow until cancelled; what could not be posted is read again."""
        while True:
            try:
                while await self.step():
                    pass
            except Exception:
                log.exception("the spool could not be posted")
            await asyncio.sleep(self.pause_seconds)

    async def step(self) -> bool:
        """Post one batch; was there any? Raises what the book raises, with the offset unmoved."""
        # In a thread: answers to questions do not wait for a disk.
        offset = await asyncio.to_thread(self.offset)
        passage = await asyncio.to_thread(self._read, offset)
        for entry in passage.entries:
            if entry.record is None:
                await self.book.suspend(entry.line, entry.problem)
        records = [entry.record for entry in passage.entries if entry.record is not None]
        if records:
            await self.book.post(records)
        if passage.next_offset != offset:
            await asyncio.to_thread(self._remember, passage.next_offset)
        return bool(passage.entries)

    def offset(self) -> int:
        """Where to go on."""
        return taken(self.path, self.mark)

    def behind(self) -> int:
        """Bytes of the spool that were not taken yet; 0 where there is no spool."""
        try:
            return self.path.stat().st_size - taken(self.path, self.mark)
        except OSError:
            return 0

    def _read(self, offset: int) -> spool.Passage:
        try:
            with self.path.open("rb") as file:
                begin = spool.first_data(file, offset)
                return spool.read(file, begin, entries_max=BATCH_MAX)
        except FileNotFoundError:
            return spool.Passage((), offset)

    def _remember(self, offset: int) -> None:
        new = self.mark.with_name(self.mark.name + ".new")
        with new.open("w", encoding="ascii") as file:
            # Another file in its place is read from its beginning, however long it is.
            file.write(f"{offset} {self.path.stat().st_ino}\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.mark)


def taken(path: Path, mark: Path) -> int:
    """How much of a spool was taken, in bytes. A mark that is lost, beyond the end, or of another
    file means: nothing.
    """
    try:
        offset, *inode = map(int, mark.read_text(encoding="ascii").split())
        found = path.stat()
    except (OSError, ValueError):
        return 0
    is_ours = inode in ([], [found.st_ino])
    return offset if is_ours and 0 <= offset <= found.st_size else 0
