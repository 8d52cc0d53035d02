"""What accounts have used this month, as metrics: minutes of the pool, money, calls that are up.

Called by `account_notices` with every look at the books. An account whose month has no row yet has
used nothing, and one that is gone is shown no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from callplane.apis.calling_accounts import CallingAccount
from callplane.billing.counters import Counters
from callplane.store.books_ports import AccountMonth
from callplane.telemetry import AccountFigures, Telemetry
from callplane.values import Period
from callplane.values.money import parse_micros


def tell(
    telemetry: Telemetry,
    accounts: Iterable[CallingAccount],
    months: Sequence[AccountMonth],
    now: datetime,
) -> None:
    """Set the gauges of every account, each with its own current month."""
    rows = {(month.account, month.period_start): month.counters for month in months}
    telemetry.accounts_seen(
        [
            _figures(
                account,
                rows.get((_label(account), Period.of(now, account.spec.time_zone).start))
                or Counters(),
            )
            for account in accounts
        ]
    )


def _label(account: CallingAccount) -> str:
    return f"{account.namespace}/{account.name}"


def _figures(account: CallingAccount, counters: Counters) -> AccountFigures:
    spec = account.spec
    micros = {"posted": counters.posted_micros, "held": counters.held_micros}
    if spec.ceiling is not None:
        micros["ceiling"] = parse_micros(spec.ceiling)
    return AccountFigures(
        account=_label(account),
        currency=spec.currency,
        pool_seconds={
            "entitled": counters.entitlement_seconds,
            "used": counters.used_seconds,
            "held": counters.held_seconds,
        },
        micros=micros,
        live_calls=counters.live_calls,
    )
