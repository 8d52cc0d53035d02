"""A carrier that was added by following `docs/providers/write-a-provider.md`, and nothing else.

One folder (`pigeon`), one registry line (below), one simulator (`pigeon_simulator`), one page
(`pigeon.md`): it keeps every promise that applies to it.
"""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pigeon.provider import CAPABILITIES
from pigeon_simulator.surface import PigeonSurface, PigeonWorld

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers.registry import CARRIERS, CarrierRegistry, Ingredients
from callplane.resources.carriers import TrunkRoute
from callplane.simulators.carriers.running import running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SEED, SimulatedCarrierStage
from callplane.testing.manual_clock import ManualClock

SECRET_REF = SecretKeyRef(name="pigeon", key="key")
ROUTE = TrunkRoute(endpoints=("%e164@sbc1.example.com:5061",))
REGISTRY = CARRIERS | {"pigeon": "pigeon.factory:create"}
"""The registry line."""
SHARED = ("callplane.clock", "callplane.errors", "callplane.resources", "callplane.values")
SHARED_PROVIDERS = ("carrier_access", "carrier_protocol", "protocol", "registry", "transport")


@pytest.fixture
async def stage() -> AsyncIterator[SimulatedCarrierStage]:
    clock = ManualClock()
    world = PigeonWorld(clock=clock, seed=SEED)
    async with running_carrier(world, PigeonSurface(), sleep=clock.sleep) as carrier:
        spec = CarrierSpec(
            # The kind's own list of types is the one thing that a carrier in the test tree cannot
            # join; no provider reads it.
            type=CarrierType.TELNYX,
            account="example",
            credentials=CarrierCredentials(secret_ref=SECRET_REF),
            endpoint=CarrierEndpoint(url=carrier.api_url),
        )
        ingredients = Ingredients(spec, clock, {SECRET_REF: DEFAULT_SECRET.encode()})
        provider = CarrierRegistry(REGISTRY).create("pigeon", ingredients)
        yield SimulatedCarrierStage(carrier, clock, provider, ROUTE)
        await provider.close()


class TestPigeonPost(CarrierContract, capabilities=CAPABILITIES):
    """Every promise that applies."""


def imports_of(folder: Path) -> set[str]:
    """Modules of ours that a package names."""
    found: set[str] = set()
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("callplane"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                is_package = node.module == "callplane.providers"
                found |= set(names) if is_package else {str(node.module)}
    return found


def test_it_needs_only_what_every_provider_may_use() -> None:
    provider = imports_of(Path(__file__).parent / "pigeon")
    allowed = (*SHARED, *(f"callplane.providers.{name}" for name in SHARED_PROVIDERS))
    assert {name for name in provider if not name.startswith(allowed)} == set()
    simulator = imports_of(Path(__file__).parent / "pigeon_simulator")
    assert {name for name in simulator if not name.startswith("callplane.simulators.")} == set()
