"""Telnyx's own SDK works against the simulator by its documented address, on its own connections.

It is shown too what it does with an order that is answered 500, and why our client forbids it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import telnyx
from telnyx import AsyncTelnyx

from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.testing.carrier_simulator_stage import SEED
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.manual_clock import ManualClock


@pytest.fixture
async def carrier() -> AsyncIterator[RunningCarrier]:
    clock = ManualClock()
    world = TelnyxWorld(clock=clock, seed=SEED)
    async with running_carrier(world, TelnyxSurface(), sleep=clock.sleep) as running:
        yield running


async def test_the_sdk_lists_orders_and_gives_back(carrier: RunningCarrier) -> None:
    async with AsyncTelnyx(api_key=DEFAULT_SECRET, base_url=carrier.api_url) as sdk:
        listed = [row.phone_number async for row in sdk.phone_numbers.list(page_size=2)]
        assert listed == [number.text for number in OWNED]
        await sdk.number_orders.create(
            phone_numbers=[{"phone_number": ON_SALE[0].text}], customer_reference="cp-1"
        )
        orders = await sdk.number_orders.list(filter={"customer_reference": "cp-1"})
        assert [order.status for order in orders.data or []] == ["success"]
        with pytest.raises(telnyx.NotFoundError):
            await sdk.phone_numbers.retrieve("1")


async def test_the_sdk_by_itself_orders_again(carrier: RunningCarrier) -> None:
    carrier.world.faults.add(
        FaultRule(Effect.STATUS, ("createOrder",), status=500, message="Internal error.")
    )
    numbers = [{"phone_number": ON_SALE[0].text}]
    for retries in (0, 1):
        before = len(carrier.world.recorder.writes())
        async with AsyncTelnyx(
            api_key=DEFAULT_SECRET, base_url=carrier.api_url, max_retries=retries
        ) as sdk:
            with pytest.raises(telnyx.InternalServerError):
                await sdk.number_orders.create(phone_numbers=numbers)
        assert len(carrier.world.recorder.writes()) - before == retries + 1
