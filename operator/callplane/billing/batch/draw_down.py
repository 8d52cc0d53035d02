"""Which calls of a pool get how much of it: in the order of their set-ups, as live calls do."""

from __future__ import annotations

import polars as pl

from callplane.billing.increments import down_to_step


def draw_down(calls: pl.DataFrame, entitlements: pl.Series) -> pl.Series:
    """The seconds that each call takes from its pool.

    `calls` has `needed` (billable seconds, 0 for a call that draws nothing), the pool's key
    (`account`, `period`), the plan's increment (`pool_first`, `pool_next`), `is_strict` for a call
    that takes all it needs or nothing, and the order (`setup`, `attempt_id`, `leg`).
    `entitlements` are the seconds of each account's pool.

    All calls in front of a pool's edge are covered whole, and found by one running sum. The call at
    the edge gets whole steps of what is left. Behind it only a call with a smaller first step can
    still get something, so a next round, over those alone, is rare and short.
    """
    found = pl.zeros(len(calls), pl.Int64, eager=True)
    waiting = (
        calls.lazy()
        .with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
        .filter(pl.col("needed") > 0)
        .with_columns(pool=pl.col("account").cast(pl.UInt64) * 2**32 + pl.col("period"))
        .sort("pool", "setup", "attempt_id", "leg")
        .select("row", "pool", "account", "needed", "pool_first", "pool_next", "is_strict")
        .collect()
    )
    waiting = waiting.with_columns(free=entitlements[waiting["account"]])
    while True:
        waiting = waiting.filter(
            (pl.col("free") >= pl.col("pool_first"))
            & ~(pl.col("is_strict") & (pl.col("needed") > pl.col("free")))
        )
        if waiting.is_empty():
            return found
        waiting = _round(waiting)
        decided = waiting.filter("is_decided")
        found = found.scatter(decided["row"], decided["taken"])
        waiting = waiting.filter(~pl.col("is_decided"))


def _round(waiting: pl.DataFrame) -> pl.DataFrame:
    """Cover each pool's calls up to the first that is not covered whole; `free` is what is left."""
    until = pl.col("needed").cum_sum().over("pool")
    waiting = waiting.with_columns(until=until, is_whole=until <= pl.col("free"))
    # In front of the edge all are whole and behind it none, for the sum only grows.
    is_edge = ~pl.col("is_whole") & pl.col("is_whole").shift(1, fill_value=True).over("pool")
    left = pl.col("free") - (pl.col("until") - pl.col("needed"))
    steps = pl.col("pool_first") + down_to_step(left - pl.col("pool_first"), pl.col("pool_next"))
    part = pl.when(pl.col("is_strict") | (left < pl.col("pool_first"))).then(0).otherwise(steps)
    taken = pl.when("is_whole").then("needed").when(is_edge).then(part).otherwise(0)
    waiting = waiting.with_columns(taken=taken, is_decided=pl.col("is_whole") | is_edge)
    return waiting.with_columns(free=pl.col("free") - pl.col("taken").sum().over("pool"))
