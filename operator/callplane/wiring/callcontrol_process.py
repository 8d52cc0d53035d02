"""The call control process: settings in, exit code out. Called by `callplane callcontrol`.

Everything that calls are decided by is in the database; the process keeps a copy of it in memory
and can be killed at any moment. So it ends itself when a part of it that runs for ever has failed:
whoever started it starts it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop

from callplane.asgi import Probes
from callplane.callcontrol import refreshing
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.conversation import Conversation
from callplane.callcontrol.http_endpoint import HttpEndpoint
from callplane.callcontrol.http_serving import serving
from callplane.callcontrol.kamailio_rpc import KamailioRpc
from callplane.callcontrol.metrics import CallMetrics, CountingAuthoriser, CountingRecordBook
from callplane.callcontrol.outage_flags import OutageFlags
from callplane.callcontrol.reaping import Reaper
from callplane.callcontrol.recording import SpoolFollower
from callplane.callcontrol.renewing import CertificateFollower
from callplane.callcontrol.rescuing import Rescuer, TablesNotes
from callplane.callcontrol.running import SbcPlace, running
from callplane.callcontrol.sbc_watching import SbcWatcher
from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.callcontrol.trimming import SpoolTrimmer
from callplane.clock import Clock, SystemClock
from callplane.errors import CallplaneError
from callplane.settings import CallControlSettings
from callplane.store.books_postgres import PostgresBooks
from callplane.store.call_tables_postgres import PostgresCallTables
from callplane.store.decks_postgres import PostgresDecks
from callplane.store.evidence_postgres import PostgresEvidence
from callplane.store.sessions import SessionLimits
from callplane.wiring import tracing_choice

#: The name under which traces of this process are found.
SERVICE = "callplane-callcontrol"
BEAT_SECONDS = 1.0
DRAIN_LOOK_SECONDS = 0.05
#: A call waits less than a second for an answer, so nothing waits longer for the database.
ANSWER_SECONDS = 2.0
SESSION_SECONDS = 0.4

log = logging.getLogger(__name__)


def run(settings: CallControlSettings) -> int:
    """Run until a signal; the exit code is the process's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings))


async def _run(settings: CallControlSettings) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    parts = Parts.of(settings)
    traces = tracing_choice.chosen(
        os.environ,
        service=SERVICE,
        instance=f"{socket.gethostname()}_{os.getpid()}",
        told=parts.metrics.spans_sent,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, traces.close, tracing_choice.CLOSE_SECONDS)
        await parts.open(stack)
        if settings.probe_port:
            probes = Probes(parts.metrics.registry, lambda: parts.problem(stop))
            await stack.enter_async_context(
                serving(probes, settings.probe_host, settings.probe_port)
            )
        watch = Watch(stop)
        refreshing_task = asyncio.create_task(parts.keep_fresh(settings))
        stack.push_async_callback(_end, [refreshing_task])
        watch.over(refreshing_task)
        # Emergency and exempt services are answered over HTTP from the first moment on. An SBC
        # routes them by itself, so that it is dialled by those who can decide the rest as well.
        conversation = await stack.enter_async_context(
            running(
                CountingAuthoriser(parts.authoriser, parts.metrics, parts.clock),
                CountingRecordBook(parts.book, parts.metrics),
                places(settings),
                connected=parts.flags.connected,
                known=parts.known,
                started=watch.over,
                traces=traces,
            )
        )
        if settings.http_port:
            await stack.enter_async_context(
                serving(HttpEndpoint(conversation), settings.http_host, settings.http_port)
            )
        parts.answering.set()
        log.info("answering %d SBCs", len(settings.sbcs))
        # Whoever knows no lines yet lets nothing go: it would be nobody's.
        await _first(parts.known, stop)
        if parts.known.is_set():
            tasks = [asyncio.create_task(each) for each in parts.work(settings, conversation)]
            stack.push_async_callback(_end, tasks)
            for task in tasks:
                watch.over(task)
        await stop.wait()
        log.info("stopping: records are taken, calls that are up run on")
        if parts.known.is_set():
            await _drained(conversation, settings.drain_seconds)
    return watch.exit_code


@dataclass(slots=True)
class Watch:
    """Stops the process when one of its parts ends that should run as long as it does."""

    stop: asyncio.Event
    exit_code: int = 0

    def over(self, task: asyncio.Task[None]) -> None:
        """Look after a part; ending it by cancelling is no failure."""
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        log.critical("a part of call control has ended", exc_info=task.exception())
        self.exit_code = 1
        self.stop.set()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the process is made of."""

    clock: SystemClock
    books: PostgresBooks
    tables: PostgresCallTables
    directory: TablesDirectory
    metrics: CallMetrics
    authoriser: BooksAuthoriser
    evidence: PostgresEvidence
    book: BooksRecordBook
    flags: OutageFlags
    watcher: SbcWatcher
    known: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, settings: CallControlSettings) -> Parts:
        """Nothing is opened yet. Raises CallplaneError for settings that cannot be."""
        clock = SystemClock()
        directory = TablesDirectory(PostgresDecks(settings.database_url))
        limits = SessionLimits(settings.sessions, SESSION_SECONDS, ANSWER_SECONDS)
        books = PostgresBooks(settings.database_url, limits=limits)
        evidence = PostgresEvidence(settings.database_url)
        tables = PostgresCallTables(settings.database_url, listen_dsn=settings.listen_url or None)
        authoriser = BooksAuthoriser(
            books,
            directory,
            clock,
            outside_lines=outside_lines_of(settings.outside_lines),
            phones_outside_line=settings.phones_outside_line,
            notes=TablesNotes(tables, directory, clock),
        )
        metrics = CallMetrics()
        watcher = SbcWatcher(sockets(settings))
        if watcher.sbcs:
            metrics.registry.register(watcher)
        return cls(
            clock=clock,
            books=books,
            tables=tables,
            directory=directory,
            metrics=metrics,
            authoriser=authoriser,
            evidence=evidence,
            # What the SBC charges is claimed, so that a file about the same calls is evidence.
            book=BooksRecordBook(
                books, directory, clock, source=settings.source, evidence=evidence
            ),
            flags=OutageFlags(directory),
            watcher=watcher,
        )

    async def open(self, stack: AsyncExitStack) -> None:
        """Open what has to be closed again; the database need not be there."""
        for opened in (self.books, self.tables, self.evidence):
            await opened.open()
            stack.push_async_callback(opened.close)
        stack.push_async_callback(self.authoriser.close)
        stack.push_async_callback(self.flags.close)

    async def keep_fresh(self, settings: CallControlSettings) -> None:
        """Follow the tables until cancelled."""
        await refreshing.keep_fresh(
            self.tables,
            self.directory,
            changed=self._changed,
            looked=self.metrics.tables_read_at.set_to_current_time,
            poll_seconds=settings.poll_seconds,
        )

    def work(
        self, settings: CallControlSettings, conversation: Conversation
    ) -> list[Coroutine[Any, Any, None]]:
        """What runs beside answering."""
        reaper = Reaper(self.books, self.directory, self.clock, pause_seconds=settings.reap_seconds)
        rescuer = Rescuer(self.books, self.tables, self.directory, self.clock, self.flags.sends)
        followers = [
            found for place in places(settings) if (found := place.follower(self.book)) is not None
        ]
        keep = timedelta(hours=settings.spool_hours)
        trimmers = [SpoolTrimmer(each.path, each.mark, self.clock, keep) for each in followers]
        beside = [
            reaper.run(),
            rescuer.run(),
            self.watcher.run(),
            self._gauge(conversation, followers),
        ]
        renewed = [each.run() for each in certificates(settings, self.clock, self.metrics)]
        return [*beside, *renewed, *(each.run() for each in trimmers)]

    def problem(self, stop: asyncio.Event) -> str:
        """Why the process is not ready; empty when it is.

        Ready means that a call could be decided: the endpoint listens and the tables were read
        once. The database may be away then, and the SBCs not connected yet; both are metrics, and
        the fail policy is for them.
        """
        if stop.is_set():
            return "stopping"
        if not self.answering.is_set():
            return "not answering yet"
        return "" if self.directory.is_known else "the tables were not read yet"

    def _changed(self) -> None:
        self.known.set()
        self.metrics.tables_version.set(self.directory.version)
        self.metrics.lines.set(sum(1 for _ in self.directory.lines()))
        self.metrics.entries_refused.set(len(self.directory.refused))
        self.authoriser.changed()
        self.flags.changed()

    async def _gauge(self, conversation: Conversation, followers: Sequence[SpoolFollower]) -> None:
        while True:
            self.metrics.records_waiting.set(conversation.recorder.waiting)
            behind = [await asyncio.to_thread(each.behind) for each in followers]
            self.metrics.spool_behind.set(sum(behind))
            self.metrics.sbcs.set(self.flags.connections())
            await asyncio.sleep(BEAT_SECONDS)


def places(settings: CallControlSettings) -> list[SbcPlace]:
    """Where the SBCs are. Raises CallplaneError for what is no address."""
    if len(settings.spools) > len(settings.sbcs):
        raise CallplaneError("CALLPLANE_SPOOLS names more files than there are SBCs")
    found = []
    for index, address in enumerate(settings.sbcs):
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise CallplaneError(f"CALLPLANE_SBCS: {address!r} is not HOST:PORT")
        spool = Path(settings.spools[index]) if index < len(settings.spools) else None
        found.append(SbcPlace(host, int(port), spool))
    return found


def sockets(settings: CallControlSettings) -> dict[str, KamailioRpc]:
    """How SBCs are asked of themselves, by their addresses. Raises CallplaneError."""
    if len(settings.rpc_sockets) > len(settings.sbcs):
        raise CallplaneError("CALLPLANE_RPC_SOCKETS names more sockets than there are SBCs")
    return {
        address: KamailioRpc(Path(path))
        for address, path in zip(settings.sbcs, settings.rpc_sockets, strict=False)
    }


def certificates(
    settings: CallControlSettings, clock: Clock, metrics: CallMetrics
) -> list[CertificateFollower]:
    """Who has renewed certificates loaded. Raises CallplaneError."""
    if len(settings.certificates) > len(settings.rpc_sockets):
        raise CallplaneError("CALLPLANE_CERTIFICATES names more files than there are sockets")
    return [
        CertificateFollower(rpc, Path(file), clock, told=metrics.certificate_of(address))
        for (address, rpc), file in zip(
            sockets(settings).items(), settings.certificates, strict=False
        )
    ]


def outside_lines_of(entries: Sequence[str]) -> dict[str, str]:
    """Digits by peer. Raises CallplaneError for what is no such pair."""
    found = {}
    for entry in entries:
        peer, separator, digits = entry.partition("=")
        if not peer or not separator or not digits.isdigit() or len(digits) > 3:
            raise CallplaneError(
                f"CALLPLANE_OUTSIDE_LINES: {entry!r} is not PEER=DIGITS with at most three digits"
            )
        found[peer] = digits
    return found


async def _first(*events: asyncio.Event) -> None:
    """Wait for the first of them."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def _drained(conversation: Conversation, seconds: float) -> None:
    """Wait until every record was taken, but not for ever: the spool has them too."""
    for _ in range(round(seconds / DRAIN_LOOK_SECONDS)):
        if not conversation.recorder.waiting:
            return
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
    log.warning("%d records wait; the spool has them too", conversation.recorder.waiting)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
