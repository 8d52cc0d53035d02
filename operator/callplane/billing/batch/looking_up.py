"""Where the calls of a batch belong: service, treatment, price and month, each by one search.

What columns cannot hold (a destination that is no number, one longer than E.164 allows) is asked
of the same functions that answer for single calls, once for each different text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from callplane.billing.batch.estates import CardColumns, Estate, SetColumns
from callplane.billing.prefix_arrays import DIGITS, LENGTHS, SHORT_CODES, key_of, lookup_key
from callplane.billing.zone_offsets import zone_offsets
from callplane.numbering.dialled_services import GB as SERVICES
from callplane.values import Period

#: Places of a call's service among UNSERVED, EMERGENCY, EXEMPT.
UNSERVED, EMERGENCY, EXEMPT = range(3)
_SECOND = 1_000_000
#: 1 January 1970 was a Thursday; weeks of bands begin on Monday.
_EPOCH_MINUTES = 3 * 1440
_WEEK_MINUTES = 7 * 1440
#: A form of a service is at most a plus, a country code, a relay's prefix, a code and a key.
_SHORT = 1 + len(SERVICES.calling_code) + max(len(row.code) for row in SERVICES.services) + 1
_RELAYED = tuple(
    f"+{code}{relay}" for code in ("", SERVICES.calling_code) for relay in SERVICES.relay_prefixes
)


def keys(destinations: pl.Series) -> pl.Series:
    """`key_of` each destination."""
    powers = pl.Series([10 ** (DIGITS - length) for length in range(DIGITS + 1)], dtype=pl.Int64)
    is_number = destinations.str.starts_with("+")
    lengths = destinations.str.len_bytes() - is_number.cast(pl.UInt32)
    digits = (
        destinations.str.strip_prefix("+")
        if is_number.all()
        else destinations.to_frame("d").select(
            pl.when(is_number).then(pl.col("d").str.slice(1)).otherwise("d")
        )["d"]
    )
    # A sign would be read as part of a number, and is not a digit.
    values = digits.cast(pl.Int64, strict=False)
    odd = values.is_null() | (lengths > DIGITS) | digits.str.contains("^[+-]")
    found = (
        values * powers[lengths.clip(upper_bound=DIGITS)] * LENGTHS
        + lengths.cast(pl.Int64)
        + (~is_number).cast(pl.Int64) * SHORT_CODES
    )
    return _each(destinations, odd, found, lambda text: key_of(lookup_key(text)))


def services(destinations: pl.Series) -> pl.Series:
    """Whether a call goes to a service that is never charged, and to which kind."""
    column = pl.col("d")
    may_be = ~column.str.contains(r"^\+[0-9]+$") | (column.str.len_bytes() <= _SHORT)
    for prefix in _RELAYED:
        may_be |= column.str.starts_with(prefix)
    candidates = destinations.to_frame("d").select(may_be)["d"]
    unserved = pl.zeros(len(destinations), pl.Int64, eager=True)
    return _each(destinations, candidates, unserved, _service)


def _service(destination: str) -> int:
    found = SERVICES.match(destination)
    if found is None:
        return UNSERVED
    return EMERGENCY if found.is_emergency else EXEMPT


def _each(
    texts: pl.Series, chosen: pl.Series, usual: pl.Series, function: Callable[[str], int]
) -> pl.Series:
    """`usual`, but `function` of the text where it is chosen; asked once for each text."""
    if not chosen.any():
        return usual
    places = chosen.arg_true()
    few = texts[places]
    answers = {text: function(text) for text in few.unique()}
    return usual.scatter(places, few.replace_strict(answers, return_dtype=pl.Int64))


def treatments(facts: pl.DataFrame, estate: Estate) -> pl.Series:
    """What each line's plan does with the destination: places among TREATMENTS."""

    def found(nth: int, rows: pl.DataFrame) -> pl.Series:
        covers: SetColumns = estate.sets[nth - 1]
        return covers.treatments[_interval(covers.begins, rows["key"])]

    return _by_place(facts, "set", found)


def prices(facts: pl.DataFrame, estate: Estate) -> pl.Series:
    """The place of each call's price on its account's card; 0 where there is none."""

    def found(nth: int, rows: pl.DataFrame) -> pl.Series:
        return _prices(estate.cards[nth - 1], rows["key"], rows["micros"])

    return _by_place(facts, "card", found)


def _prices(card: CardColumns, key: pl.Series, micros: pl.Series) -> pl.Series:
    moment = _interval(card.begins, key).cast(pl.Int64) * card.epochs
    moment += card.dates.search_sorted(micros, side="right").cast(pl.Int64)
    rows = card.rows[moment if card.is_dense else _interval(card.moments, moment)]
    price = rows["base"]
    if card.has_bands:
        price += card.bands[_minutes_of_week(micros, card.zone)] * rows["band_step"]
    if card.has_services:
        # A row with a service charge has not begun before the first access charge.
        begun = card.access_dates.search_sorted(micros, side="right").clip(lower_bound=1)
        price += (begun - 1) * rows["access"]
    return price


def periods(facts: pl.DataFrame, estate: Estate) -> pl.Series:
    """The month of each call in its account's zone: year × 12 + month - 1."""

    def found(nth: int, rows: pl.DataFrame) -> pl.Series:
        return _months(rows["setup"], estate.zones[nth - 1])

    return _by_place(facts, "zone", found)


def _months(setups: pl.Series, zone: str) -> pl.Series:
    first, last = _ends(setups)
    months = [Period.of(first, zone)]
    while months[-1].end <= last:
        months.append(months[-1].following)
    begins = pl.Series([month.start for month in months]).cast(setups.dtype)
    codes = pl.Series([month.year * 12 + month.month - 1 for month in months], dtype=pl.UInt32)
    return codes[_interval(begins.to_physical(), setups.to_physical())]


def _ends(column: pl.Series) -> tuple[Any, Any]:
    return column.min(), column.max()


def _minutes_of_week(micros: pl.Series, zone: str) -> pl.Series:
    seconds = micros // _SECOND
    steps = zone_offsets(zone, *_ends(seconds))
    offsets = pl.Series(list(steps.offsets), dtype=pl.Int64)
    nth = _interval(pl.Series(list(steps.begins), dtype=pl.Int64), seconds)
    return ((seconds + offsets[nth]) // 60 + _EPOCH_MINUTES) % _WEEK_MINUTES


def _interval(begins: pl.Series, values: pl.Series) -> pl.Series:
    """The place of the last of `begins` that is not above the value; the first is below all."""
    return begins.search_sorted(values, side="right") - 1


def _by_place(
    facts: pl.DataFrame, column: str, function: Callable[[int, pl.DataFrame], pl.Series]
) -> pl.Series:
    """`function` of the rows of each place in a column, in the order of the rows; 0 gives 0."""
    places = facts[column].unique().to_list()
    if len(places) == 1 and places[0]:
        return function(places[0], facts).cast(pl.UInt32)
    found = pl.zeros(len(facts), pl.UInt32, eager=True)
    for nth in filter(None, places):
        chosen = (facts[column] == nth).arg_true()
        found = found.scatter(chosen, function(nth, facts[chosen]).cast(pl.UInt32))
    return found
