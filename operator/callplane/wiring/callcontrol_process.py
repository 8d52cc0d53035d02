"""The call control process: settings in, exit code out. Called by `callplane callcontrol`.

Everything that calls are decided by is in the database; the process keeps a copy of it in memory
and can be killed at any moment.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from callplane.callcontrol import refreshing
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.conversation import Conversation
from callplane.callcontrol.http_endpoint import HttpEndpoint
from callplane.callcontrol.http_serving import serving
from callplane.callcontrol.metrics import CallMetrics, CountingAuthoriser, CountingRecordBook
from callplane.callcontrol.outage_flags import OutageFlags
from callplane.callcontrol.probing import Probes
from callplane.callcontrol.reaping import Reaper
from callplane.callcontrol.running import SbcPlace, running
from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.clock import SystemClock
from callplane.errors import CallplaneError
from callplane.settings import CallControlSettings
from callplane.store.books_postgres import PostgresBooks
from callplane.store.call_tables import CallTables
from callplane.store.call_tables_postgres import PostgresCallTables
from callplane.store.ports import StoreUnavailable
from callplane.store.sessions import SessionLimits

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
    clock = SystemClock()
    limits = SessionLimits(settings.sessions, SESSION_SECONDS, ANSWER_SECONDS)
    books = PostgresBooks(settings.database_url, limits=limits)
    tables = PostgresCallTables(settings.database_url, listen_dsn=settings.listen_url or None)
    directory = TablesDirectory()
    metrics = CallMetrics()
    outside_lines = outside_lines_of(settings.outside_lines)
    authoriser = BooksAuthoriser(
        books,
        directory,
        clock,
        outside_lines=outside_lines,
        phones_outside_line=settings.phones_outside_line,
        first_calls=FirstCallNotes(tables, directory, clock),
    )
    counting = CountingAuthoriser(authoriser, metrics, clock)
    book = CountingRecordBook(
        BooksRecordBook(books, directory, clock, source=settings.source), metrics
    )
    flags = OutageFlags(directory)

    def changed() -> None:
        metrics.tables_version.set(directory.version)
        authoriser.changed()
        flags.changed()

    def problem() -> str:
        if stop.is_set():
            return "stopping"
        return "" if directory.is_known else "the tables were not read yet"

    async with AsyncExitStack() as stack:
        for opened in (books, tables):
            await opened.open()
            stack.push_async_callback(opened.close)
        stack.push_async_callback(authoriser.close)
        stack.push_async_callback(flags.close)
        if settings.probe_port:
            probes = Probes(metrics, problem)
            port = await stack.enter_async_context(
                serving(probes, settings.probe_host, settings.probe_port)
            )
            log.info("probes and metrics on port %d", port)
        tasks = [
            asyncio.create_task(
                refreshing.keep_fresh(
                    tables, directory, changed=changed, poll_seconds=settings.poll_seconds
                )
            ),
            asyncio.create_task(
                Reaper(books, directory, clock, pause_seconds=settings.reap_seconds).run()
            ),
        ]
        stack.push_async_callback(_end, tasks)
        conversation = await stack.enter_async_context(
            running(counting, book, places(settings), connected=flags.connected)
        )
        tasks.append(asyncio.create_task(_gauge(metrics, directory, conversation)))
        if settings.http_port:
            await stack.enter_async_context(
                serving(HttpEndpoint(conversation), settings.http_host, settings.http_port)
            )
        log.info("answering %d SBCs", len(settings.sbcs))
        await stop.wait()
        log.info("stopping: records are taken, calls that are up run on")
        await _drained(conversation, settings.drain_seconds)
    return 0


@dataclass(frozen=True, slots=True)
class FirstCallNotes:
    """Remembers which countries an account has called, here and in the tables."""

    tables: CallTables
    directory: TablesDirectory
    clock: SystemClock

    async def note(self, account: str, country: str) -> None:
        if self.directory.has_called(account, country):
            return
        self.directory.note_countries([(account, country)])
        try:
            await self.tables.called(account, country, now=self.clock.now())
        except StoreUnavailable:
            # The next process holds the first call shorter once more.
            log.warning("a first call to a country could not be noted")


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


async def _drained(conversation: Conversation, seconds: float) -> None:
    """Wait until every record was taken, but not for ever: the spool has them too."""
    for _ in range(round(seconds / DRAIN_LOOK_SECONDS)):
        if not conversation.recorder.waiting:
            return
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
    log.warning("%d records wait; the spool has them too", conversation.recorder.waiting)


async def _gauge(
    metrics: CallMetrics, directory: TablesDirectory, conversation: Conversation
) -> None:
    while True:
        metrics.records_waiting.set(conversation.recorder.waiting)
        metrics.lines.set(sum(1 for _ in directory.lines()))
        metrics.entries_refused.set(len(directory.refused))
        await asyncio.sleep(BEAT_SECONDS)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
