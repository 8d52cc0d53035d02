"""The kernel of a batch: outcome, price and charge of every call of a partition.

It says of each call what `callplane.billing.rating.rate` says of one; a test compares them by the
hundred thousand. Time and money are 64-bit whole numbers, and the only rounding is `charged`.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from callplane.billing.batch import looking_up
from callplane.billing.batch.draw_down import draw_down
from callplane.billing.batch.estates import OUTCOME, TREATMENTS, Estate, place
from callplane.billing.increments import charged, up_to_step
from callplane.billing.quotes import Mode, RefusalReason
from callplane.billing.tariff import Treatment

#: What a batch knows of a call. `line` is its place among the estate's lines; (setup, attempt_id,
#: leg) is the order in which calls draw from a pool.
CALLS: Mapping[str, Any] = {
    "attempt_id": pl.String,
    "leg": pl.String,
    "line": pl.UInt32,
    "destination": pl.String,
    "setup": pl.Datetime("us", "UTC"),
    "duration_seconds": pl.Int64,
    "inbound": pl.Boolean,
    "byoc": pl.Boolean,
    "on_net": pl.Boolean,
}
#: Rows that fit a processor's caches, with room for their columns.
SLICE_ROWS = 200_000
_NONE = pl.lit(0, pl.Int64)


def rate(calls: pl.DataFrame, estate: Estate) -> pl.DataFrame:
    """Rate calls (`CALLS`), which must hold every call of each pool that they touch.

    The rows keep their order and get `outcome`, `account` and `period`, `card` and `price` (a place
    among the prices of that card, 0 for none), `pool_seconds`, `charged_seconds`, `charge_micros`,
    of which `service_micros` are the service charge, and `uncharged_seconds`.
    """
    parts = calls.iter_slices(SLICE_ROWS)
    # Columns are worked on outside of Python's lock, so threads share the cores.
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        known = list(threads.map(lambda part: priced(part, estate), parts))
    return settled(pl.concat(known) if known else priced(calls, estate), estate)


def priced(calls: pl.DataFrame, estate: Estate) -> pl.DataFrame:
    """What a call shows by itself: outcome, price and pool. Any part of a batch will do."""
    destinations = calls["destination"]
    facts = calls.select("setup", "inbound", "byoc", "on_net").hstack(
        [
            looking_up.keys(destinations).alias("key"),
            looking_up.services(destinations).alias("service"),
            calls["setup"].to_physical().alias("micros"),
            *estate.lines[calls["line"]],
        ]
    )
    facts = facts.hstack(
        [
            looking_up.treatments(facts, estate).alias("treatment"),
            looking_up.prices(facts, estate).alias("found"),
            looking_up.periods(facts, estate).alias("period"),
        ]
    ).with_columns(outcome=_outcome())
    may_cost = _is(Mode.CARD) | _is(Mode.PAYG) | (_is(Mode.PLAN) & pl.col("overspend"))
    return calls.hstack(
        facts.select(
            "outcome",
            "account",
            "period",
            "card",
            "pool_first",
            "pool_next",
            may_cost=may_cost,
            price=pl.when(may_cost).then("found").otherwise(pl.lit(0, pl.UInt32)),
        )
    )


def _outcome() -> pl.Expr:
    """What a call is, in the order in which a single call is asked."""
    service, treatment = pl.col("service"), pl.col("treatment")
    without_plan = pl.when("payg").then(_place(Mode.PAYG)).otherwise(_place(RefusalReason.NO_PLAN))
    return (
        pl.when(service == looking_up.EMERGENCY)
        .then(_place(Mode.EMERGENCY))
        .when(service == looking_up.EXEMPT)
        .then(_place(Mode.EXEMPT))
        .when("inbound")
        .then(_place(Mode.INBOUND))
        .when(pl.col("on_net") & pl.col("on_net_free"))
        .then(_place(Mode.ON_NET))
        .when(pl.col("byoc") | pl.col("own_carrier"))
        .then(_place(Mode.BYOC))
        .when(pl.col("set") == 0)
        .then(without_plan)
        .when(treatment == TREATMENTS.index(Treatment.BUNDLED))
        .then(_place(Mode.PLAN))
        .when(treatment == TREATMENTS.index(Treatment.FREE))
        .then(_place(Mode.FREE))
        .otherwise(_place(Mode.CARD))
    )


def settled(calls: pl.DataFrame, estate: Estate) -> pl.DataFrame:
    """What priced calls take from their pools and cost beyond them."""
    unpriced = pl.col("may_cost") & (pl.col("price") == 0)
    needed = pl.when(_is(Mode.PLAN)).then(_billable("pool_first", "pool_next")).otherwise(_NONE)
    calls = calls.with_columns(needed=needed, is_strict=unpriced)
    calls = calls.hstack([draw_down(calls, estate.pools).alias("pool_seconds")])
    # A call that the pool covers needs no price; one that it does not cover is never free.
    covered = _is(Mode.PLAN) & (pl.col("pool_seconds") == pl.col("needed"))
    beyond = pl.col("duration_seconds") - pl.col("pool_seconds")
    is_charged = (pl.col("price") > 0) & (beyond > 0)
    is_lost = _is(Mode.PLAN) & (pl.col("price") == 0) & (beyond > 0)
    calls = calls.hstack(_price_columns(calls, estate)).with_columns(
        outcome=pl.when(unpriced & ~covered)
        .then(_place(RefusalReason.NO_RATE))
        .otherwise("outcome"),
        charged_seconds=pl.when(is_charged)
        .then(_billable("first", "next") - pl.col("pool_seconds"))
        .otherwise(_NONE),
        uncharged_seconds=pl.when(is_lost & ~unpriced).then(beyond).otherwise(_NONE),
    )
    service = _charge("service_minute", "service_fee")
    return calls.select(
        *CALLS,
        pl.col("outcome").cat.to(OUTCOME),
        "account",
        "period",
        "card",
        "price",
        "pool_seconds",
        "charged_seconds",
        "uncharged_seconds",
        service_micros=service,
        charge_micros=_charge("minute", "fee") + service,
    )


def _billable(first: str, following: str) -> pl.Expr:
    """`Increment.billable` of columns."""
    seconds, least = pl.col("duration_seconds"), pl.col(first)
    counted = pl.max_horizontal(least, least + up_to_step(seconds - least, pl.col(following)))
    return pl.when(seconds > 0).then(counted).otherwise(_NONE)


def _charge(minute: str, fee: str) -> pl.Expr:
    """`Price.charge` of columns: the fee is due where the pool covered nothing."""
    seconds = pl.col("charged_seconds")
    has_fee = (seconds > 0) & (pl.col("pool_seconds") == 0)
    return charged(seconds, pl.col(minute)) + pl.when(has_fee).then(fee).otherwise(_NONE)


def _price_columns(calls: pl.DataFrame, estate: Estate) -> pl.DataFrame:
    """The prices of all calls. Cards stand behind one another, each with its own "none" first."""
    begins = [0]
    for card in estate.cards[:-1]:
        begins.append(begins[-1] + len(card.prices))
    columns = pl.concat([card.prices for card in estate.cards])
    places = calls["price"]
    if len(begins) > 1:
        # A call without a card has place 0, which is the first card's "none".
        places = places + pl.Series([0, *begins], dtype=pl.UInt32)[calls["card"]]
    return columns[places]


def _place(outcome: Mode | RefusalReason) -> pl.Expr:
    return pl.lit(place(outcome), pl.UInt8)


def _is(mode: Mode) -> pl.Expr:
    return pl.col("outcome") == place(mode)
