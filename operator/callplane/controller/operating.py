"""The operator's life: serve probes, watch, win the Lease, pass the start barrier, work, and end
cleanly.

Losing the Lease ends the process; so does a watch that Kopf gives up. Restarts are cheap: no write
follows from one when nothing differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from callplane.cluster.credentials import ClusterConnection
from callplane.cluster.events import EventRecorder
from callplane.cluster.lease import LeaderElector, LeadershipLost
from callplane.controller import keeping
from callplane.controller.probes import Probes, Readiness
from callplane.controller.sweeping import sweep, unserved
from callplane.controller.watching import watch
from callplane.engine.operator_engine import Engine
from callplane.errors import CallplaneError

log = logging.getLogger(__name__)

UNSERVED_LOOK_SECONDS = 5.0
BEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Operator:
    """Everything one operator process is made of; `wiring` puts it together."""

    engine: Engine
    connection: ClusterConnection
    elector: LeaderElector
    events: EventRecorder


async def operate(operator: Operator, stop: asyncio.Event) -> int:
    """Run until `stop` is set; returns the exit code: 0 asked to stop, 1 the Lease or a watch was
    lost.
    """
    engine = operator.engine
    readiness = Readiness()
    probes = Probes(engine, readiness)
    if engine.settings.probe_port:
        port = probes.start(engine.settings.probe_host, engine.settings.probe_port)
        log.info("probes and metrics on port %d", port)
    tasks = [
        asyncio.create_task(_beat(probes), name="beat"),
        asyncio.create_task(operator.events.run(), name="events"),
        asyncio.create_task(_work(operator, readiness, stop), name="work"),
    ]
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                _say_end(task)
        return 0 if stopped in done else 1
    finally:
        readiness.reason, readiness.stands_by = "stopping", False
        await _end(operator, tasks, stopped, stop)
        probes.stop()


async def _work(operator: Operator, readiness: Readiness, stop: asyncio.Event) -> None:
    """Barrier first: every kind served and listed, the Lease held; then workers, then sweeps."""
    engine = operator.engine
    while missing := await unserved(engine):
        readiness.reason = f"not served by the API server: {', '.join(missing)}"
        log.warning("%s", readiness.reason)
        await asyncio.sleep(UNSERVED_LOOK_SECONDS)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch(engine, operator.connection, stop), name="watch")
        readiness.reason = "listing"
        await sweep(engine)
        readiness.reason, readiness.stands_by = "waiting for the Lease", True
        group.create_task(operator.elector.run(), name="lease")
        await operator.elector.leading.wait()
        await sweep(engine)
        engine.start()
        readiness.reason, readiness.stands_by = "", False
        log.info("working: %d objects", len(engine.cache.known()))
        group.create_task(keeping.keep(engine), name="keep")
        while True:
            await asyncio.sleep(engine.settings.sweep_seconds)
            ghosts = await sweep(engine)
            engine.calls.sweep()
            if ghosts:
                log.warning("dropped %d objects that the watch had not reported as gone", ghosts)


async def _beat(probes: Probes) -> None:
    while True:
        probes.beat()
        await asyncio.sleep(BEAT_SECONDS)


def _say_end(task: asyncio.Task[None]) -> None:
    error = task.exception() if not task.cancelled() else None
    if error is None:
        log.error("%s ended by itself; the process ends", task.get_name())
        return
    lost = error.subgroup(LeadershipLost) if isinstance(error, BaseExceptionGroup) else None
    if lost is not None or isinstance(error, LeadershipLost):
        log.error("the Lease is lost; the process ends")
    else:
        log.error("%s failed; the process ends", task.get_name(), exc_info=error)


async def _end(
    operator: Operator,
    tasks: list[asyncio.Task[None]],
    stopped: asyncio.Task[bool],
    stop: asyncio.Event,
) -> None:
    """Workers first, then the watch, then the Lease: a standby starts when our last write is
    done.
    """
    await operator.engine.stop()
    stop.set()
    await operator.events.flush()
    with contextlib.suppress(CallplaneError):
        await operator.elector.release()
    stopped.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, stopped, return_exceptions=True)
    await operator.engine.register.close()
