"""What `docs/providers/carriers.md` tells is enough for a new carrier: the suite says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers.registry import CARRIERS, CarrierRegistry, Ingredients
from callplane.resources.carriers import TrunkRoute
from callplane.simulators.carriers.running import running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.testing import sixth_carrier
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SEED, SimulatedCarrierStage
from callplane.testing.manual_clock import ManualClock
from callplane.testing.sixth_carrier.provider import CAPABILITIES
from callplane.testing.sixth_carrier.simulator import ExampleSurface, ExampleWorld

# The registry line.
WITH_EXAMPLE = {**CARRIERS, "example": "callplane.testing.sixth_carrier.provider:create"}
SECRET_REF = SecretKeyRef(name="example", key="key")


@pytest.fixture
async def stage() -> AsyncIterator[SimulatedCarrierStage]:
    clock = ManualClock()
    world = ExampleWorld(clock=clock, seed=SEED)
    async with running_carrier(world, ExampleSurface(), sleep=clock.sleep) as carrier:
        spec = CarrierSpec(
            type=CarrierType.TELNYX,
            account="example",
            credentials=CarrierCredentials(secret_ref=SECRET_REF),
            endpoint=CarrierEndpoint(url=carrier.api_url),
        )
        secrets = {SECRET_REF: DEFAULT_SECRET.encode()}
        provider = CarrierRegistry(WITH_EXAMPLE).create(
            "example", Ingredients(spec, clock, secrets)
        )
        stage = SimulatedCarrierStage(carrier, clock, provider, TrunkRoute(trunk="sbc"))
        yield stage
        await stage.provider.close()


class TestSixthCarrier(CarrierContract, capabilities=CAPABILITIES):
    """Every promise that applies."""


def test_it_took_one_folder_that_is_read_in_a_few_minutes() -> None:
    folder = Path(sixth_carrier.__file__).parent
    lines = {path.name: path.read_text().count("\n") for path in folder.glob("*.py")}
    assert set(lines) == {"__init__.py", "provider.py", "simulator.py"}
    assert max(lines.values()) < 300
