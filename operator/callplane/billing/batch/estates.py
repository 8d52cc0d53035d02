"""Lines, accounts, plans and cards as columns: what every partition of a batch is rated by.

An estate is plain data. It is made once, and sent to wherever a partition is rated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from callplane.billing import entitlements
from callplane.billing.card_arrays import CardArrays, lay_flat
from callplane.billing.prefix_arrays import flatten
from callplane.billing.quotes import Mode, RefusalReason
from callplane.billing.tariff import DestinationSet, RateCard, Treatment
from callplane.billing.terms import AccountTerms, Line, OnNet, PlanTerms

#: What becomes of a call, by place: the modes, then why it could not be rated.
OUTCOMES = (*Mode, RefusalReason.NO_PLAN, RefusalReason.NO_RATE)
OUTCOME = pl.Enum([outcome.value for outcome in OUTCOMES])
#: Intervals × epochs of a card up to which each has a row of its own.
DENSE_MAX = 2**22
#: Treatments by their place in columns.
TREATMENTS = (Treatment.OUTSIDE, Treatment.BUNDLED, Treatment.FREE)


def place(outcome: Mode | RefusalReason) -> int:
    """Where an outcome stands among OUTCOMES."""
    return OUTCOMES.index(outcome)


@dataclass(frozen=True, slots=True)
class SetColumns:
    """A destination set laid flat: the treatment from each key on."""

    begins: pl.Series
    treatments: pl.Series


@dataclass(frozen=True, slots=True)
class CardColumns:
    """A card laid flat, as `CardArrays` describes it, for searching in columns."""

    name: str
    zone: str
    begins: pl.Series
    dates: pl.Series
    moments: pl.Series
    #: By moment; where a card has few dates, by interval and epoch, without a search.
    rows: pl.DataFrame
    is_dense: bool
    prices: pl.DataFrame
    names: pl.DataFrame
    access_dates: pl.Series
    bands: pl.Series
    has_bands: bool
    has_services: bool

    @property
    def epochs(self) -> int:
        return len(self.dates) + 1


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything but the calls.

    `lines` has a row a line: places of its account, plan, card and set, the increment of its plan,
    and the switches that rating asks. Place 0 is "none" for cards and sets. `places` finds a line
    by its number and the connection that its calls come by.
    """

    accounts: tuple[str, ...]
    currencies: tuple[str, ...]
    places: Mapping[tuple[str, str], int]
    lines: pl.DataFrame
    cards: tuple[CardColumns, ...]
    sets: tuple[SetColumns, ...]
    #: Seconds that each account's plans bring a month.
    pools: pl.Series
    zones: tuple[str, ...]


def estate(lines: Sequence[Line], *, card: RateCard | None = None) -> Estate:
    """What some lines are rated by; with `card`, as if all accounts had that one."""
    accounts: dict[str, AccountTerms] = {}
    plans: dict[str, PlanTerms] = {}
    cards: dict[int, RateCard] = {}
    sets: dict[int, DestinationSet] = {}
    rows = []
    for line in lines:
        payer, plan = line.account, line.plan
        accounts.setdefault(payer.name, payer)
        prices = card or payer.card
        if plan is not None:
            plans.setdefault(plan.name, plan)
            sets.setdefault(id(plan.destinations), plan.destinations)
        if prices is not None:
            cards.setdefault(id(prices), prices)
        rows.append((payer, plan, prices))
    account_places = {name: nth for nth, name in enumerate(accounts)}
    card_places = {key: nth for nth, key in enumerate(cards, start=1)}
    set_places = {key: nth for nth, key in enumerate(sets, start=1)}
    zones = tuple(dict.fromkeys(payer.zone for payer in accounts.values()))
    return Estate(
        accounts=tuple(accounts),
        currencies=tuple(payer.currency for payer in accounts.values()),
        places={(line.name, line.ingress): nth for nth, line in enumerate(lines)},
        lines=pl.DataFrame(
            [
                (
                    account_places[payer.name],
                    zones.index(payer.zone) + 1,
                    0 if prices is None else card_places[id(prices)],
                    0 if plan is None else set_places[id(plan.destinations)],
                    1 if plan is None else plan.increment.first,
                    1 if plan is None else plan.increment.next,
                    payer.pay_as_you_go,
                    payer.overspend,
                    payer.on_net is OnNet.FREE,
                    line.byoc,
                )
                for line, (payer, plan, prices) in zip(lines, rows, strict=True)
            ],
            schema=_LINES,
            orient="row",
        ),
        cards=tuple(card_columns(lay_flat(one)) for one in (cards or {0: _NO_PRICES}).values()),
        sets=tuple(map(set_columns, sets.values())),
        pools=_pools(accounts, lines),
        zones=zones,
    )


#: Stands where no account has a card, so that there is a "none" to point at.
_NO_PRICES = RateCard(name="", currency="", zone="UTC", rows=())
_LINES: Mapping[str, Any] = {
    "account": pl.UInt32,
    "zone": pl.UInt32,
    "card": pl.UInt32,
    "set": pl.UInt32,
    "pool_first": pl.Int64,
    "pool_next": pl.Int64,
    "payg": pl.Boolean,
    "overspend": pl.Boolean,
    "on_net_free": pl.Boolean,
    "own_carrier": pl.Boolean,
}


def _pools(accounts: Iterable[str], lines: Sequence[Line]) -> pl.Series:
    held: dict[str, list[tuple[str, int]]] = {name: [] for name in accounts}
    for line in lines:
        if line.plan is not None:
            held[line.account.name].append((line.name, line.plan.seconds))
    seconds = [
        entitlements.pool_seconds(entitlements.to_post({}, plans)) for plans in held.values()
    ]
    return pl.Series("pool", seconds, dtype=pl.Int64)


def set_columns(covers: DestinationSet) -> SetColumns:
    """A destination set for searching in columns."""
    flat = flatten(covers.prefixes)
    treatments = [TREATMENTS.index(each) for each in covers.prefixes.values()]
    found = [treatments[owners[0]] if owners else 0 for owners in flat.owners]
    return SetColumns(_column(flat.begins), pl.Series(found, dtype=pl.UInt8))


def card_columns(flat: CardArrays) -> CardColumns:
    """A card's arrays for searching in columns."""
    prices = flat.prices
    priced = [flat.rows[place] for place in prices.row]
    cells = len(flat.card.prefixes.begins) * flat.epochs
    is_dense = cells <= DENSE_MAX
    moments = pl.DataFrame({"row": _column(flat.moment_rows).cast(pl.UInt32)})
    if is_dense:
        every = pl.int_range(cells, eager=True)
        moments = moments[_column(flat.moments).search_sorted(every, side="right") - 1]
    by_row = pl.DataFrame(
        {
            "base": _column(flat.row_prices).cast(pl.UInt32),
            # From the prices of one band to those of the next.
            "band_step": pl.Series(
                [
                    has_bands * (len(flat.access_dates) if has_service else 1)
                    for has_bands, has_service in zip(flat.row_bands, flat.row_access, strict=True)
                ],
                dtype=pl.UInt32,
            ),
            "access": _column(flat.row_access).cast(pl.UInt32),
        }
    )
    return CardColumns(
        name=flat.card.name,
        zone=flat.card.zone,
        begins=_column(flat.card.prefixes.begins),
        dates=_column(flat.dates),
        moments=_column(flat.moments),
        rows=by_row[moments["row"]],
        is_dense=is_dense,
        prices=pl.DataFrame(
            {
                "first": _column(prices.first),
                "next": _column(prices.next),
                "minute": _column(prices.minute),
                "fee": _column(prices.fee),
                "service_minute": _column(prices.service_minute),
                "service_fee": _column(prices.service_fee),
            }
        ),
        names=pl.DataFrame(
            {
                "prefix": ["" if row is None else row.prefix for row in priced],
                "name": ["" if row is None else row.name for row in priced],
            },
            schema={"prefix": pl.String, "name": pl.String},
        ),
        access_dates=_column(flat.access_dates),
        bands=_week(flat.card),
        has_bands=any(flat.row_bands),
        has_services=any(flat.row_access),
    )


def _week(card: RateCard) -> pl.Series:
    """The place of the band of each local minute of a week that begins on Monday; 0 is none."""
    found = []
    for minute in range(7 * 1440):
        day, minute_of_day = divmod(minute, 1440)
        holding = (n for n, band in enumerate(card.bands, 1) if band.holds(day, minute_of_day))
        found.append(next(holding, 0))
    return pl.Series(found, dtype=pl.UInt32)


def _column(values: Any) -> pl.Series:
    return pl.Series(list(values), dtype=pl.Int64)
