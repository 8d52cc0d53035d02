"""Keeps the spool from filling a disk: what was taken long enough ago is given back to the disk.

Kamailio holds the file open and knows no way to begin another, and whatever stood between the two
could hold Kamailio, and emergency calls with it. So the file keeps its name and its length, and its
beginning becomes a hole: nothing moves, nothing is copied, and a line that is written meanwhile is
not touched. What was taken lately stays, so that records newer than the last backup of the books
can be taken again (see `docs/sbc.md`).
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from callplane.callcontrol import recording, spool
from callplane.clock import Clock

PAUSE_SECONDS: Final = 3600.0
#: `fallocate(2)`: keep the length, make a hole.
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolTrimmer:
    """Gives back what was taken and ended longer ago than `keep`. `mark` as the follower has it."""

    path: Path
    mark: Path
    clock: Clock
    keep: timedelta
    pause_seconds: float = PAUSE_SECONDS

    async def run(self) -> None:
        """Trim until cancelled. A file system without holes leaves the file as it is."""
        while True:
            try:
                given_back = await self.step()
                if given_back:
                    log.info("%d bytes of the spool were given back", given_back)
            except OSError as error:
                log.warning("the spool could not be trimmed and grows: %s", error)
            await asyncio.sleep(self.pause_seconds)

    async def step(self) -> int:
        """Trim once; how many bytes were given back. Raises OSError."""
        cutoff = self.clock.now() - self.keep
        return await asyncio.to_thread(self._trim, cutoff)

    def _trim(self, cutoff: datetime) -> int:
        taken = recording.taken(self.path, self.mark)
        if not taken:
            return 0
        with self.path.open("r+b") as file:
            begin = spool.first_data(file, 0)
            end = spool.kept_from(file, begin, taken, cutoff)
            if end > begin:
                _make_hole(file.fileno(), end)
            return max(0, end - begin)


def _make_hole(descriptor: int, length: int) -> None:
    """A hole from the beginning on. Raises OSError, with EOPNOTSUPP where there are no holes."""
    library = ctypes.CDLL(None, use_errno=True)
    call = library.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if call(descriptor, _KEEP_SIZE | _PUNCH_HOLE, 0, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
