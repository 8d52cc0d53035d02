"""Bulk knowledge of one connection, and how far it can be believed.

Each entry carries when the request that read it began; the newest wins. A write marks what it
touched dirty: entries read before the write (plus the provider's declared lag) no longer count. A
listing that ends without its end marker, repeats ids or lost too many rows is *suspect*, and then
all its absences are unknown. An absence is believed after two complete listings in a row; a
targeted read decides sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")

SUSPECT_MIN_ROWS = 5
SUSPECT_SHARE = 0.01
# How long listings must agree on a much smaller estate before it is believed.
SHRUNK_SECONDS = 600.0


@dataclass(slots=True)
class Entry(Generic[Row]):
    """`row` is None for a believed absence."""

    row: Row | None
    observed_at: float
    missed_listings: int = 0


@dataclass(frozen=True, slots=True)
class Dirty(Generic[Row]):
    """What a write of ours has made of an entry: `shows` tells whether a row shows the write's
    effect.
    """

    until: float
    shows: Callable[[Row | None], bool]


@dataclass(frozen=True, slots=True)
class ListingResult:
    """How a listing ended: `suspect` says why its absences are not believed, empty when they are.

    `changed` holds the keys whose content differs from what was known before.
    """

    rows: int
    bad_rows: int
    suspect: str
    changed: frozenset[Hashable]


def _is_many(rows: int, of_rows: int) -> bool:
    return rows > max(SUSPECT_MIN_ROWS, of_rows * SUSPECT_SHARE)


class FamilySnapshot(Generic[Row]):
    """Rows of one family by key. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, Entry[Row]] = {}
        self._dirty: dict[Hashable, Dirty[Row]] = {}
        self.complete_at: float | None = None
        self._last_complete_rows = 0
        self._shrunk: tuple[int, float] | None = None
        self._listing: dict[Hashable, tuple[Row, float]] = {}
        self._repeated = 0
        self._bad_rows = 0
        self._began_at = 0.0

    def begin_listing(self, began_at: float) -> None:
        self._listing, self._repeated, self._bad_rows = {}, 0, 0
        self._began_at = began_at

    def add_page(
        self, rows: Iterable[tuple[Hashable, Row]], *, observed_at: float, bad_rows: int
    ) -> None:
        listed, given = len(self._listing), 0
        for key, row in rows:
            given += 1
            self._listing[key] = (row, observed_at)
        self._repeated += given - (len(self._listing) - listed)
        self._bad_rows += bad_rows

    def end_listing(self, *, has_end_marker: bool) -> ListingResult:
        """Merge the listing. Presences always count; absences only when the listing is not
        suspect.
        """
        suspect = self._suspicion(has_end_marker)
        changed = {
            key for key, (row, at) in self._listing.items() if self.put(key, row, observed_at=at)
        }
        if not suspect:
            changed |= self._believe_absences()
            self._last_complete_rows = len(self._listing)
            self.complete_at = self._began_at
        result = ListingResult(
            rows=len(self._listing),
            bad_rows=self._bad_rows,
            suspect=suspect,
            changed=frozenset(changed),
        )
        self._listing = {}
        return result

    def _suspicion(self, has_end_marker: bool) -> str:
        if not has_end_marker:
            return "the listing ended without its end marker"
        if self._repeated:
            return f"the listing repeated {self._repeated} rows"
        lost = self._last_complete_rows - len(self._listing)
        if not _is_many(lost, self._last_complete_rows) or self._is_shrunk_for_good():
            self._shrunk = None
            return ""
        return f"the listing lost {lost} rows against the last complete one"

    def _is_shrunk_for_good(self) -> bool:
        """Have listings agreed on the smaller estate for long enough?"""
        rows = len(self._listing)
        known = self._shrunk
        if known is None or _is_many(abs(known[0] - rows), known[0]):
            self._shrunk = (rows, self._began_at)
            return False
        return self._began_at - known[1] >= SHRUNK_SECONDS

    def _believe_absences(self) -> set[Hashable]:
        changed: set[Hashable] = set()
        for key, entry in self._entries.items():
            if key in self._listing or entry.observed_at > self._began_at or entry.row is None:
                continue
            entry.missed_listings += 1
            if entry.missed_listings >= 2 and key not in self._dirty:
                entry.row, entry.observed_at = None, self._began_at
                changed.add(key)
        return changed

    def put(self, key: Hashable, row: Row | None, *, observed_at: float) -> bool:
        """One row as read; returns whether it changed what is known.

        A read from before a write does not count, unless it shows the effect of that very write,
        which no older state does.
        """
        dirty = self._dirty.get(key)
        if dirty is not None:
            if observed_at < dirty.until and not dirty.shows(row):
                return False
            del self._dirty[key]
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = Entry(row, observed_at)
            return True
        if observed_at < entry.observed_at:
            return False
        changed = entry.row != row
        entry.row, entry.observed_at, entry.missed_listings = row, observed_at, 0
        return changed

    def mark_dirty(self, key: Hashable, until: float, shows: Callable[[Row | None], bool]) -> None:
        """A write touches this key: reads that began before `until` count only if they show its
        effect.
        """
        self._dirty[key] = Dirty(until, shows)

    def is_dirty(self, key: Hashable) -> bool:
        return key in self._dirty

    def get(self, key: Hashable) -> Entry[Row] | None:
        """What is known of a key; None when nothing is, or when a write has made it stale."""
        if key in self._dirty:
            return None
        return self._entries.get(key)

    def last_known(self, key: Hashable) -> Row | None:
        """The row as it was last taken in, also when a write has made it stale since."""
        entry = self._entries.get(key)
        return entry.row if entry is not None else None

    def known_absent(self, key: Hashable) -> bool:
        """No row in a complete listing that began after the last write: absence by listing
        alone.
        """
        entry = self.get(key)
        if entry is not None:
            return entry.row is None
        return self.complete_at is not None and key not in self._dirty

    def rows(self) -> Iterable[Row]:
        return (entry.row for entry in self._entries.values() if entry.row is not None)

    def __len__(self) -> int:
        return sum(1 for entry in self._entries.values() if entry.row is not None)
