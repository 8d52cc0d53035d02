"""What a new deck changes against the one in use: by prefix, and in money on calls that were made.

Two decks are compared in one walk over both, sorted by prefix. Calls are priced by both as if the
new deck were wholly in force: at the same hour of the same weekday, so many weeks later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from callplane.billing.prefix_arrays import lookup_key
from callplane.billing.settlement import charge_lines
from callplane.billing.tariff import RateCard, RateRow

_WEEK = timedelta(weeks=1)


class Change(StrEnum):
    """How the last price of a prefix differs. OTHER: neither dearer nor cheaper alone."""

    SAME = "same"
    DEARER = "dearer"
    CHEAPER = "cheaper"
    OTHER = "changed otherwise"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class PrefixChange:
    """One prefix with its last row in either deck."""

    prefix: str
    change: Change
    old: RateRow | None
    new: RateRow | None


def compare(old: Iterable[RateRow], new: Iterable[RateRow]) -> Iterator[PrefixChange]:
    """Every prefix of either deck. Both are sorted by prefix and date."""
    olds, news = _last_rows(old), _last_rows(new)
    one, other = next(olds, None), next(news, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.prefix < other.prefix):
            assert one is not None
            yield PrefixChange(one.prefix, Change.REMOVED, one, None)
            one = next(olds, None)
        elif one is None or other.prefix < one.prefix:
            yield PrefixChange(other.prefix, Change.ADDED, None, other)
            other = next(news, None)
        else:
            yield PrefixChange(one.prefix, change_of(one, other), one, other)
            one, other = next(olds, None), next(news, None)


def _last_rows(rows: Iterable[RateRow]) -> Iterator[RateRow]:
    for _, timeline in groupby(rows, key=lambda row: row.prefix):
        *_, last = timeline
        yield last


def change_of(old: RateRow, new: RateRow) -> Change:
    """Compares prices and increments; dates and names make no difference in money."""
    steps = [
        *zip(_amounts(old), _amounts(new), strict=True),
        (old.increment.first, new.increment.first),
        (old.increment.next, new.increment.next),
    ]
    rises = any(after > before for before, after in steps)
    falls = any(after < before for before, after in steps)
    bands = (old.band_micros or {}) != (new.band_micros or {})
    if bands or (rises and falls):
        return Change.OTHER
    if rises:
        return Change.DEARER
    return Change.CHEAPER if falls else Change.SAME


def _amounts(row: RateRow) -> tuple[int, int, int, int]:
    service = row.service
    minute, call = (
        (0, 0) if service is None else (service.per_minute_micros, service.per_call_micros)
    )
    return row.per_minute_micros, row.connection_micros, minute, call


@dataclass(frozen=True, slots=True)
class PricedCall:
    """A call that a card priced, as the books know it."""

    destination: str
    setup: datetime
    duration_seconds: int
    pool_seconds: int


@dataclass(slots=True)
class MoneyEffect:
    """What the same calls cost by either card. `unpriced` counts calls, by the prefix that the old
    card knew them by, for which the new one has no price: they would be refused.
    """

    calls: int = 0
    old_micros: int = 0
    new_micros: int = 0
    by_name: Counter[str] = field(default_factory=Counter)
    unpriced: Counter[str] = field(default_factory=Counter)

    @property
    def difference_micros(self) -> int:
        return self.new_micros - self.old_micros


def money_effect(
    calls: Iterable[PricedCall], *, old: RateCard, new: RateCard, in_force: datetime
) -> MoneyEffect:
    """Price calls by both cards, with the split between pool and money that they had."""
    effect = MoneyEffect()
    for call in calls:
        at = call.setup
        if at < in_force:
            at += -(-(in_force - at) // _WEEK) * _WEEK
        before = _charge(old, call, at)
        if before is None:
            continue
        effect.calls += 1
        name, old_micros = before
        after = _charge(new, call, at)
        if after is None:
            effect.unpriced[name] += 1
            continue
        effect.old_micros += old_micros
        effect.new_micros += after[1]
        effect.by_name[name] += after[1] - old_micros
    return effect


def _charge(card: RateCard, call: PricedCall, at: datetime) -> tuple[str, int] | None:
    price = card.price_at(call.destination, at)
    if price is None:
        return None
    seconds = price.increment.billable(call.duration_seconds) - call.pool_seconds
    lines = charge_lines(price, max(0, seconds), pooled=call.pool_seconds)
    return price.name, sum(line.amount_micros for line in lines)


def prefixes_of(destinations: Iterable[str]) -> frozenset[str]:
    """Every prefix that could price one of these destinations."""
    return frozenset(
        looked_up[:length]
        for destination in set(destinations)
        for looked_up in (lookup_key(destination),)
        for length in range(1, len(looked_up) + 1)
    )
