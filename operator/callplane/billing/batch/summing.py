"""What a batch comes to: sums by account, month and outcome, by one card or by two."""

from __future__ import annotations

import polars as pl

from callplane.billing.batch import kernel
from callplane.billing.batch.estates import Estate

_KEY = ("account", "month", "outcome")
_SUMS = ("calls", "seconds", "pool_seconds", "charged_seconds", "uncharged_seconds", "micros")


def rated(calls: pl.DataFrame, estate: Estate, against: Estate | None) -> pl.DataFrame:
    """The calls of whole accounts, rated; with `against`, also what they would cost by it.

    A record that is there twice counts once, the first time.
    """
    once = calls.unique(["attempt_id", "leg"], keep="first", maintain_order=True)
    found = kernel.rate(once, estate)
    if against is None:
        return found
    other = kernel.rate(once, against)
    return found.with_columns(
        other_outcome=other["outcome"],
        other_price=other["price"],
        other_card=other["card"],
        other_micros=other["charge_micros"],
    )


def named(calls: pl.DataFrame, estate: Estate) -> pl.DataFrame:
    """Rated calls with words in place of places: account, month, prefix and name of the price."""
    accounts = pl.Series(estate.accounts, dtype=pl.String)
    names = pl.concat([card.names for card in estate.cards])
    begins = [0, 0]
    for card in estate.cards[:-1]:
        begins.append(begins[-1] + len(card.names))
    rows = names[pl.Series(begins, dtype=pl.UInt32)[calls["card"]] + calls["price"]]
    return calls.with_columns(
        account=accounts[calls["account"]],
        month=_month(calls["period"]),
        prefix=rows["prefix"],
        name=rows["name"],
    ).drop("line", "period", "card", "price", "other_card", "other_price", strict=False)


def summed(calls: pl.DataFrame, estate: Estate) -> pl.DataFrame:
    """Sums of rated calls; those of several parts add up by `added`."""
    sums = [
        pl.len().alias("calls").cast(pl.Int64),
        pl.col("duration_seconds").sum().alias("seconds"),
        *(pl.col(name).sum() for name in _SUMS[2:-1]),
        pl.col("charge_micros").sum().alias("micros"),
    ]
    if "other_micros" in calls.columns:
        refused = pl.col("other_outcome") == "NoRate"
        sums += [pl.col("other_micros").sum(), refused.sum().cast(pl.Int64).alias("other_unpriced")]
    found = calls.group_by("account", "period", "outcome").agg(*sums)
    accounts = pl.Series(estate.accounts, dtype=pl.String)
    return found.with_columns(
        account=accounts[found["account"]], month=_month(found["period"])
    ).select(*_KEY, pl.exclude(*_KEY, "period"))


def added(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """The sums of all parts, by account, month and outcome."""
    whole = pl.concat(tables)
    return whole.group_by(_KEY).agg(pl.exclude(*_KEY).sum()).sort(_KEY)


def _month(periods: pl.Series) -> pl.Series:
    labels = {code: f"{code // 12}-{code % 12 + 1:02}" for code in periods.unique()}
    return periods.replace_strict(labels, return_dtype=pl.String)
