"""One process at a time, by a lock on a file that the kernel releases when its holder dies.

Guards builds in the cache and the verbs that change one sandbox.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.2
NOTICE_EVERY_SECONDS = 10.0


@contextmanager
def held(file: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock for a block; call `waiting` at once and every ten seconds while another has
    it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        next_notice = time.monotonic()
        while not _taken(handle.fileno()):
            if time.monotonic() >= next_notice:
                waiting()
                next_notice += NOTICE_EVERY_SECONDS
            time.sleep(POLL_SECONDS)
        yield


def file_for(folder: Path) -> Path:
    """The lock of a sandbox's folder lies beside it, since the folder itself comes and goes."""
    return folder.parent / f"{folder.name}.lock"


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
