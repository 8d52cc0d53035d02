"""A Simwood account for each test: ten numbers on sale, two gold ones, two owned already."""

from __future__ import annotations

import base64

import pytest

from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET,
    DEFAULT_USER,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodWorld
from callplane.testing.carrier_desk import CarrierDesk, open_carrier
from callplane.testing.manual_clock import ManualClock

SMALL = WorldSeed(
    seed=5,
    ranges=(
        RangeSeed("+442079460000", 10),
        RangeSeed("+442079460020", 2, is_gold=True),
        RangeSeed("+441614960000", 2, place="Manchester", owner=DEFAULT_ACCOUNT),
    ),
)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def desk() -> CarrierDesk:
    clock = ManualClock()
    return open_carrier(
        SimwoodWorld(clock=clock, seed=SMALL),
        SimwoodSurface(),
        clock=clock,
        headers={"authorization": basic(DEFAULT_USER, DEFAULT_SECRET)},
    )
