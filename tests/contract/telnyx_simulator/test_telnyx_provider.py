"""The Telnyx provider keeps every promise of the carrier contract, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers.carrier_protocol import CarrierProvider
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.telnyx.provider import CAPABILITIES
from callplane.resources.carriers import TrunkRoute
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SEED, SimulatedCarrierStage
from callplane.testing.manual_clock import ManualClock

SECRET_REF = SecretKeyRef(name="telnyx", key="api-key")
CONNECTION = "1521916448077770001"


class TelnyxStage(SimulatedCarrierStage):
    """A refused port is an exception that is corrected in place."""

    correctable = "exception"
    correctable_closes = False
    done = "ported"


def provider_of(carrier: RunningCarrier, clock: ManualClock) -> CarrierProvider:
    """As wiring makes it."""
    spec = CarrierSpec(
        type=CarrierType.TELNYX,
        account="example",
        credentials=CarrierCredentials(secret_ref=SECRET_REF),
        endpoint=CarrierEndpoint(url=carrier.api_url),
    )
    secrets = {SECRET_REF: f"{DEFAULT_SECRET}\n".encode()}
    return CarrierRegistry().create("telnyx", Ingredients(spec, clock, secrets))


@pytest.fixture
async def stage() -> AsyncIterator[TelnyxStage]:
    clock = ManualClock()
    world = TelnyxWorld(clock=clock, seed=SEED)
    world.account().shelf("fqdn_connections")[CONNECTION] = {"connection_name": "sbc"}
    async with running_carrier(world, TelnyxSurface(), sleep=clock.sleep) as carrier:
        stage = TelnyxStage(
            carrier, clock, provider_of(carrier, clock), TrunkRoute(trunk=CONNECTION)
        )
        yield stage
        await stage.provider.close()


class TestTelnyxProvider(CarrierContract, capabilities=CAPABILITIES):
    """Every promise that applies."""
