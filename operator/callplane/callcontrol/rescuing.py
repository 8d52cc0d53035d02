"""Live calls outlive the process that extends them: how each is addressed stands in the tables, and
whoever is there extends what nobody has.

A process extends its calls when four fifths of their grants are over. A call whose grant is about
to end has nobody, because its process was killed or is cut off. Two that extend the same call do
no harm: it holds a little more for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from callplane.callcontrol.authorising import OVERTIME
from callplane.callcontrol.messages import Extend, Started
from callplane.callcontrol.ports import Send
from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.clock import Clock
from callplane.store.books_ports import Books, Payer
from callplane.store.call_tables import CallTables, Dialog
from callplane.store.ports import StoreUnavailable

PAUSE_SECONDS: Final = 2.0
#: The shortest grant is 60 s, of which its process asks for more 12 s before the end.
NEAR_SECONDS: Final = 8.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rescuer:
    """`sends` are the ways to SBCs; an order for another run of an SBC means nothing to it."""

    books: Books
    tables: CallTables
    directory: TablesDirectory
    clock: Clock
    sends: Callable[[], Iterable[Send]]
    pause_seconds: float = PAUSE_SECONDS

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.step()
            except StoreUnavailable:
                log.warning("calls that nobody extends could not be looked for")
            except Exception:
                log.exception("calls that nobody extends could not be looked for")
            await asyncio.sleep(self.pause_seconds)

    async def step(self) -> int:
        """Extend what is about to end; how many. Raises StoreUnavailable."""
        found = await self.tables.dialogs_near_end(
            now=self.clock.now(), within_seconds=NEAR_SECONDS
        )
        return sum([await self._extend(dialog) for dialog in found])

    async def _extend(self, dialog: Dialog) -> bool:
        (held,) = await self.books.reservations([dialog.attempt_id]) or (None,)
        line = None if held is None else self.directory.line_named(held.line)
        if held is None or held.answered_at is None or line is None:
            return False
        now = self.clock.now()
        slice_seconds = line.account.slices.bundled_seconds
        expires_at = now + timedelta(seconds=held.granted.seconds + slice_seconds) + OVERTIME
        more = await self.books.extend(
            dialog.attempt_id, line.limits, now=now, expires_at=expires_at
        )
        if more is None or more.seconds <= held.granted.seconds:
            return False
        seconds = round(more.seconds - (now - held.answered_at).total_seconds())
        order = Extend(dialog.boot_id, dialog.he, dialog.hi, max(1, seconds))
        log.warning("a call that nobody extended goes on attempt=%s", dialog.attempt_id)
        told = False
        for send in self.sends():
            try:
                send(order)
                told = True
            except ConnectionError:
                continue
        return told


@dataclass(frozen=True, slots=True)
class TablesNotes:
    """Notes of calls in the tables. What cannot be noted now costs little: a first call to a
    country is held shorter once more, a call whose process is killed ends at its grant, a phone
    registers again within the hour.
    """

    tables: CallTables
    directory: TablesDirectory
    clock: Clock
    #: Since when each phone is noted: the beginning of a month.
    _registered: dict[str, datetime] = field(default_factory=dict)

    async def first_call(self, account: str, country: str) -> None:
        if self.directory.has_called(account, country):
            return
        self.directory.note_countries([(account, country)])
        try:
            await self.tables.called(account, country, now=self.clock.now())
        except StoreUnavailable:
            log.warning("a first call to a country could not be noted")

    async def live(self, started: Started) -> None:
        dialog = Dialog(started.attempt_id, started.boot_id, started.he, started.hi)
        try:
            await self.tables.note_dialog(dialog)
        except StoreUnavailable:
            log.warning("a live call could not be noted attempt=%s", started.attempt_id)

    async def registered(self, line: str) -> None:
        """Once a month, by the time zone of whoever pays; a phone without a line is nobody's."""
        known = self.directory.line_named(line)
        if known is None:
            return
        account, now = known.account, self.clock.now()
        payer = Payer.at(account.name, account.currency, account.zone, now)
        if self._registered.get(line) == payer.period.start:
            return
        try:
            await self.tables.note_registered(payer, line, now=now)
        except StoreUnavailable:
            log.warning("a registration could not be noted; its phone registers again")
        else:
            self._registered[line] = payer.period.start
