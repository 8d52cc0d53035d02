"""What a call that has ended costs: pool seconds, charge lines, and what is not charged at all.

    billed ≤ granted. Up to 2 s beyond the grant is slack of the switch, more is an overrun that
    somebody has to look at; neither is charged.

The same function settles a live call, rates one from a file, and re-rates: only the grant differs.
"""

from __future__ import annotations

from dataclasses import dataclass

from callplane.billing.clip import Grant
from callplane.billing.increments import Increment
from callplane.billing.prices import LineKind, Price

SLACK_SECONDS_MAX = 2


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One rounded amount: so many billable seconds of one part of a price, its fee included."""

    kind: LineKind
    seconds: int
    per_minute_micros: int
    fee_micros: int
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the time of a call is accounted for.

    `pool_seconds` are taken from the pool, `lines` are charged, and `grace_seconds`,
    `slack_seconds` and `overrun_seconds` are only reported.
    """

    duration_seconds: int
    pool_seconds: int = 0
    grace_seconds: int = 0
    slack_seconds: int = 0
    overrun_seconds: int = 0
    lines: tuple[ChargeLine, ...] = ()

    @property
    def charge_micros(self) -> int:
        return sum(line.amount_micros for line in self.lines)


def settle(
    duration_seconds: int, granted: Grant, *, pool: Increment | None, price: Price | None
) -> Settlement:
    """Account for a call of so many seconds within what was granted to it.

    The pool comes first. What the pool does not cover is the rest of the price's billable time of
    the whole call; its fees are due only where the pool covered nothing.
    """
    within = min(duration_seconds, granted.seconds)
    beyond = duration_seconds - within
    pooled = min(pool.billable(within), granted.pool_seconds) if pool is not None else 0
    lines: tuple[ChargeLine, ...] = ()
    if price is not None and pooled < within:
        lines = charge_lines(price, price.increment.billable(within) - pooled, pooled=pooled)
    grace = min(granted.grace_seconds, max(0, within - pooled)) if price is None else 0
    slack = beyond if beyond <= SLACK_SECONDS_MAX else 0
    return Settlement(
        duration_seconds=duration_seconds,
        pool_seconds=pooled,
        grace_seconds=grace,
        slack_seconds=slack,
        overrun_seconds=beyond - slack,
        lines=lines,
    )


def charge_lines(price: Price, seconds: int, *, pooled: int) -> tuple[ChargeLine, ...]:
    """The lines of so many billable seconds behind `pooled` seconds of the pool."""
    if seconds <= 0:
        return ()
    with_fee = pooled == 0
    return tuple(
        [
            ChargeLine(
                part.kind,
                seconds,
                part.per_minute_micros,
                part.per_call_micros if with_fee else 0,
                price.charge(part, seconds, with_fee=with_fee),
            )
            for part in price.parts
        ]
    )
