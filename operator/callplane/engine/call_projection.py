"""The operator's side of call control's tables: what passes say, written when it changed.

A pass hands over all entries of its object; those that it does not name any more are gone. They
are written together with what others have said meanwhile, in one transaction, a moment later, and
only what differs from what the tables hold: a steady cluster writes nothing. An object that others
name is not taken out before nobody names it: whoever relied on it keeps what was applied.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from callplane.clock import Clock
from callplane.errors import CallplaneError
from callplane.store.books_ports import Payer, PlanHolder
from callplane.store.call_tables import LINE, NUMBER, OBJECT_KINDS, CallTables, Entry, Holders

#: So long passes are gathered before they are written; edits are to be known within 2 s.
GATHER_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0
WRITE_MAX: Final = 2000
#: After so many at one time more are waited for: the plans of an account are written as a whole.
CROWD: Final = 200

log = logging.getLogger(__name__)

DEFAULT_ZONE: Final = "Europe/London"

EntryKey = tuple[str, str]
_READ_AGAIN: Final = (LINE, NUMBER, "CallingAccount", "CallingPlan")
#: Which objects the content of an entry names: kind by field.
_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    LINE: {"account": "CallingAccount", "plan": "CallingPlan", "privilege": "CallPrivilege"},
    "CallingAccount": {"card": "RateCard"},
    "CallingPlan": {"set": "DestinationSet"},
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What the tables hold of one entry, or are to hold: enough to compare, and to know whom it
    names.
    """

    owner: str
    digest: bytes
    content: Mapping[str, Any]
    names: tuple[EntryKey, ...]


class Surroundings(Protocol):
    """What the projection asks of the rest of the operator."""

    def may_write(self) -> bool:
        """Is this process the one that writes?"""

    def exists(self, owner: str) -> bool:
        """Is that object in the cluster?"""

    def is_held(self, number: str, holder: str) -> bool:
        """Does he hold this number, or may he as far as we know?"""


class CallProjection:
    """One a process."""

    def __init__(
        self, tables: CallTables, installation: str, clock: Clock, around: Surroundings
    ) -> None:
        self._tables = tables
        self._installation = installation
        self._clock = clock
        self._around = around
        self._known: dict[EntryKey, _Known] = {}
        self._owned: dict[str, set[EntryKey]] = {}
        self._lines: dict[str, set[EntryKey]] = {}
        self._wanted: dict[EntryKey, Entry] = {}
        self._leaving: dict[EntryKey, str] = {}
        self._said: dict[str, frozenset[EntryKey]] = {}
        self._changed = asyncio.Event()
        self._is_loaded = False

    def put(self, owner: str, entries: Iterable[Entry]) -> None:
        """What an object's pass says: these, and nothing else."""
        found = {(one.kind, one.name): one for one in entries}
        before = self._said.get(owner) or frozenset(self._owned.get(owner, ()))
        self._said[owner] = frozenset(found)
        for key in before - found.keys():
            self._wanted_no_more(key, owner)
        for key, entry in found.items():
            self._leaving.pop(key, None)
            if key not in self._wanted and self._is_known(key, entry):
                continue
            self._wanted[key] = entry
        if self._wanted or self._leaving:
            self._changed.set()

    def gone(self, owner: str) -> None:
        """The object is gone. What it said of numbers that are still held stays."""
        self._said.pop(owner, None)
        for key in list(self._owned.get(owner, ())):
            if not self._is_held(key):
                self._wanted_no_more(key, owner)
        if self._leaving:
            self._changed.set()

    def sweep(self) -> None:
        """Look for objects that went away while nobody looked. Only after all were listed."""
        for owner in list(self._owned):
            if not self._around.exists(owner):
                self.gone(owner)

    async def run(self) -> None:
        """Write what changed, until cancelled."""
        problem = ""
        self._changed.set()
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            pause_seconds = RETRY_SECONDS
            try:
                if self._around.may_write() and await self.flush() < CROWD:
                    pause_seconds = 0.0
                problem = ""
            except CallplaneError as error:
                if not problem:
                    log.warning("call control's tables are not written: %s", error)
                problem = str(error)
            except Exception:
                # A defect of ours must not end what keeps call control up to date.
                log.exception("call control's tables could not be written")
            await asyncio.sleep(pause_seconds)

    async def flush(self) -> int:
        """Write what changed now; how many entries. Raises StoreUnavailable, and then all of it
        is tried again.
        """
        if not self._is_loaded:
            await self._load()
            self.sweep()
        self._changed.clear()
        entries = self._due()
        if not entries:
            return 0
        for begin in range(0, len(entries), WRITE_MAX):
            part = entries[begin : begin + WRITE_MAX]
            try:
                await self._write(part)
            except BaseException:
                self._changed.set()
                raise
        return len(entries)

    async def _write(self, entries: Sequence[Entry]) -> None:
        holders = self._holders(entries)
        await self._tables.write(self._installation, entries, holders, now=self._clock.now())
        for entry in entries:
            key = (entry.kind, entry.name)
            self._take(key, _known(entry))
            # What was said meanwhile is written by the next.
            if self._wanted.get(key) is entry:
                del self._wanted[key]
            if entry.content is None or self._leaving.get(key) != entry.owner:
                self._leaving.pop(key, None)

    async def _load(self) -> None:
        passage = await self._tables.read(0)
        for stored in passage.entries:
            if stored.entry.content is None:
                continue
            key = (stored.entry.kind, stored.entry.name)
            known = _known(stored.entry)
            assert known is not None
            if stored.installation != self._installation:
                # Another cluster's: to be written again by whoever says the same here.
                known = _Known("", b"", known.content, known.names)
            self._take(key, known)
        self._is_loaded = True
        for key, entry in list(self._wanted.items()):
            if self._is_known(key, entry):
                del self._wanted[key]
        for owner, said in self._said.items():
            for key in self._owned.get(owner, set()) - said:
                self._wanted_no_more(key, owner)

    def _wanted_no_more(self, key: EntryKey, owner: str) -> None:
        wanted = self._wanted.get(key)
        if wanted is not None and wanted.owner == owner:
            del self._wanted[key]
        known = self._known.get(key)
        # A number that went over to somebody else is not the giver's to take out.
        if known is not None and known.owner == owner:
            self._leaving[key] = owner

    def _due(self) -> list[Entry]:
        """What may be written now, those that are named first. A line waits for what it names; an
        object stays until nobody names it.
        """
        due = [entry for entry in self._wanted.values() if self._is_whole(entry)]
        # A part of a large change is whole by itself: what lines name is there before them.
        due.sort(key=lambda one: one.kind == LINE)
        named = self._named() if any(kind in OBJECT_KINDS for kind, _ in self._leaving) else set()
        gone = [
            Entry(*key, owner, None)
            for key, owner in self._leaving.items()
            if key not in named and key not in self._wanted
        ]
        return [*due, *gone]

    def _is_whole(self, entry: Entry) -> bool:
        return all(name in self._known or name in self._wanted for name in _names(entry))

    def _named(self) -> set[EntryKey]:
        """What something names that stays, and what that names in turn."""
        staying = [
            known.names
            for key, known in self._known.items()
            if key not in self._wanted and key not in self._leaving
        ]
        staying += [_names(entry) for entry in self._wanted.values()]
        named: set[EntryKey] = set()
        while staying:
            for key in staying.pop():
                if key not in named:
                    named.add(key)
                    known = self._known.get(key)
                    staying.append(known.names if known is not None else ())
        return named

    def _is_held(self, key: EntryKey) -> bool:
        kind, name = key
        if kind not in (LINE, NUMBER):
            return False
        content = self._known[key].content
        numbers = [name] if kind == NUMBER else content.get("numbers", ())
        return any(self._around.is_held(number, content["holder"]) for number in numbers)

    def _is_known(self, key: EntryKey, entry: Entry) -> bool:
        known = self._known.get(key)
        return known is not None and known.owner == entry.owner and known.digest == _digest(entry)

    def _take(self, key: EntryKey, known: _Known | None) -> None:
        """The tables hold this of an entry from now on; None: nothing."""
        before = self._known.pop(key, None)
        if before is not None:
            _discard(self._owned, before.owner, key)
            _discard(self._lines, _account(before), key)
        if known is None:
            return
        self._known[key] = known
        if known.owner:
            self._owned.setdefault(known.owner, set()).add(key)
        if key[0] == LINE:
            self._lines.setdefault(_account(known), set()).add(key)

    def _holders(self, entries: Sequence[Entry]) -> list[Holders]:
        """The plans of every account in which somebody's plan changes, as they will be."""
        after = {(one.kind, one.name): _known(one) for one in entries}
        accounts: set[str] = set()
        for (kind, name), known in after.items():
            before = self._known.get((kind, name))
            if kind == LINE and _held(before) != _held(known):
                accounts.update(_account(one) for one in (before, known) if one is not None)
            elif kind == "CallingPlan" and known is not None:
                accounts.update(self._accounts_with((kind, name)))
        added: dict[str, set[EntryKey]] = {}
        for key, known in after.items():
            if key[0] == LINE and known is not None:
                added.setdefault(_account(known), set()).add(key)
        found = []
        for name in sorted(accounts):
            account = after.get(("CallingAccount", name)) or self._known.get(
                ("CallingAccount", name)
            )
            if account is None:
                continue
            held = []
            for key in self._lines.get(name, set()) | added.get(name, set()):
                line = after[key] if key in after else self._known.get(key)
                if line is None or _account(line) != name or not line.content.get("plan"):
                    continue
                plan_key = ("CallingPlan", line.content["plan"])
                plan = after.get(plan_key) or self._known.get(plan_key)
                if plan is not None:
                    seconds = int(plan.content["spec"]["minutes"]) * 60
                    held.append(PlanHolder(line.content["holder"], plan_key[1], seconds))
            spec = account.content["spec"]
            zone = spec.get("timeZone", DEFAULT_ZONE)
            payer = Payer.at(name, spec["currency"], zone, self._clock.now())
            held.sort(key=lambda one: (one.holder, one.plan))
            found.append(Holders(payer, tuple(held)))
        return found

    def _accounts_with(self, plan: EntryKey) -> set[str]:
        return {
            account
            for account, lines in self._lines.items()
            if any(plan in self._known[line].names for line in lines)
        }


def _known(entry: Entry) -> _Known | None:
    if entry.content is None:
        return None
    # Of cards and sets, which may be long, nothing is read again.
    content = entry.content if entry.kind in _READ_AGAIN else {}
    return _Known(entry.owner, _digest(entry), content, _names(entry))


def _account(line: _Known) -> str:
    return str(line.content.get("account", ""))


def _held(line: _Known | None) -> tuple[Any, ...]:
    """What of a line decides about minutes."""
    if line is None or not line.content.get("plan"):
        return ()
    return tuple(line.content.get(field) for field in ("account", "plan", "holder"))


def _discard(index: dict[str, set[EntryKey]], name: str, key: EntryKey) -> None:
    keys = index.get(name, set())
    keys.discard(key)
    if not keys:
        index.pop(name, None)


def _names(entry: Entry) -> tuple[EntryKey, ...]:
    content = entry.content or {}
    fields = _NAMES.get(entry.kind, {})
    return tuple((kind, content[field]) for field, kind in fields.items() if content.get(field))


def _digest(entry: Entry) -> bytes:
    text = json.dumps(entry.content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:16]
