"""DIDWW's own SDK works against the simulator by its documented address."""

from __future__ import annotations

import asyncio

from didww.client import DidwwClient
from didww.query_params import QueryParams

from callplane.simulators.carriers.running import running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.testing.carrier_simulator_stage import SEED
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.manual_clock import ManualClock


def look_around(url: str) -> tuple[list[str], list[str], str]:
    """Numbers that are owned, numbers on sale, the balance; blocking, as the SDK is."""
    sdk = DidwwClient(DEFAULT_SECRET, base_url=url)
    try:
        owned = [row.number for row in sdk.dids().list().data]
        wanted = QueryParams().filter("number_contains", ON_SALE[0].text[1:])
        on_sale = [row.number for row in sdk.available_dids().list(wanted).data]
        return owned, on_sale, sdk.balance().find().data.total_balance
    finally:
        sdk._session.close()


async def test_the_sdk_lists_searches_and_tells_the_balance() -> None:
    clock = ManualClock()
    world = DidwwWorld(clock=clock, seed=SEED)
    async with running_carrier(world, DidwwSurface(), sleep=clock.sleep) as carrier:
        owned, on_sale, balance = await asyncio.to_thread(look_around, carrier.api_url)
    assert owned == [number.text[1:] for number in OWNED]
    assert on_sale == [ON_SALE[0].text[1:]]
    assert balance == "1000.00"
