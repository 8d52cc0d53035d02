"""A deck: the prices of a rate card as a list of its own, known by its digest.

A deck is taken whole or refused whole. What two rows say together (a prefix twice for one day, a
gap between its dates) shows when they come sorted by prefix and date, and so does the digest, which
is the same for the same prices in any order. Nothing here holds more than one row.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from callplane.billing.mediation import RowError
from callplane.billing.tariff import RateRow

REASONS_MAX = 100


@dataclass(frozen=True, slots=True)
class DeckRow:
    """One price and the line of the file that says so. `until`: from when on it is no more, where
    the file has such a column and the row fills it.
    """

    number: int
    rate: RateRow
    until: datetime | None = None


@dataclass(slots=True)
class Reasons:
    """Why a deck is refused: the first hundred by their row, and how many more there are."""

    limit: int = REASONS_MAX
    count: int = 0
    _kept: list[tuple[int, int, RowError]] = field(default_factory=list)

    def add(self, error: RowError) -> None:
        self.count += 1
        entry = (-error.row, -self.count, error)
        if len(self._kept) < self.limit:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    @property
    def first(self) -> list[RowError]:
        return [error for *_, error in sorted(self._kept, reverse=True)]

    @property
    def more(self) -> int:
        return self.count - len(self._kept)


def sort_key(row: DeckRow) -> tuple[str, datetime, int]:
    """The order in which `Examination` wants rows."""
    return (row.rate.prefix, row.rate.effective_from, row.number)


class Examination:
    """What the rows of a deck say together: give it all of them, by `sort_key`.

    `has_ends`: some row says until when it holds; then each but the last of a prefix must.
    """

    def __init__(self, reasons: Reasons, *, has_ends: bool) -> None:
        self._reasons = reasons
        self._has_ends = has_ends
        self._before: DeckRow | None = None
        self._digest = hashlib.sha256()
        self.rows = 0
        self.prefixes = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def take(self, row: DeckRow) -> None:
        before, self._before = self._before, row
        if before is None or before.rate.prefix != row.rate.prefix:
            self.prefixes += 1
            self._end(before)
        else:
            self._compare(before, row)
        self.rows += 1
        begins = row.rate.effective_from
        self.first = begins if self.first is None else min(self.first, begins)
        self.last = begins if self.last is None else max(self.last, begins)
        self._digest.update(canonical(row.rate))

    def finish(self, currency: str) -> str:
        """The digest, which is only good when there are no reasons against the deck."""
        self._end(self._before)
        if not self.rows and not self._reasons.count:
            self._reasons.add(RowError(1, "-", "there are no prices"))
        self._digest.update(currency.encode())
        return self._digest.hexdigest()

    def _compare(self, before: DeckRow, row: DeckRow) -> None:
        prefix, begins = row.rate.prefix, row.rate.effective_from
        where = f"prefix {prefix} of row {before.number}"
        if begins == before.rate.effective_from:
            self._refuse(row, f"{where} again from the same date")
        elif self._has_ends and (before.until is None or before.until > begins):
            self._refuse(row, f"{where} again before that has ended")
        elif before.until is not None and before.until < begins:
            ended = before.until.isoformat()
            self._refuse(row, f"a gap behind {where}, which ended {ended}")

    def _end(self, last: DeckRow | None) -> None:
        if last is not None and last.until is not None:
            message = f"prefix {last.rate.prefix} ends and nothing follows; leave the end empty"
            self._reasons.add(RowError(last.number, "effective_until", message))

    def _refuse(self, row: DeckRow, message: str) -> None:
        self._reasons.add(RowError(row.number, "prefix", message))


def canonical(rate: RateRow) -> bytes:
    """One row in the form that digests are made of."""
    service = rate.service
    parts = [
        rate.prefix,
        rate.name,
        rate.per_minute_micros,
        rate.connection_micros,
        str(rate.increment),
        rate.effective_from.isoformat(),
        sorted((rate.band_micros or {}).items()),
        None if service is None else [service.per_minute_micros, service.per_call_micros],
    ]
    return json.dumps(parts, separators=(",", ":")).encode() + b"\n"


def digest_of(rates: Iterable[RateRow], currency: str) -> str:
    """The digest of rows that are known to be good, in any order."""
    found = hashlib.sha256()
    for rate in sorted(rates, key=lambda rate: (rate.prefix, rate.effective_from)):
        found.update(canonical(rate))
    found.update(currency.encode())
    return found.hexdigest()
