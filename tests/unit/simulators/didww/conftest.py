"""A DIDWW account for each test: ten numbers on sale, two owned already."""

from __future__ import annotations

import pytest

from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.testing.carrier_desk import CarrierDesk, open_carrier
from callplane.testing.manual_clock import ManualClock


@pytest.fixture
def desk() -> CarrierDesk:
    clock = ManualClock()
    seed = WorldSeed(
        seed=5,
        ranges=(
            RangeSeed("+442079460000", 10),
            RangeSeed("+441614960000", 2, place="Manchester", owner=DEFAULT_ACCOUNT),
        ),
    )
    return open_carrier(
        DidwwWorld(clock=clock, seed=seed),
        DidwwSurface(),
        clock=clock,
        headers={"api-key": DEFAULT_SECRET},
    )
