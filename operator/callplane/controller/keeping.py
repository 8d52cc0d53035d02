"""What the leader does for the register beside its work: it chains the history, tells the chain's
head to somebody outside the database, and forgets what nobody needs. Called by `operating`.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

from callplane.engine.operator_engine import Engine
from callplane.errors import CallplaneError
from callplane.store.ports import Checkpoint

log = logging.getLogger(__name__)

LINK_SECONDS = 1.0
# Finished writes tell what was done by whom; the life of a number stands in the history for good.
INTENTS_KEPT = timedelta(days=90)


async def keep(engine: Engine) -> None:
    """Run until cancelled. A register that is away is tried again; nothing waits for any of it."""
    told = Checkpoint(0, "")
    tell_at = 0.0
    problem = ""
    while True:
        try:
            await engine.register.link_events()
            if engine.clock.monotonic() >= tell_at:
                told = await tell(engine, told)
                await engine.register.forget_intents(engine.clock.now() - INTENTS_KEPT)
                tell_at = engine.clock.monotonic() + engine.settings.checkpoint_seconds
        except CallplaneError as error:
            if not problem:
                log.warning("the register's history is not chained: %s", error)
            problem = str(error)
        else:
            if problem:
                log.info("the register's history is chained again")
            problem = ""
        await asyncio.sleep(LINK_SECONDS)


async def tell(engine: Engine, told: Checkpoint) -> Checkpoint:
    """Say the chain's head in the log and in the file of the settings, if it is not the one told
    last. Whoever keeps it can prove later that nothing before it was written anew (`callplane
    numbers verify --checkpoint`).
    """
    head = await engine.register.checkpoint()
    if head in (told, Checkpoint(0, "")):
        return told
    line = f"{head.position}:{head.link}"
    log.info("the register's history is at checkpoint %s", line)
    if engine.settings.checkpoint_file:
        try:
            await asyncio.to_thread(_append, Path(engine.settings.checkpoint_file), line)
        except OSError as error:
            log.warning("the checkpoint cannot be kept: %s", error)
            return told
    return head


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="ascii") as file:
        file.write(line + "\n")
