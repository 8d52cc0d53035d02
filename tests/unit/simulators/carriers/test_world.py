"""Money, months and bad days of a carrier, whichever it is."""

from __future__ import annotations

import pytest

from callplane.simulators.carriers.misfortunes import bad_days
from callplane.simulators.carriers.rows import decimal_text
from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    AccountSeed,
    RangeSeed,
    WorldSeed,
    world_seed_from,
)
from callplane.simulators.carriers.world import CarrierWorld, NotForSale
from callplane.testing.manual_clock import ManualClock

FIRST = "+442079460000"


def small_world(clock: ManualClock, **changes: object) -> CarrierWorld:
    seed = WorldSeed(seed=5, ranges=(RangeSeed(FIRST, 2),), settings=changes)
    return CarrierWorld(clock=clock, seed=seed)


@pytest.mark.parametrize(
    ("minor", "text"), [(0, "0.00"), (5, "0.05"), (250, "2.50"), (-1234, "-12.34")]
)
def test_money_is_written_without_floats(minor: int, text: str) -> None:
    assert decimal_text(minor) == text
    assert decimal_text(minor, 5) == text + "000"


def test_every_month_is_billed_although_nobody_looked() -> None:
    clock = ManualClock()
    world = small_world(clock, month_seconds=100.0)
    account = world.account()
    world.acquire(FIRST, account, by="test")
    clock.advance(350.0)
    world.advance()
    months = [charge.at for charge in account.charges if charge.what == "month"]
    assert months == [0.0, 100.0, 200.0, 300.0]
    assert account.balance_minor == 100_000 - sum(charge.minor for charge in account.charges)


def test_a_number_sold_back_and_bought_again_is_billed_once_a_month() -> None:
    clock = ManualClock()
    world = small_world(clock, month_seconds=100.0)
    account = world.account()
    world.acquire(FIRST, account, by="test")
    world.release(FIRST, by="test")
    clock.advance(50.0)
    world.acquire(FIRST, account, by="test")
    clock.advance(110.0)
    world.advance()
    months = [charge.at for charge in account.charges if charge.what == "month"]
    assert months == [0.0, 50.0, 150.0]


def test_a_number_has_one_owner_and_the_log_says_who() -> None:
    world = CarrierWorld(
        clock=ManualClock(),
        seed=WorldSeed(accounts=(AccountSeed("1"), AccountSeed("2"))),
    )
    world.acquire(FIRST, world.account("1"), by="1")
    with pytest.raises(NotForSale):
        world.acquire(FIRST, world.account("2"), by="2")
    assert [(c.subject, c.before, c.after, c.by) for c in world.changes.changes] == [
        (FIRST, None, "1", "1")
    ]
    assert [row.e164 for row in world.owned(world.account("1"))] == [FIRST]
    assert world.owned(world.account("2")) == []


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = (small_world(ManualClock()) for _ in range(2))
    rows = [world.acquire(FIRST, world.account(), by="test") for world in (first, second)]
    assert rows[0] == rows[1]
    assert rows[0].id != first.acquire("+442079460001", first.account(), by="test").id


def test_bad_days_are_data_and_scale() -> None:
    world = CarrierWorld(seed=world_seed_from({"misfortune": 0.5}))
    assert len(world.faults.documents()) == len(bad_days())
    assert sum(rule.probability for rule in bad_days(0.0)) == 0.0
    assert world.account().id == DEFAULT_ACCOUNT
