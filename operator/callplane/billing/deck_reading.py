"""Decks as CSV: the header, and each row by itself.

What cannot be used is named by row and column, all of it, and nothing is guessed: a price that is
not there is no price, and a cell that a spreadsheet would run is refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from callplane.billing.decks import DeckRow, Reasons
from callplane.billing.increments import PER_SECOND, Increment
from callplane.billing.mediation import RowError
from callplane.billing.prefix_arrays import SHORT_CODE
from callplane.billing.prices import LineKind, PricePart
from callplane.billing.tariff import RateRow
from callplane.values.money import parse_micros
from callplane.values.period import first_instant

REQUIRED = ("prefix", "name", "per_minute")
OPTIONAL = (
    "connection_fee",
    "increment",
    "currency",
    "effective_from",
    "effective_until",
    "short_code",
    "service_per_minute",
    "service_per_call",
)
#: Before the name of a band: a column of prices a minute within it.
BAND = "per_minute:"
ROWS_MAX = 1_000_000
NAME_MAX = 64
STEP_SECONDS_MAX = 3_600

_PREFIX = re.compile(r"\+?([0-9]{1,15})\Z")
_INCREMENT = re.compile(r"([0-9]{1,4})/([0-9]{1,4})\Z")
_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")


@dataclass(frozen=True, slots=True)
class DeckTerms:
    """What a deck must agree with: its card's currency, zone and bands. `effective_from` is the
    date of rows that have none of their own.
    """

    currency: str
    zone: str
    bands: frozenset[str] = frozenset()
    access_from: datetime | None = None
    effective_from: datetime | None = None
    rows_max: int = ROWS_MAX


def read(lines: Iterable[str], terms: DeckTerms, reasons: Reasons) -> Iterator[DeckRow]:
    """The rows of a CSV file that can be used by themselves; why others cannot goes to `reasons`.

    Reading ends at the first row beyond `rows_max`. Raises nothing for any content.
    """
    reader = csv.reader(lines, strict=True)
    try:
        heads = tuple(name.strip() for name in next(reader, ()))
        if not _heads_fit(heads, terms, reasons):
            return
        columns = _Columns(heads, terms, reasons)
        for count, cells in enumerate(filter(None, reader), start=1):
            if count > terms.rows_max:
                message = f"more than {terms.rows_max:,} rows, which deckRowsMax allows"
                reasons.add(RowError(reader.line_num, "-", message))
                return
            found = columns.row(reader.line_num, cells)
            if found is not None:
                yield found
    except (csv.Error, UnicodeDecodeError) as error:
        reasons.add(RowError(reader.line_num + 1, "-", f"is not CSV in UTF-8: {error}"))


def _heads_fit(heads: Sequence[str], terms: DeckTerms, reasons: Reasons) -> bool:
    known = {*REQUIRED, *OPTIONAL, *(BAND + name for name in terms.bands)}
    errors = [RowError(1, name, "the column is missing") for name in REQUIRED if name not in heads]
    for name in heads:
        if name not in known:
            is_band = name.startswith(BAND)
            message = "the card has no such band" if is_band else "no such column"
            errors.append(RowError(1, name or "-", message))
    if len(set(heads)) != len(heads):
        errors.append(RowError(1, "-", "a column is there twice"))
    if "effective_from" not in heads and terms.effective_from is None:
        errors.append(RowError(1, "effective_from", "neither a column nor a date for all rows"))
    for error in errors:
        reasons.add(error)
    return not errors


class _Columns:
    """Reads rows by the places of their columns."""

    def __init__(self, heads: Sequence[str], terms: DeckTerms, reasons: Reasons) -> None:
        self._places = {name: nth for nth, name in enumerate(heads)}
        self._width = len(heads)
        self._bands = [name for name in heads if name.startswith(BAND)]
        self._terms = terms
        self._reasons = reasons
        self._instant = lru_cache(maxsize=4_096)(lambda text: instant(text, terms.zone))

    def row(self, number: int, cells: Sequence[str]) -> DeckRow | None:
        if len(cells) != self._width:
            message = f"{len(cells)} cells, the header has {self._width}"
            self._reasons.add(RowError(number, "-", message))
            return None
        before = self._reasons.count
        found = self._read(number, cells)
        return found if self._reasons.count == before else None

    def _read(self, number: int, cells: Sequence[str]) -> DeckRow | None:
        def cell(name: str) -> str:
            place = self._places.get(name)
            return "" if place is None else cells[place].strip()

        def refuse(column: str, message: str) -> None:
            self._reasons.add(RowError(number, column, message))

        def amount(name: str) -> int:
            try:
                found = parse_micros(cell(name) or "0")
            except ValueError as error:
                refuse(name, str(error))
                return 0
            if found < 0:
                refuse(name, "a price is not negative")
            return found

        for name, place in self._places.items():
            if is_formula(cells[place]):
                refuse(name, "begins like a formula of a spreadsheet")
                return None
        prefix = _PREFIX.match(cell("prefix"))
        if prefix is None:
            refuse("prefix", "must be 1 to 15 digits")
        title = cell("name")
        if not 0 < len(title) <= NAME_MAX or not title.isprintable():
            refuse("name", f"must be text of 1 to {NAME_MAX} characters")
        if not cell("per_minute"):
            refuse("per_minute", "is empty; a destination that is free says 0")
        currency = cell("currency")
        if currency and currency != self._terms.currency:
            refuse("currency", f"{currency!r} is not the card's {self._terms.currency}")
        begins = self._begin(cell("effective_from"), refuse)
        until = self._date("effective_until", cell("effective_until"), refuse)
        if begins is not None and until is not None and until <= begins:
            refuse("effective_until", "is not behind effective_from")
        counted = self._increment(cell("increment"), refuse)
        mark = _mark(cell("short_code"), refuse)
        service = self._service(cell, amount)
        access = self._terms.access_from
        if service is not None and begins and (access is None or begins < access):
            refuse("service_per_minute", "begins before any access charge of the card")
        bands = {name.removeprefix(BAND): amount(name) for name in self._bands if cell(name)}
        minute, fee = amount("per_minute"), amount("connection_fee")
        if prefix is None or begins is None:
            return None
        rate = RateRow(
            prefix=mark + prefix[1],
            name=title,
            per_minute_micros=max(0, minute),
            effective_from=begins,
            increment=counted,
            connection_micros=max(0, fee),
            band_micros=bands or None,
            service=service,
        )
        return DeckRow(number, rate, until)

    def _begin(self, text: str, refuse: Callable[[str, str], None]) -> datetime | None:
        if text:
            return self._date("effective_from", text, refuse)
        if self._terms.effective_from is None:
            refuse("effective_from", "is empty, and there is no date for all rows")
        return self._terms.effective_from

    def _date(self, name: str, text: str, refuse: Callable[[str, str], None]) -> datetime | None:
        if not text:
            return None
        try:
            return self._instant(text)
        except ValueError as error:
            refuse(name, str(error))
            return None

    @staticmethod
    def _increment(text: str, refuse: Callable[[str, str], None]) -> Increment:
        if not text:
            return PER_SECOND
        found = _INCREMENT.match(text)
        parts = (int(found[1]), int(found[2])) if found is not None else (0, 0)
        if not all(1 <= part <= STEP_SECONDS_MAX for part in parts):
            refuse("increment", f"{text!r} is no increment, such as 60/1")
            return PER_SECOND
        return _counted(*parts)

    @staticmethod
    def _service(cell: Callable[[str], str], amount: Callable[[str], int]) -> PricePart | None:
        if not cell("service_per_minute") and not cell("service_per_call"):
            return None
        minute, call = amount("service_per_minute"), amount("service_per_call")
        return PricePart(LineKind.SERVICE_CHARGE, max(0, minute), max(0, call))


@lru_cache(maxsize=1_024)
def _counted(first: int, following: int) -> Increment:
    return Increment(first, following)


def _mark(text: str, refuse: Callable[[str, str], None]) -> str:
    if text.lower() in _NO:
        return ""
    if text.lower() not in _YES:
        refuse("short_code", "must be true or false")
    return SHORT_CODE


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run it. A number may have a sign.

    >>> [is_formula(text) for text in ("=1+1", "@x", "+44", "-2", "-1+1", " =A1", "Gabon")]
    [True, True, False, False, True, True, False]
    """
    text = cell.strip()
    if cell[:1] in ("\t", "\r") or text[:1] in ("=", "@"):
        return True
    return text[:1] in ("+", "-") and _NUMBER.match(text) is None


def instant(text: str, zone: str) -> datetime:
    """A day (its first instant where the card is) or an instant with a zone. Raises ValueError.

    >>> instant("2026-07-01", "Europe/London").isoformat()
    '2026-06-30T23:00:00+00:00'
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and _DAY.match(text):
        return first_instant(found.date(), zone)
    if found is None or found.tzinfo is None:
        raise ValueError(f"{text!r} is no day, as in 2026-12-01, and no time with a zone")
    return found.astimezone(UTC)
