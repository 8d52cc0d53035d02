"""Keeps the directory fresh: reads the tables when something is new, and every few seconds.

While the database is away the directory stays as it is, and calls are decided by what was known.
So they are after any other failure, such as a schema that was not upgraded yet: it is logged and
the tables are read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.errors import CallplaneError
from callplane.store.call_tables import CallTables

POLL_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


async def keep_fresh(
    tables: CallTables,
    directory: TablesDirectory,
    *,
    changed: Callable[[], None] = lambda: None,
    looked: Callable[[], None] = lambda: None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Run until cancelled. `looked` is called after each look, `changed` when it saw something."""
    while True:
        try:
            async with aclosing(tables.listen(poll_seconds=poll_seconds)) as news:
                async for _ in news:
                    if await refresh(tables, directory):
                        changed()
                    looked()
        except CallplaneError as error:
            log.warning("the tables cannot be read: %s", error)
        except Exception:
            # Whatever it is may be over a moment later: following the tables never ends by it.
            log.exception("the tables cannot be taken")
        await asyncio.sleep(RETRY_SECONDS)


async def refresh(tables: CallTables, directory: TablesDirectory) -> bool:
    """Read what is new; was there anything? Raises StoreUnavailable."""
    passage = await tables.read(directory.version)
    if directory.is_known and passage.version == directory.version:
        return False
    if not directory.is_known:
        directory.note_countries(await tables.countries())
    await directory.take(passage)
    return True
