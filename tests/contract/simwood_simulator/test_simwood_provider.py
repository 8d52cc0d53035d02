"""The Simwood provider keeps every promise of the carrier contract, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers.carrier_protocol import CarrierProvider
from callplane.providers.protocol import Unavailable
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.simwood.client import Login, SimwoodClient
from callplane.providers.simwood.provider import CAPABILITIES, SimwoodProvider
from callplane.providers.transport import Transport
from callplane.resources.carriers import OrderRequest, TrunkRoute
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_ACCOUNT, DEFAULT_SECRET, DEFAULT_USER
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodPortal, SimwoodWorld
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SEED, SimulatedCarrierStage
from callplane.testing.carrier_stage import ELSEWHERE, MARKER, ON_SALE, OWNED
from callplane.testing.manual_clock import ManualClock

SECRET_REF = SecretKeyRef(name="simwood", key="password")
LOGIN = Login(DEFAULT_ACCOUNT, DEFAULT_USER, DEFAULT_SECRET)
ROUTE = TrunkRoute(
    trunk=f"{DEFAULT_ACCOUNT}-L001",
    endpoints=("%e164@sbc1.example.com:5061;transport=tls", "%e164@sbc2.example.com:5061"),
)


def provider_of(carrier: RunningCarrier, clock: ManualClock) -> CarrierProvider:
    """As wiring makes it."""
    spec = CarrierSpec(
        type=CarrierType.SIMWOOD,
        account=DEFAULT_ACCOUNT,
        credentials=CarrierCredentials(user=DEFAULT_USER, secret_ref=SECRET_REF),
        endpoint=CarrierEndpoint(url=carrier.api_url),
    )
    secrets = {SECRET_REF: f"{DEFAULT_SECRET}\n".encode()}
    return CarrierRegistry().create("simwood", Ingredients(spec, clock, secrets))


@pytest.fixture
async def stage() -> AsyncIterator[SimulatedCarrierStage]:
    clock = ManualClock()
    world = SimwoodWorld(clock=clock, seed=SEED)
    async with running_carrier(world, SimwoodSurface(), sleep=clock.sleep) as carrier:
        stage = SimulatedCarrierStage(carrier, clock, provider_of(carrier, clock), ROUTE)
        yield stage
        await stage.provider.close()


class TestSimwoodProvider(CarrierContract, capabilities=CAPABILITIES):
    """Every promise that applies."""


@pytest.mark.parametrize("thefts", [1, 99])
async def test_a_report_that_another_process_fetched_is_asked_for_again(
    stage: SimulatedCarrierStage, thefts: int
) -> None:
    """It can be fetched once, by whoever comes first; nothing is lost, and nothing is believed."""
    stage.world.settings.change({"report_seconds": 0.4})
    portal = stage.portal
    assert isinstance(portal, SimwoodPortal)
    taken: list[int] = []

    async def sleep_while_somebody_fetches(seconds: float) -> None:
        stage.clock.advance(seconds)
        if len(taken) < thefts:
            taken.append(portal.collect_reports())

    transport = Transport("simwood", clock=stage.clock)
    client = SimwoodClient(stage.running.api_url, transport=transport, login=LOGIN)
    provider = SimwoodProvider(
        DEFAULT_ACCOUNT,
        client=client,
        clock=stage.clock,
        on_close=transport.close,
        sleep=sleep_while_somebody_fetches,
    )
    try:
        if thefts > 1:
            with pytest.raises(Unavailable, match="lost 3 times"):
                await anext(aiter(provider.list_pages()))
        else:
            rows = [row async for page in provider.list_pages() for row in page.rows]
            assert [row.number for row in rows] == list(OWNED)
    finally:
        await provider.close()


async def test_a_no_under_status_200_is_still_a_no(stage: SimulatedCarrierStage) -> None:
    """The status of a failure is documented nowhere."""
    stage.world.settings.change({"refuses_with_200": True})
    assert (await stage.provider.read_number(ELSEWHERE)).row is None
    assert (await stage.provider.read_number(OWNED[0])).row is not None


async def test_a_portal_edit_shows_as_drift(stage: SimulatedCarrierStage) -> None:
    await stage.provider.set_route(OWNED[0], ROUTE, marker=MARKER)
    portal = stage.portal
    assert isinstance(portal, SimwoodPortal)
    portal.edit_number(OWNED[0].text, "%e164@elsewhere.example.com")
    row = (await stage.provider.read_number(OWNED[0])).row
    assert row is not None
    assert row.route != ROUTE
    assert row.marker == ""


async def test_a_second_purchase_of_an_owned_number_costs_nothing(
    stage: SimulatedCarrierStage,
) -> None:
    """What a PUT on an owned number does is not documented: the read before it is what counts."""
    await stage.provider.order(OrderRequest("cp-1", ON_SALE[0]))
    assert (await stage.provider.read_number(ON_SALE[0])).row is not None
    assert stage.purchases(ON_SALE[0]) == 1
