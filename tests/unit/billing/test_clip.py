"""How much of a quote can be had, and what a live call keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callplane.billing.clip import NOTHING, Grant, first_grant, next_grant, shortage
from callplane.billing.counters import QUIET, Counters, LineCounters
from callplane.billing.increments import PER_SECOND
from callplane.billing.quotes import Mode, Quote, RefusalReason
from callplane.billing.terms import CapScope, Limits
from callplane.testing.billing_builders import CARD, SETUP, increment

UK = CARD.price_at("+442079460123", SETUP)
USA = CARD.price_at("+12125550123", SETUP)


def quote(**changes: object) -> Quote:
    limits = Limits(
        ceiling_micros=10**8, day_cap_micros=None, line_calls=None, line_calls_per_minute=None
    )
    usual = Quote(
        Mode.PLAN,
        limits=limits,
        first_slice_seconds=1_800,
        slice_seconds=1_800,
        call_seconds=14_400,
    )
    return replace(usual, **changes)


def pool(entitlement: int, *, used: int = 0, held: int = 0) -> Counters:
    return Counters(entitlement_seconds=entitlement, used_seconds=used, held_seconds=held)


def test_a_slice_is_a_share_of_what_is_free_and_a_minute_at_least() -> None:
    bundled = quote(pool=PER_SECOND)
    for free, granted in ((100_000, 1_800), (8_000, 1_000), (480, 60), (60, 60), (59, 59)):
        found = first_grant(bundled, pool(free), QUIET)
        assert isinstance(found, Grant)
        assert (found.pool_seconds, found.is_final) == (granted, granted < 60)


def test_the_last_part_of_a_pool_and_what_money_buys_behind_it() -> None:
    mixed = quote(pool=PER_SECOND, price=UK)
    found = first_grant(mixed, pool(40), QUIET)
    # 40 s from the pool and the rest of a slice at 0.01 a minute, without a fee.
    assert isinstance(found, Grant)
    assert found.pool_seconds == 40
    assert found.priced_seconds == 1_800 - 40
    assert found.hold_micros == -(-(1_760 * 10_000) // 60)


def test_priced_time_is_granted_in_whole_steps_that_the_ceiling_pays() -> None:
    assert USA is not None
    two_minutes = Limits(
        ceiling_micros=10_000 + 2 * 30_000 + 29_999,
        day_cap_micros=None,
        line_calls=None,
        line_calls_per_minute=None,
    )
    priced = quote(price=USA, limits=two_minutes, first_slice_seconds=300)
    found = first_grant(priced, Counters(), QUIET)
    assert found == Grant(priced_seconds=60, hold_micros=40_000)
    assert isinstance(found, Grant)
    after = Counters(held_micros=found.hold_micros, live_calls=1)
    longer = next_grant(priced, after, found)
    assert longer == Grant(priced_seconds=120, hold_micros=70_000)
    last = next_grant(priced, replace(after, held_micros=70_000), longer)
    assert last == replace(longer, is_final=True)


def test_the_end_of_a_call_is_final() -> None:
    short = quote(pool=PER_SECOND, call_seconds=1_800)
    found = first_grant(short, pool(100_000), QUIET)
    assert found == Grant(pool_seconds=1_800, is_final=True)


def test_pool_steps_are_whole_too() -> None:
    minutes = quote(pool=increment("60/60"))
    found = first_grant(minutes, pool(119), QUIET)
    assert found == Grant(pool_seconds=60)


@pytest.mark.parametrize(
    ("counters", "lines", "limits", "reason"),
    [
        (pool(60), LineCounters(calls_last_minute=3), {}, "FraudLimit"),
        (pool(60, used=60), QUIET, {}, "PoolExhausted"),
        (pool(60, held=60), QUIET, {}, "PoolHeld"),
        (pool(60, used=1, held=59), QUIET, {}, "PoolHeld"),
        (replace(pool(60), live_calls=5), QUIET, {}, "ConcurrencyLimit"),
        (pool(60), LineCounters(live_calls=2), {}, "ConcurrencyLimit"),
    ],
)
def test_what_a_reservation_can_add(
    counters: Counters, lines: LineCounters, limits: dict[str, int], reason: str
) -> None:
    bounded = Limits(
        ceiling_micros=10**8,
        day_cap_micros=None,
        account_calls=5,
        line_calls=2,
        line_calls_per_minute=3,
    )
    asked = quote(pool=PER_SECOND, limits=bounded)
    assert shortage(asked, pool(60), QUIET) is None
    assert shortage(asked, counters, lines) is RefusalReason(reason)


def test_held_money_counts_towards_ceiling_and_cap() -> None:
    limits = Limits(
        ceiling_micros=1_000, day_cap_micros=500, line_calls=None, line_calls_per_minute=None
    )
    asked = quote(price=UK, limits=limits)
    assert shortage(asked, Counters(posted_micros=400, held_micros=433), QUIET) is None
    full = Counters(posted_micros=400, held_micros=434)
    assert shortage(asked, full, QUIET) is RefusalReason.CEILING_REACHED
    busy = Counters(day_micros=100, day_held_micros=234)
    assert shortage(asked, busy, QUIET) is RefusalReason.DAILY_CAP_REACHED


@pytest.mark.parametrize(
    ("scope", "is_longer"), [(CapScope.NEW, True), (CapScope.NEW_AND_LIVE, False)]
)
def test_a_cap_ends_live_calls_only_where_it_says_so(scope: CapScope, is_longer: bool) -> None:
    limits = Limits(
        ceiling_micros=10**8,
        day_cap_micros=10_000,
        day_cap_scope=scope,
        line_calls=None,
        line_calls_per_minute=None,
    )
    asked = quote(price=UK, limits=limits, first_slice_seconds=300, slice_seconds=300)
    held = first_grant(asked, Counters(), QUIET)
    assert isinstance(held, Grant)
    now = Counters(held_micros=held.hold_micros, day_held_micros=held.hold_micros)
    assert (next_grant(asked, now, held).seconds > held.seconds) is is_longer


def test_grace_follows_a_dry_pool_within_its_two_bounds() -> None:
    asked = quote(pool=PER_SECOND, grace_seconds=70, grace_percent=5)
    held = Grant(pool_seconds=1_000)
    dry = Counters(entitlement_seconds=10_000, used_seconds=9_000, held_seconds=1_000)
    first = next_grant(asked, dry, held)
    assert first == Grant(pool_seconds=1_000, grace_seconds=60)
    # The call has 70 s of grace in all, and all calls have 500 s.
    last = next_grant(asked, replace(dry, grace_held_seconds=60), first)
    assert last == Grant(pool_seconds=1_000, grace_seconds=70, is_final=True)
    spent = replace(dry, grace_used_seconds=300, grace_held_seconds=150)
    assert next_grant(asked, spent, held).grace_seconds == 50
    over = replace(dry, grace_used_seconds=500)
    assert next_grant(asked, over, held) == replace(held, is_final=True)


def test_a_new_call_never_begins_with_grace() -> None:
    asked = quote(pool=PER_SECOND, grace_seconds=600, grace_percent=5)
    assert first_grant(asked, pool(60, used=60), QUIET) is RefusalReason.POOL_EXHAUSTED
    found = first_grant(asked, pool(10), QUIET)
    assert found == Grant(pool_seconds=10, is_final=True)


def test_a_call_draws_from_a_pool_that_was_filled_meanwhile() -> None:
    asked = quote(pool=PER_SECOND, price=UK)
    held = first_grant(asked, pool(40), QUIET)
    assert isinstance(held, Grant)
    filled = Counters(
        entitlement_seconds=100_000, held_seconds=held.pool_seconds, held_micros=held.hold_micros
    )
    found = next_grant(asked, filled, held)
    assert found == Grant(pool_seconds=3_600)


def test_unmetered_time_has_no_bound_but_the_call() -> None:
    found = first_grant(quote(), Counters(), QUIET)
    assert found == Grant(free_seconds=1_800)
    assert isinstance(found, Grant)
    assert next_grant(quote(call_seconds=2_000), Counters(), found) == Grant(
        free_seconds=2_000, is_final=True
    )
    assert NOTHING.seconds == 0
