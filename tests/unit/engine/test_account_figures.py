"""Each account is shown with its own current month, and one that is gone is not shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callplane.apis.calling_accounts import CallingAccount
from callplane.billing.counters import Counters
from callplane.engine import account_figures
from callplane.store.books_ports import AccountMonth
from callplane.telemetry import Telemetry

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
COUNTERS = Counters(
    entitlement_seconds=18_000,
    used_seconds=600,
    held_seconds=60,
    posted_micros=1_250_000,
    held_micros=40_000,
    live_calls=2,
)


def account(name: str = "acme", **spec: Any) -> CallingAccount:
    return CallingAccount.model_validate(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": "CallingAccount",
            "metadata": {"name": name, "namespace": "sales"},
            "spec": {"currency": "GBP", **spec},
        }
    )


def month(begin: datetime, counters: Counters = COUNTERS, name: str = "sales/acme") -> AccountMonth:
    return AccountMonth(name, begin, begin + timedelta(days=30), "GBP", counters)


def shown(telemetry: Telemetry) -> dict[tuple[str, ...], float]:
    """Every series about accounts, by metric and the values of its labels."""
    return {
        (sample.name.removeprefix("callplane_"), *sample.labels.values()): sample.value
        for family in telemetry.registry.collect()
        for sample in family.samples
        if "account" in sample.labels
    }


def test_minutes_money_and_calls_of_this_month() -> None:
    telemetry = Telemetry()
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    months = [month(begin), month(datetime(2026, 10, 1, tzinfo=UTC), Counters(used_seconds=9))]
    account_figures.tell(telemetry, [account(ceiling="50")], months, NOW)
    assert shown(telemetry) == {
        ("pool_seconds", "sales/acme", "entitled"): 18_000,
        ("pool_seconds", "sales/acme", "used"): 600,
        ("pool_seconds", "sales/acme", "held"): 60,
        ("account_micros", "sales/acme", "GBP", "posted"): 1_250_000,
        ("account_micros", "sales/acme", "GBP", "held"): 40_000,
        ("account_micros", "sales/acme", "GBP", "ceiling"): 50_000_000,
        ("account_live_calls", "sales/acme"): 2,
    }


def test_a_month_begins_where_the_account_lives() -> None:
    telemetry = Telemetry()
    zone = "Europe/London"
    # An hour into July there; still June in universal time.
    now = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    july = datetime(2026, 7, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    account_figures.tell(telemetry, [account(timeZone=zone)], [month(july)], now)
    assert shown(telemetry)["pool_seconds", "sales/acme", "used"] == 600


def test_an_account_without_calls_has_used_nothing() -> None:
    telemetry = Telemetry()
    account_figures.tell(telemetry, [account()], [], NOW)
    found = shown(telemetry)
    assert set(found.values()) == {0}
    assert ("account_micros", "sales/acme", "GBP", "ceiling") not in found


def test_what_is_gone_is_shown_no_more() -> None:
    telemetry = Telemetry()
    account_figures.tell(telemetry, [account(ceiling="50"), account("other")], [], NOW)
    account_figures.tell(telemetry, [account()], [], NOW)
    found = shown(telemetry)
    assert {labels[1] for labels in found} == {"sales/acme"}
    assert not any("ceiling" in labels for labels in found)
