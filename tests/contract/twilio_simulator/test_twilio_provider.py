"""The Twilio provider keeps every promise of the carrier contract, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.providers.carrier_protocol import CarrierProvider, CarrierRefused
from callplane.providers.protocol import AuthenticationFailed, PermissionMissing
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.twilio.client import Hosts
from callplane.providers.twilio.provider import CAPABILITIES
from callplane.resources.carriers import (
    NOT_SHOWN,
    NumberSearch,
    Obstacle,
    OrderRequest,
    TrunkRoute,
)
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import (
    DEFAULT_SECRET,
    DEFAULT_USER,
    AccountSeed,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioPortal, TwilioWorld
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SimulatedCarrierStage
from callplane.testing.carrier_stage import ADDRESS, MARKER, ON_SALE, OWNED
from callplane.testing.manual_clock import ManualClock

SECRET_REF = SecretKeyRef(name="twilio", key="token")
TRUNK = "TK" + "0" * 31 + "1"
BUNDLE = "BU" + "0" * 31 + "1"
PAPERS_ADDRESS = "AD" + "0" * 31 + "1"
SEED = WorldSeed(
    seed=5,
    accounts=(AccountSeed(DEFAULT_SID),),
    ranges=(
        RangeSeed(ON_SALE[0].text, len(ON_SALE)),
        RangeSeed(OWNED[0].text, len(OWNED), place="Manchester", owner=DEFAULT_SID),
    ),
)


def provider_of(
    carrier: RunningCarrier, clock: ManualClock, *, account: str = DEFAULT_SID, user: str = ""
) -> CarrierProvider:
    """As wiring makes it."""
    spec = CarrierSpec(
        type=CarrierType.TWILIO,
        account=account,
        credentials=CarrierCredentials(user=user, secret_ref=SECRET_REF),
        endpoint=CarrierEndpoint(url=carrier.api_url),
    )
    secrets = {SECRET_REF: f"{DEFAULT_SECRET}\n".encode()}
    return CarrierRegistry().create("twilio", Ingredients(spec, clock, secrets))


@pytest.fixture
async def stage() -> AsyncIterator[SimulatedCarrierStage]:
    clock = ManualClock()
    world = TwilioWorld(clock=clock, seed=SEED)
    world.account().shelf("trunks")[TRUNK] = {"sid": TRUNK, "friendly_name": "sbc"}
    async with running_carrier(world, TwilioSurface(), sleep=clock.sleep) as carrier:
        stage = SimulatedCarrierStage(
            carrier, clock, provider_of(carrier, clock), TrunkRoute(trunk=TRUNK)
        )
        yield stage
        await stage.provider.close()


class TestTwilioProvider(CarrierContract, capabilities=CAPABILITIES):
    """Every promise that applies."""


def with_papers(stage: SimulatedCarrierStage) -> TwilioPortal:
    """The account has a bundle that nobody has looked at yet, and an address."""
    stage.world.settings.change({"needs_paperwork": True})
    bundle = {"sid": BUNDLE, "friendly_name": "callplane GB local", "status": "pending-review"}
    stage.account.shelf("bundles")[BUNDLE] = bundle
    stage.account.shelf("addresses")[PAPERS_ADDRESS] = {"sid": PAPERS_ADDRESS}
    portal = stage.portal
    assert isinstance(portal, TwilioPortal)
    return portal


async def test_a_purchase_waits_for_a_bundle_and_then_carries_it(
    stage: SimulatedCarrierStage,
) -> None:
    portal = with_papers(stage)
    request = OrderRequest("cp-order-1", ON_SALE[0], route=stage.route)
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.order(request)
    assert (caught.value.obstacle, caught.value.code) == (Obstacle.PAPERWORK, "21649")
    portal.approve_bundle(BUNDLE)
    await stage.provider.order(request)
    row = stage.world.stock.get(ON_SALE[0].text)
    assert row is not None
    assert row.attributes["bundle_sid"] == BUNDLE
    assert row.attributes["address_sid"] == PAPERS_ADDRESS
    assert row.attributes["friendly_name"] == "cp-order-1"


async def test_a_number_that_is_owned_is_not_bought_again(stage: SimulatedCarrierStage) -> None:
    """At Twilio a second purchase succeeds, and changes the number's settings."""
    stage.portal.change_attribute(OWNED[0].text, "friendly_name", "Reception")
    await stage.provider.order(OrderRequest("cp-order-1", OWNED[0], route=stage.route))
    row = stage.world.stock.get(OWNED[0].text)
    assert row is not None
    assert row.attributes["friendly_name"] == "Reception"
    assert stage.attempts() == 0


async def test_a_name_that_people_gave_is_kept(stage: SimulatedCarrierStage) -> None:
    stage.portal.change_attribute(OWNED[0].text, "friendly_name", "Reception")
    await stage.provider.set_route(OWNED[0], stage.route, marker=MARKER)
    row = (await stage.provider.read_number(OWNED[0])).row
    assert row is not None
    assert (row.route, row.marker) == (stage.route, NOT_SHOWN)


async def test_a_number_with_an_address_is_not_released(stage: SimulatedCarrierStage) -> None:
    await stage.provider.set_emergency_address(OWNED[0], ADDRESS)
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.release(OWNED[0])
    assert caught.value.obstacle is Obstacle.ADDRESS_ATTACHED
    await stage.provider.set_emergency_address(OWNED[0], None)
    await stage.provider.release(OWNED[0])
    assert not stage.owns(OWNED[0])


async def test_a_known_address_is_used_again(stage: SimulatedCarrierStage) -> None:
    for number in OWNED[:2]:
        await stage.provider.set_emergency_address(number, ADDRESS)
    assert len(stage.account.shelf("addresses")) == 1


async def test_an_address_that_was_made_before_its_answer_got_lost_is_used(
    stage: SimulatedCarrierStage,
) -> None:
    stage.world.faults.add(FaultRule(Effect.DROP_AFTER, ("createAddress",), times=1))
    with pytest.raises(Exception, match="createAddress: it may have taken effect"):
        await stage.provider.set_emergency_address(OWNED[0], ADDRESS)
    await stage.provider.set_emergency_address(OWNED[0], ADDRESS)
    assert len(stage.account.shelf("addresses")) == 1


async def test_a_route_to_nowhere_names_the_trunk(stage: SimulatedCarrierStage) -> None:
    nowhere = TrunkRoute(trunk="TK" + "f" * 32)
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.set_route(OWNED[0], nowhere, marker=MARKER)
    assert caught.value.obstacle is Obstacle.TRUNK_UNKNOWN
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.order(OrderRequest("cp-order-1", ON_SALE[0], route=nowhere))
    assert caught.value.obstacle is Obstacle.TRUNK_UNKNOWN


async def test_a_key_that_may_only_read_is_a_missing_permission(
    stage: SimulatedCarrierStage,
) -> None:
    stage.portal.restore_key(DEFAULT_USER, may_write=False)
    with pytest.raises(PermissionMissing):
        await stage.provider.release(OWNED[0])
    with pytest.raises(PermissionMissing):
        await stage.provider.order(OrderRequest("cp-order-1", ON_SALE[0], route=stage.route))


async def test_an_api_key_signs_in_by_its_name(stage: SimulatedCarrierStage) -> None:
    provider = provider_of(stage.running, stage.clock, user=DEFAULT_USER)
    assert (await provider.read_number(OWNED[0])).row is not None
    await provider.close()


async def test_an_account_that_is_no_sid_is_said_so(stage: SimulatedCarrierStage) -> None:
    with pytest.raises(AuthenticationFailed, match="account's SID"):
        provider_of(stage.running, stage.clock, account="example")


async def test_an_offer_tells_the_monthly_price(stage: SimulatedCarrierStage) -> None:
    (offer,) = await stage.provider.search(NumberSearch(prefix=ON_SALE[0].text[1:], count=1))
    assert offer.monthly is not None
    assert offer.setup is None


def test_another_address_takes_the_place_of_every_host() -> None:
    """One that is forgotten would call the real Twilio."""
    hosts = Hosts.all_at("http://127.0.0.1:9")
    for field in Hosts.__dataclass_fields__:
        assert getattr(hosts, field) == "http://127.0.0.1:9"
