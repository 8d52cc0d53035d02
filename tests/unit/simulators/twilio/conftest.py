"""A Twilio account for each test: ten numbers on sale, two owned already."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest

from callplane.simulators.carriers.seeding import (
    DEFAULT_SECRET,
    AccountSeed,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioWorld
from callplane.testing.asgi_calls import Answer
from callplane.testing.carrier_desk import CarrierDesk, open_carrier
from callplane.testing.manual_clock import ManualClock

Post = Callable[..., Awaitable[Answer]]


@pytest.fixture
def desk() -> CarrierDesk:
    clock = ManualClock()
    seed = WorldSeed(
        seed=5,
        accounts=(AccountSeed(DEFAULT_SID),),
        ranges=(
            RangeSeed("+442079460000", 10),
            RangeSeed("+441614960000", 2, place="Manchester", owner=DEFAULT_SID),
        ),
    )
    user = base64.b64encode(f"{DEFAULT_SID}:{DEFAULT_SECRET}".encode()).decode()
    return open_carrier(
        TwilioWorld(clock=clock, seed=seed),
        TwilioSurface(),
        clock=clock,
        headers={"authorization": f"Basic {user}"},
    )


@pytest.fixture
def post(desk: CarrierDesk) -> Post:
    """POST a form; a path that begins with a slash is whole, another is the account's."""

    async def send(path: str, **form: str) -> Answer:
        whole = path if path.startswith("/") else f"/2010-04-01/Accounts/{DEFAULT_SID}/{path}"
        return await desk.request("POST", whole, urlencode(form).encode())

    return send
