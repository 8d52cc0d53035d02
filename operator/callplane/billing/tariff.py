"""Rate cards and destination sets: prefixes, dates and bands to a price or a treatment.

The longest prefix wins, then the newest row of that prefix that had begun at the call's set-up. A
destination that no row names has no price, and a call without a price is refused, never free.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from callplane.billing.increments import PER_SECOND, Increment
from callplane.billing.prefix_arrays import flatten, key_of, lookup_key
from callplane.billing.prices import LineKind, Price, PricePart
from callplane.values.period import zone_named


@dataclass(frozen=True, slots=True)
class TimeBand:
    """A named part of the week, in local minutes of the day; `until` does not belong to it.

    Days count from Monday, 0. A band that ends before it begins goes past midnight and counts by
    the day on which it began.
    """

    name: str
    days: frozenset[int]
    from_minute: int
    until_minute: int

    def holds(self, weekday: int, minute: int) -> bool:
        if self.from_minute <= self.until_minute:
            return weekday in self.days and self.from_minute <= minute < self.until_minute
        if minute >= self.from_minute:
            return weekday in self.days
        return minute < self.until_minute and (weekday - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class RateRow:
    """One row of a card. Prices are micro-units without tax; `effective_from` is an instant.

    `band_micros` replaces the price a minute in the bands it names. `service` is what the holder
    of the number's range charges; such a row also bears the card's access charge.
    """

    prefix: str
    name: str
    per_minute_micros: int
    effective_from: datetime
    increment: Increment = PER_SECOND
    connection_micros: int = 0
    band_micros: Mapping[str, int] | None = None
    service: PricePart | None = None


@dataclass(frozen=True, slots=True)
class AccessCharge:
    """The access charge of a card from an instant on."""

    per_minute_micros: int
    effective_from: datetime


class CardError(ValueError):
    """A card that contradicts itself."""


class RateCard:
    """Prices of one currency. Immutable once made; raises CardError for rows that collide.

    `version` identifies the content; charges name it. `sample` prices are nobody's and say so
    wherever they show.
    """

    def __init__(  # noqa: PLR0913 - all are parts of one card, all named
        self,
        *,
        name: str,
        currency: str,
        zone: str,
        rows: Iterable[RateRow],
        bands: tuple[TimeBand, ...] = (),
        access_charges: Iterable[AccessCharge] = (),
        version: str = "",
        sample: bool = False,
    ) -> None:
        self.name = name
        self.currency = currency
        self.version = version
        self.sample = sample
        self.zone = zone
        self.bands = bands
        self._zone = zone_named(zone)
        self._access = sorted(access_charges, key=lambda charge: charge.effective_from)
        by_prefix: dict[str, list[RateRow]] = {}
        for row in rows:
            by_prefix.setdefault(row.prefix, []).append(row)
        #: The rows of each prefix by date, with their dates, in the order of `prefixes`.
        self.timelines = [self._ordered(*each) for each in by_prefix.items()]
        self.prefixes = flatten(by_prefix)
        self._plain: list[list[Price | None]] = [[None] * len(rows) for _, rows in self.timelines]
        self._check_access_charges()
        self._prices: dict[tuple[str, int, str, int], Price] = {}

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.timelines)

    def price_at(self, destination: str, setup: datetime) -> Price | None:
        """The price of a call to `+` and E.164 digits, or to a short code, set up at that instant.

        None when no row names the destination, or none of the longest prefix had begun.
        """
        flat = self.prefixes
        for place in flat.owners[bisect_right(flat.begins, key_of(lookup_key(destination))) - 1]:
            starts, _ = self.timelines[place]
            nth = bisect_right(starts, setup) - 1
            # A longer prefix that has not begun yet leaves the shorter one in force.
            if nth >= 0:
                # Most rows have one price whenever the call is.
                return self._plain[place][nth] or self._price(place, nth, setup)
        return None

    @property
    def access_starts(self) -> list[datetime]:
        """From when on each access charge is in force; a price names the last that has begun."""
        return [charge.effective_from for charge in self._access]

    def band_at(self, instant: datetime) -> str:
        """The band of an instant; empty where the card has none for it."""
        if not self.bands:
            return ""
        local = instant.astimezone(self._zone)
        weekday, minute = local.weekday(), local.hour * 60 + local.minute
        return next((band.name for band in self.bands if band.holds(weekday, minute)), "")

    def _price(self, place: int, nth: int, setup: datetime) -> Price:
        row = self.timelines[place][1][nth]
        if not row.band_micros and row.service is None:
            found = self._plain[place][nth] = self.priced(row, "", 0)
            return found
        band = self.band_at(setup) if row.band_micros else ""
        access = 0
        if row.service is not None:
            access = bisect_right(self._access, setup, key=lambda charge: charge.effective_from)
        # A handful of prices a row: each is made once.
        key = (row.prefix, nth, band, access)
        price = self._prices.get(key)
        if price is None:
            price = self._prices[key] = self.priced(row, band, access)
        return price

    def priced(self, row: RateRow, band: str, access: int) -> Price:
        """The price that a row of this card makes in a band, under its first `access` access
        charges: the one place where rows become prices.
        """
        per_minute = row.per_minute_micros
        if row.band_micros is not None:
            per_minute = row.band_micros.get(band, per_minute)
        parts: tuple[PricePart, ...]
        if row.service is None:
            parts = (PricePart(LineKind.CALL, per_minute, row.connection_micros),)
        else:
            # The row's own price a minute comes on top of the card's access charge; mostly it is 0.
            charge = self._access[access - 1].per_minute_micros
            own = PricePart(LineKind.ACCESS_CHARGE, charge + per_minute, row.connection_micros)
            parts = (own, row.service)
        return Price(
            card=self.name,
            version=self.version,
            prefix=row.prefix,
            name=row.name,
            band=band,
            effective_from=row.effective_from,
            increment=row.increment,
            parts=parts,
        )

    def _check_access_charges(self) -> None:
        """A service charge never comes without its access charge, which would be too cheap."""
        begins = self._access[0].effective_from if self._access else None
        for _, rows in self.timelines:
            for row in rows:
                if row.service and (begins is None or row.effective_from < begins):
                    raise CardError(
                        f"prefix {row.prefix} has a service charge before the card "
                        "has an access charge"
                    )

    @staticmethod
    def _ordered(prefix: str, rows: list[RateRow]) -> tuple[list[datetime], list[RateRow]]:
        ordered = sorted(rows, key=lambda row: row.effective_from)
        starts = [row.effective_from for row in ordered]
        if len(set(starts)) != len(starts):
            raise CardError(f"prefix {prefix} has two prices from one date")
        return starts, ordered


class Treatment(StrEnum):
    """What a calling plan does with a destination."""

    BUNDLED = "Bundled"
    FREE = "Free"
    OUTSIDE = "Outside"


@dataclass(frozen=True)
class DestinationSet:
    """Which destinations a bundle covers, by prefix of E.164 digits; what nobody names is outside.

    `sample` sets are marked wherever they show.
    """

    name: str
    prefixes: Mapping[str, Treatment]
    sample: bool = False

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({len(prefix) for prefix in self.prefixes}, reverse=True))

    def treatment(self, destination: str) -> Treatment:
        """How a call to that destination counts: by the longest prefix."""
        digits = lookup_key(destination)
        for length in self._lengths:
            found = self.prefixes.get(digits[:length])
            if found is not None:
                return found
        return Treatment.OUTSIDE
