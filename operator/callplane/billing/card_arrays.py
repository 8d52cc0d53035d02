"""A rate card as flat arrays, for batches.

A card is laid flat in three steps: a destination falls into an interval, the interval and the date
give a row, and the row with its band and access charge give a price. The intervals are those that
single calls are priced by, and prices are made by the card itself: both ways share all of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from callplane.billing.prices import Price
from callplane.billing.tariff import RateCard, RateRow

#: The place of what no row names. Rows and prices begin behind it.
NOTHING = 0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant_micros(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def _column() -> array[int]:
    return array("q", [0])


@dataclass(frozen=True, slots=True)
class PriceColumns:
    """Prices by their place, the place of nothing first: money in micro-units, time in seconds.

    A price of one part has zeros in the columns of the second.
    """

    first: array[int] = field(default_factory=lambda: array("q", [1]))
    next: array[int] = field(default_factory=lambda: array("q", [1]))
    minute: array[int] = field(default_factory=_column)
    fee: array[int] = field(default_factory=_column)
    service_minute: array[int] = field(default_factory=_column)
    service_fee: array[int] = field(default_factory=_column)
    row: array[int] = field(default_factory=_column)
    band: array[int] = field(default_factory=_column)

    def add(self, price: Price, row: int, band: int) -> None:
        own, *others = price.parts
        self.first.append(price.increment.first)
        self.next.append(price.increment.next)
        self.minute.append(own.per_minute_micros)
        self.fee.append(own.per_call_micros)
        self.service_minute.append(others[0].per_minute_micros if others else 0)
        self.service_fee.append(others[0].per_call_micros if others else 0)
        self.row.append(row)
        self.band.append(band)


@dataclass(frozen=True, slots=True)
class CardArrays:
    """A card laid flat.

    The dates at which anything changes cut time into epochs: epoch 0 is before the first of them.
    `moments` are interval × epochs + epoch, sorted, and `moment_rows` the place of the row from
    that moment on. A row's prices begin at `row_prices`; where `row_bands` is 1 there are those of
    no band and of each band, and each is there once for every access charge if `row_access` is 1.
    """

    card: RateCard
    dates: array[int]
    moments: array[int]
    moment_rows: array[int]
    rows: tuple[RateRow | None, ...]
    row_prices: array[int]
    row_bands: array[int]
    row_access: array[int]
    prices: PriceColumns
    access_dates: array[int]

    @property
    def epochs(self) -> int:
        return len(self.dates) + 1


def lay_flat(card: RateCard) -> CardArrays:
    """The arrays of a card; takes about a second for 100,000 rows."""
    starts = {start for begun, _ in card.timelines for start in begun}
    dates = array("q", sorted(map(instant_micros, starts)))
    epoch_of = {micros: nth for nth, micros in enumerate(dates, start=1)}
    rows: list[RateRow | None] = [None]
    timelines: list[list[tuple[int, int]]] = []
    for begun, found in card.timelines:
        epochs = [epoch_of[instant_micros(start)] for start in begun]
        timelines.append(list(zip(epochs, range(len(rows), len(rows) + len(found)), strict=True)))
        rows.extend(found)
    moments, moment_rows = array("q"), array("q")
    for interval, owners in enumerate(card.prefixes.owners):
        for epoch, row in _timeline(timelines[owner] for owner in owners):
            moments.append(interval * (len(dates) + 1) + epoch)
            moment_rows.append(row)
    made = _prices(card, rows)
    access = array("q", map(instant_micros, card.access_starts))
    return CardArrays(card, dates, moments, moment_rows, tuple(rows), *made, access)


def _timeline(chain: Iterable[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Which row is in force from which epoch on: the longest prefix that has begun."""
    found: list[tuple[int, int]] = []
    until: int | None = None
    for own in chain:
        # A longer prefix that has not begun yet leaves the shorter one in force.
        earlier = [entry for entry in own if until is None or entry[0] < until]
        found = earlier + found
        until = own[0][0] if until is None else min(until, own[0][0])
    return [(0, NOTHING), *found]


def _prices(
    card: RateCard, rows: list[RateRow | None]
) -> tuple[array[int], array[int], array[int], PriceColumns]:
    bases, bands, access = _column(), _column(), _column()
    prices = PriceColumns()
    names = ["", *(band.name for band in card.bands)]
    charges = range(1, len(card.access_starts) + 1)
    for place, row in enumerate(rows):
        if row is None:
            continue
        bases.append(len(prices.first))
        bands.append(1 if row.band_micros else 0)
        access.append(1 if row.service is not None else 0)
        for nth, band in enumerate(names if row.band_micros else names[:1]):
            for begun in charges if row.service is not None else (0,):
                prices.add(card.priced(row, band, begun), place, nth)
    return bases, bands, access, prices
