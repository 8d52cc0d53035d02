"""The tables of call control in dictionaries: the twin that tests and simulations use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

from callplane.store.books_ports import Books, Payer
from callplane.store.call_tables import Dialog, Entry, Holders, Passage, StoredEntry
from callplane.store.ports import StoreUnavailable


class MemoryCallTables:
    """`CallTables` beside books in memory, which get the holders. `available = False` makes every
    method raise StoreUnavailable.
    """

    def __init__(self, books: Books | None = None) -> None:
        self.available = True
        self.version = 0
        self.writes = 0
        self._books = books
        self._entries: dict[tuple[str, str], tuple[StoredEntry, int]] = {}
        self._countries: set[tuple[str, str]] = set()
        self._dialogs: dict[str, Dialog] = {}
        self._registered: set[tuple[str, datetime, str]] = set()
        self._news = asyncio.Condition()

    async def write(
        self,
        installation: str,
        entries: Sequence[Entry],
        holders: Sequence[Holders],
        *,
        now: datetime,
    ) -> int:
        self._ask()
        self.version += 1
        self.writes += 1
        for one in entries:
            content = None if one.content is None else json.loads(json.dumps(one.content))
            stored = StoredEntry(Entry(one.kind, one.name, one.owner, content), installation)
            self._entries[one.kind, one.name] = (stored, self.version)
        for each in holders if self._books is not None else ():
            assert self._books is not None
            await self._books.set_plans(each.payer, each.holders, now=now)
        async with self._news:
            self._news.notify_all()
        return self.version

    async def read(self, known: int) -> Passage:
        self._ask()
        after = 0 if known > self.version else known
        found = (stored for stored, version in self._entries.values() if version > after)
        return Passage(self.version, tuple(found), is_whole=after == 0)

    async def countries(self) -> frozenset[tuple[str, str]]:
        self._ask()
        return frozenset(self._countries)

    async def called(self, account: str, country: str, *, now: datetime) -> None:
        self._ask()
        self._countries.add((account, country))

    async def note_registered(self, payer: Payer, line: str, *, now: datetime) -> None:
        self._ask()
        self._registered.add((payer.account, payer.period.start, line))

    async def registered(self, account: str, period_start: datetime) -> frozenset[str]:
        self._ask()
        wanted = (account, period_start)
        return frozenset(line for *month, line in self._registered if tuple(month) == wanted)

    async def note_dialog(self, dialog: Dialog) -> None:
        self._ask()
        self._dialogs.setdefault(dialog.attempt_id, dialog)

    async def dialogs_near_end(self, *, now: datetime, within_seconds: float) -> tuple[Dialog, ...]:
        self._ask()
        found: list[tuple[datetime, Dialog]] = []
        held = {}
        if self._books is not None:
            held = {one.attempt_id: one for one in await self._books.reservations([*self._dialogs])}
        for attempt_id, dialog in list(self._dialogs.items()):
            one = held.get(attempt_id)
            if one is None or not one.state.is_live:
                del self._dialogs[attempt_id]
            elif one.answered_at is not None and not one.granted.is_final:
                ends_at = one.answered_at + timedelta(seconds=one.granted.seconds)
                if -2 <= (ends_at - now).total_seconds() <= within_seconds:
                    found.append((ends_at, dialog))
        return tuple(dialog for _, dialog in sorted(found, key=lambda pair: pair[0]))

    async def listen(self, *, poll_seconds: float) -> AsyncGenerator[None]:
        while True:
            yield
            async with self._news:
                try:
                    async with asyncio.timeout(poll_seconds):
                        await self._news.wait()
                except TimeoutError:
                    continue

    def _ask(self) -> None:
        if not self.available:
            raise StoreUnavailable("the tables are away")
