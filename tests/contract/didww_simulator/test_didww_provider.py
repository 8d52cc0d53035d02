"""The DIDWW provider keeps every promise of the carrier contract, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers.carrier_protocol import CarrierProvider, CarrierRefused
from callplane.providers.didww.provider import CAPABILITIES
from callplane.providers.protocol import Unavailable
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    NumberSearch,
    Obstacle,
    OrderRequest,
    OrderState,
    TrunkRoute,
)
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.simulators.faults import Effect, FaultRule
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SEED, SimulatedCarrierStage
from callplane.testing.carrier_stage import MARKER, ON_SALE, OWNED, CarrierStage
from callplane.testing.manual_clock import ManualClock

SECRET_REF = SecretKeyRef(name="didww", key="api-key")
TRUNK = "0f1e2d3c-0000-4000-8000-000000000001"
GROUP = "0f1e2d3c-0000-4000-8000-000000000002"


def provider_of(carrier: RunningCarrier, clock: ManualClock) -> CarrierProvider:
    """As wiring makes it."""
    spec = CarrierSpec(
        type=CarrierType.DIDWW,
        account="example",
        credentials=CarrierCredentials(secret_ref=SECRET_REF),
        endpoint=CarrierEndpoint(url=carrier.api_url),
    )
    secrets = {SECRET_REF: f"{DEFAULT_SECRET}\n".encode()}
    return CarrierRegistry().create("didww", Ingredients(spec, clock, secrets))


@pytest.fixture
async def stage() -> AsyncIterator[SimulatedCarrierStage]:
    clock = ManualClock()
    world = DidwwWorld(clock=clock, seed=SEED)
    world.account().shelf("voice_in_trunks")[TRUNK] = {"name": "sbc"}
    world.account().shelf("voice_in_trunk_groups")[GROUP] = {"name": "both"}
    async with running_carrier(world, DidwwSurface(), sleep=clock.sleep) as carrier:
        stage = SimulatedCarrierStage(
            carrier, clock, provider_of(carrier, clock), TrunkRoute(trunk=TRUNK)
        )
        yield stage
        await stage.provider.close()


class TestDidwwProvider(CarrierContract, capabilities=CAPABILITIES):
    """Every promise that applies, one of them in DIDWW's own way."""

    async def test_rejected_paperwork_keeps_the_carriers_words(self, stage: CarrierStage) -> None:
        """Papers are turned down, and the number is not: it is ours and goes on waiting."""
        stage.orders_need_paperwork()
        request = OrderRequest("cp-order-0001", ON_SALE[3], route=stage.route)
        await stage.provider.order(request)
        stage.reject("cp-order-0001", "The proof of address is too old.")
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert (found.state, found.obstacle) == (OrderState.PENDING, Obstacle.PAPERWORK)
        assert "proof of address is too old" in found.detail
        assert stage.owns(ON_SALE[3])
        row = (await stage.provider.read_number(ON_SALE[3])).row
        assert row is not None
        assert row.state is CarrierNumberState.PENDING


async def test_a_cancelled_order_is_rejected_in_the_carriers_words(
    stage: SimulatedCarrierStage,
) -> None:
    stage.orders_take(60.0)
    request = OrderRequest("cp-order-1", ON_SALE[0], route=stage.route)
    await stage.provider.order(request)
    stage.sell(ON_SALE[0])
    stage.clock.advance(60.0)
    found = (await stage.provider.find_order(request)).row
    assert found is not None
    assert found.state is OrderState.REJECTED
    assert "no longer available" in found.detail


async def test_a_number_rings_on_a_group_of_trunks(stage: SimulatedCarrierStage) -> None:
    group = TrunkRoute(trunk=f"group:{GROUP}")
    for route in (stage.route, group, stage.route):
        await stage.provider.set_route(OWNED[0], route, marker=MARKER)
        row = (await stage.provider.read_number(OWNED[0])).row
        assert row is not None
        assert row.route == route


async def test_a_route_to_nowhere_names_the_trunk(stage: SimulatedCarrierStage) -> None:
    nowhere = TrunkRoute(trunk=TRUNK.replace("0f1e", "ffff"))
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.set_route(OWNED[0], nowhere, marker=MARKER)
    assert caught.value.obstacle is Obstacle.TRUNK_UNKNOWN


async def test_a_description_that_people_gave_is_kept(stage: SimulatedCarrierStage) -> None:
    stage.portal.change_attribute(OWNED[0].text, "description", "Reception")
    await stage.provider.set_route(OWNED[0], stage.route, marker=MARKER)
    row = (await stage.provider.read_number(OWNED[0])).row
    assert row is not None
    assert (row.route, row.marker) == (stage.route, NOT_SHOWN)


async def test_a_number_that_will_lapse_is_leaving(stage: SimulatedCarrierStage) -> None:
    stage.portal.change_attribute(OWNED[0].text, "billing_cycles_count", 1)
    row = (await stage.provider.read_number(OWNED[0])).row
    assert row is not None
    assert row.state is CarrierNumberState.LEAVING


async def test_a_page_that_skips_numbers_ends_no_listing(stage: SimulatedCarrierStage) -> None:
    stage.world.faults.add(FaultRule(Effect.LISTING_SKIP, ("listNumbers",)))
    with pytest.raises(Unavailable, match="of 3 numbers are missing"):
        [page async for page in stage.provider.list_pages()]


async def test_a_search_that_is_shut_stops_nothing_else(stage: SimulatedCarrierStage) -> None:
    stage.world.settings.change({"search_is_shut": True})
    with pytest.raises(CarrierRefused, match="support was asked"):
        await stage.provider.search(NumberSearch(prefix="442079"))
    with pytest.raises(CarrierRefused, match="support was asked"):
        await stage.provider.order(OrderRequest("cp-order-1", ON_SALE[0], route=stage.route))
    assert stage.attempts() == 0
    assert (await stage.provider.read_number(OWNED[0])).row is not None
