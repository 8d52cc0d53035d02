"""The same engine over every carrier's own provider and simulator: a number is bought once although
its answer is lost, set up, and given back with two keys and an approval.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import (
    DEFAULT_SECRET,
    DEFAULT_USER,
    AccountSeed,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import CarrierWorld
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodWorld
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import TwilioWorld
from callplane.testing.carrier_estate import declare_number, seed_carrier
from callplane.testing.carrier_stage import ON_SALE
from callplane.testing.engine_world import EngineWorld

WANTED = ON_SALE[3]
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One carrier: its simulator, what buys there, and a trunk that the account has."""

    type: str
    world: type[CarrierWorld]
    surface: type[Surface]
    buys: str
    trunk: Mapping[str, Any]
    shelf: str = ""
    user: str = ""


KINDS = [
    Kind(
        "Simwood",
        SimwoodWorld,
        SimwoodSurface,
        "buyNumber",
        {"endpoints": ["%e164@sbc1.example.com:5061"]},
        user=DEFAULT_USER,
    ),
    Kind(
        "Telnyx",
        TelnyxWorld,
        TelnyxSurface,
        "createOrder",
        {"name": "1293384261075731499"},
        shelf="fqdn_connections",
    ),
    Kind(
        "Twilio",
        TwilioWorld,
        TwilioSurface,
        "buyNumber",
        {"name": "TK" + "0" * 31 + "1"},
        shelf="trunks",
    ),
    Kind(
        "Didww",
        DidwwWorld,
        DidwwSurface,
        "createOrder",
        {"name": "41b94706-325e-4704-a433-d65105758836"},
        shelf="voice_in_trunks",
    ),
]


@dataclass(slots=True)
class Estate:
    """An operator at work, and the carrier behind it."""

    kind: Kind
    world: EngineWorld
    carrier: RunningCarrier

    @property
    def owned(self) -> list[str]:
        sold = self.carrier.world
        return [row.e164 for row in sold.owned(sold.account())]

    @property
    def paid(self) -> int:
        """How often the number has been paid for."""
        charges = self.carrier.world.account().charges
        return sum((each.what, each.subject) == ("setup", WANTED.text) for each in charges)

    async def says(self, reason: str) -> None:
        """Wait until the PhoneNumber says so."""
        said = ("", "", "")
        for _ in range(int(PATIENCE_SECONDS / 0.1)):
            said = await self.world.condition("PhoneNumber", "front")
            if said[1] == reason:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{reason} is not said, but {said}")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.type)
async def estate(request: pytest.FixtureRequest) -> AsyncIterator[Estate]:
    kind: Kind = request.param
    seed = WorldSeed(
        accounts=(AccountSeed(kind.world.default_account),),
        ranges=(RangeSeed(ON_SALE[0].text, len(ON_SALE)),),
    )
    simulated = kind.world(seed=seed)
    if kind.shelf:
        simulated.account().shelf(kind.shelf)[kind.trunk["name"]] = {
            "connection_name": "sbc",
            "friendly_name": "sbc",
            "name": "sbc",
        }
    world = EngineWorld()
    world.seed_secret(DEFAULT_SECRET.encode())
    async with running_carrier(simulated, kind.surface()) as carrier:
        await seed_carrier(
            world,
            type=kind.type,
            account=simulated.account().id,
            credentials={"user": kind.user, "secretRef": {"name": "graph", "key": "secret"}},
            endpoint={"url": carrier.api_url},
            trunk=dict(kind.trunk),
            purchasing={"enabled": True, "limit": {"numbers": 5}},
            driftInterval="2s",
            changeLimits={"settle": "100ms", "settleMax": "1s"},
        )
        await world.start()
        yield Estate(kind, world, carrier)
        await world.stop()


async def test_a_number_is_bought_once_and_given_back_with_two_keys(estate: Estate) -> None:
    world = estate.world
    lost = FaultRule(Effect.DROP_AFTER, (estate.kind.buys,), times=1)
    estate.carrier.world.faults.add(lost)
    await declare_number(world, "front", WANTED, acquisition="Order")
    await estate.says("Succeeded")
    assert estate.owned == [WANTED.text]
    assert estate.paid == 1
    attempts = estate.carrier.world.recorder.writes()
    assert [entry.kind for entry in attempts].count(estate.kind.buys) == 1
    shown = (await world.status("PhoneNumber", "front"))["carrier"]
    assert shown["state"] == "Active"
    assert shown["trunk"]

    long_ago = (world.clock.now() - timedelta(days=100)).date().isoformat()
    keys = {
        "acquisition": "Order",
        "releasePolicy": "Release",
        "releaseAcknowledgement": {"number": WANTED.text, "date": long_ago},
    }
    await declare_number(world, "front", WANTED, **keys)
    await estate.says("ApprovalRequired")
    assert estate.owned == [WANTED.text]
    await world.answer()
    await estate.says("Released")
    assert estate.owned == []
    assert await world.state(WANTED.text) == "Released"


async def test_rejected_access_is_said_and_nothing_is_lost(estate: Estate) -> None:
    world, account = estate.world, estate.carrier.world.account()
    await connection_says(world, "Succeeded")
    account.keys[0].is_revoked = True
    await connection_says(world, "False AuthenticationFailed")
    assert estate.owned == []


async def connection_says(world: EngineWorld, reason: str) -> None:
    """Wait until the Carrier says so."""
    said = ""
    for _ in range(int(PATIENCE_SECONDS / 0.1)):
        said = await world.reason("main", kind="Carrier")
        if said == reason:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{reason} is not said, but {said}")
