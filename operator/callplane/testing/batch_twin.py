"""Calls of a batch rated again one by one: what must come out is the same, to the micro-unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from callplane.billing import entitlements
from callplane.billing.prices import LineKind
from callplane.billing.rating import Call, Rated, rate
from callplane.billing.terms import Line
from callplane.values import Period

COMPARED = (
    "outcome",
    "pool_seconds",
    "charged_seconds",
    "charge_micros",
    "service_micros",
    "uncharged_seconds",
)


def differences(rated: pl.DataFrame, lines: Sequence[Line]) -> list[str]:
    """Every rated call of a batch that a single call would not agree with.

    `rated` holds all calls of each of its pools.
    """
    entitled = _entitlements(lines)
    pools: dict[tuple[str, str], int] = {}
    found = []
    for row in rated.sort("setup", "attempt_id", "leg").iter_rows(named=True):
        line = lines[row["line"]]
        account = line.account
        pool = (account.name, Period.of(row["setup"], account.zone).label)
        left = pools.get(pool, entitled.get(account.name, 0))
        expected = one_by_one(row, line, left)
        pools[pool] = left - expected["pool_seconds"]
        actual = {name: row[name] for name in COMPARED}
        if actual != expected:
            call = f"{row['attempt_id']} to {row['destination']} at {row['setup']}"
            found.append(f"{call}, {row['duration_seconds']} s: {actual}, alone {expected}")
    return found


def _entitlements(lines: Sequence[Line]) -> dict[str, int]:
    held: dict[str, list[tuple[str, int]]] = {}
    for line in lines:
        if line.plan is not None:
            held.setdefault(line.account.name, []).append((line.name, line.plan.seconds))
    return {
        account: entitlements.pool_seconds(entitlements.to_post({}, plans))
        for account, plans in held.items()
    }


def one_by_one(row: dict[str, Any], line: Line, free_seconds: int) -> dict[str, Any]:
    """What `rate` says of one call of a batch, named as the batch names it."""
    call = Call(
        row["destination"],
        row["setup"],
        row["duration_seconds"],
        inbound=row["inbound"],
        byoc=row["byoc"] or line.byoc,
        on_net=row["on_net"],
    )
    found = rate(call, account=line.account, plan=line.plan, free_seconds=free_seconds)
    if not isinstance(found, Rated):
        return {name: found.value if name == "outcome" else 0 for name in COMPARED}
    done = found.settlement
    service = [line for line in done.lines if line.kind is LineKind.SERVICE_CHARGE]
    return {
        "outcome": found.mode.value,
        "pool_seconds": done.pool_seconds,
        "charged_seconds": done.lines[0].seconds if done.lines else 0,
        "charge_micros": done.charge_micros,
        "service_micros": sum(line.amount_micros for line in service),
        "uncharged_seconds": done.slack_seconds + done.overrun_seconds,
    }
