"""Twilio's own SDK works against the simulator, each of its hosts redirected as it documents."""

from __future__ import annotations

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from callplane.simulators.carriers.running import running_carrier
from callplane.simulators.carriers.seeding import (
    DEFAULT_SECRET,
    AccountSeed,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioWorld
from callplane.testing.manual_clock import ManualClock

SEED = WorldSeed(accounts=(AccountSeed(DEFAULT_SID),), ranges=(RangeSeed("+442079460000", 3),))


# Its asynchronous client signs in by a part of aiohttp that is on its way out.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
async def test_the_sdk_searches_buys_lists_and_gives_back() -> None:
    clock = ManualClock()
    world = TwilioWorld(clock=clock, seed=SEED)
    async with (
        running_carrier(world, TwilioSurface(), sleep=clock.sleep) as carrier,
        AsyncTwilioHttpClient(timeout=5.0) as http,
    ):
        client = Client(DEFAULT_SID, DEFAULT_SECRET, http_client=http)
        for domain in (client.api, client.trunking, client.numbers, client.pricing):
            domain.base_url = carrier.base_url
        found = await client.available_phone_numbers("GB").local.list_async(limit=2)
        number = found[0].phone_number
        trunk = await client.trunking.v1.trunks.create_async(friendly_name="sbc")
        bought = await client.incoming_phone_numbers.create_async(
            phone_number=number, trunk_sid=trunk.sid
        )
        listed = await client.incoming_phone_numbers.list_async()
        assert [(row.phone_number, row.trunk_sid) for row in listed] == [(number, trunk.sid)]
        assert await client.incoming_phone_numbers(bought.sid).delete_async()
        with pytest.raises(TwilioRestException) as caught:
            await client.incoming_phone_numbers(bought.sid).fetch_async()
        assert (caught.value.status, caught.value.code) == (404, 20404)
