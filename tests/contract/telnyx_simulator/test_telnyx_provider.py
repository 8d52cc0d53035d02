"""The Telnyx provider keeps every promise of the carrier contract, over HTTP."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.errors import OutcomeUnknown
from callplane.providers.carrier_protocol import CarrierProvider, CarrierRefused
from callplane.providers.protocol import Unavailable
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.telnyx.provider import CAPABILITIES, TelnyxProvider
from callplane.resources.carriers import (
    CarrierNumberState,
    Obstacle,
    OrderRequest,
    PortRequest,
    PortState,
    TrunkRoute,
)
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.testing.carrier_contract import CarrierContract
from callplane.testing.carrier_simulator_stage import SEED, SimulatedCarrierStage
from callplane.testing.carrier_stage import (
    ADDRESS,
    ELSEWHERE,
    MARKER,
    ON_SALE,
    OWNED,
    CarrierMisfortune,
)
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


def port_request() -> PortRequest:
    return PortRequest("cp-port-0001", ELSEWHERE, account="A-1234", postcode="LS1 1AA")


@pytest.mark.parametrize("resubmits", ["", "named"])
@pytest.mark.parametrize("step", ["updatePort", "confirmPort"])
async def test_a_draft_that_was_left_behind_is_completed(
    stage: TelnyxStage, step: str, resubmits: str
) -> None:
    """A port is three writes. One that was lost leaves a draft, which is shown as something to put
    right, and completed when it is asked for again, by its id or its reference: there is one port.
    """
    stage.world.faults.add(FaultRule(Effect.DROP_BEFORE, (step,), times=1))
    with pytest.raises(OutcomeUnknown):
        await stage.provider.port_in(port_request())
    found = (await stage.provider.find_port(port_request())).row
    assert found is not None
    assert found.state is PortState.CORRECTABLE
    assert "never confirmed" in found.detail
    completing = dataclasses.replace(port_request(), resubmits=resubmits and found.port_id)
    port = await stage.provider.port_in(completing)
    assert (port.port_id, port.state) == (found.port_id, PortState.PENDING)
    assert list(stage.account.ports) == [port.port_id]


async def test_a_corrected_port_stays_the_same_one(stage: TelnyxStage) -> None:
    port = await stage.provider.port_in(port_request())
    stage.port_is_refused(port.port_id, "POSTAL_CODE_MISMATCH: the postcode does not match")
    found = (await stage.provider.find_port(port_request())).row
    assert found is not None
    assert (found.state, found.code) == (PortState.CORRECTABLE, "POSTAL_CODE_MISMATCH")
    corrected = dataclasses.replace(port_request(), postcode="LS1 2BB", resubmits=port.port_id)
    assert (await stage.provider.port_in(corrected)).port_id == port.port_id
    assert list(stage.account.ports) == [port.port_id]


async def test_tags_of_others_are_kept(stage: TelnyxStage) -> None:
    stage.portal.change_attribute(OWNED[0].text, "tags", ["site-leeds", "callplane:before"])
    await stage.provider.set_route(OWNED[0], stage.route, marker=MARKER)
    row = stage.world.stock.get(OWNED[0].text)
    assert row is not None
    assert row.attributes["tags"] == ["site-leeds", f"callplane:{MARKER}"]
    shown = (await stage.provider.read_number(OWNED[0])).row
    assert shown is not None
    assert shown.marker == MARKER


async def test_a_known_address_is_used_again(stage: TelnyxStage) -> None:
    for number in OWNED[:2]:
        await stage.provider.set_emergency_address(number, ADDRESS)
    assert len(stage.account.shelf("addresses")) == 1


async def test_a_route_to_nowhere_names_the_trunk(stage: TelnyxStage) -> None:
    with pytest.raises(CarrierRefused) as caught:
        await stage.provider.set_route(OWNED[0], TrunkRoute(trunk="404"), marker=MARKER)
    assert caught.value.obstacle is Obstacle.TRUNK_UNKNOWN


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("requirement-info-pending", CarrierNumberState.PENDING),
        ("port-out-pending", CarrierNumberState.LEAVING),
        ("emergency-only", CarrierNumberState.BLOCKED),
        ("frobnicated", CarrierNumberState.UNKNOWN),
    ],
)
async def test_a_state_is_read_in_the_carriers_word(
    stage: TelnyxStage, word: str, state: CarrierNumberState
) -> None:
    stage.portal.set_state(OWNED[0].text, word)
    row = (await stage.provider.read_number(OWNED[0])).row
    assert row is not None
    assert (row.state, row.state_text) == (state, word)


async def test_a_number_that_left_is_not_ours_and_not_counted(stage: TelnyxStage) -> None:
    stage.portal.set_state(OWNED[0].text, "ported-out")
    assert (await stage.provider.read_number(OWNED[0])).row is None
    (page,) = [page async for page in stage.provider.list_pages()]
    assert ([row.number for row in page.rows], page.total) == (list(OWNED[1:]), 2)


async def test_the_sdk_logs_no_number(stage: TelnyxStage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await stage.provider.read_number(OWNED[0])
    # The simulator's own server logs what it is asked, as a stranger's would.
    ours = [each for each in caplog.records if not each.name.startswith("uvicorn")]
    text = " ".join(each.getMessage() for each in ours)
    assert OWNED[0].text[1:] not in text
    assert DEFAULT_SECRET not in text


async def test_an_order_names_the_approved_documents(stage: TelnyxStage) -> None:
    group = {
        "country_code": "GB",
        "phone_number_type": "local",
        "action": "ordering",
        "status": "approved",
    }
    shelf = stage.account.shelf("requirement_groups")
    shelf["1"] = {**group, "id": "1", "status": "declined"}
    shelf["2"] = {**group, "id": "2", "phone_number_type": "mobile"}
    shelf["3"] = {**group, "id": "3"}
    shelf["4"] = {**group, "id": "4", "customer_reference": "callplane GB local"}
    await stage.provider.order(OrderRequest("cp-order-1", ON_SALE[0]))
    (order,) = stage.account.orders.values()
    assert order.terms["phone_numbers"] == [
        {"phone_number": ON_SALE[0].text, "requirement_group_id": "4"}
    ]


async def test_nothing_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, stage: TelnyxStage
) -> None:
    """The SDK would sign in as somebody else, and elsewhere."""
    for name in ("API_KEY", "PUBLIC_KEY", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"TELNYX_{name}", "somebody-else")
    monkeypatch.setenv("TELNYX_BASE_URL", "http://127.0.0.1:9/v2")
    monkeypatch.setenv("TELNYX_CUSTOM_HEADERS", "Authorization: Bearer somebody-else")
    provider = provider_of(stage.running, stage.clock)
    assert (await provider.read_number(OWNED[0])).row is not None
    await provider.close()


async def test_a_page_that_skips_numbers_ends_no_listing(stage: TelnyxStage) -> None:
    stage.world.faults.add(FaultRule(Effect.LISTING_SKIP, ("listNumbers",)))
    with pytest.raises(Unavailable, match="of 3 numbers are missing"):
        [page async for page in stage.provider.list_pages()]


async def test_an_sdk_left_to_itself_would_be_caught(stage: TelnyxStage) -> None:
    """The guard taken out: with the SDK's own retries the order is sent again, and the promise of
    the contract is broken: a refusal in place of an unknown outcome.
    """
    provider = stage.provider
    assert isinstance(provider, TelnyxProvider)
    provider._client._sdk = provider._client._sdk.with_options(max_retries=1)
    with pytest.raises(CarrierRefused):
        await TestTelnyxProvider().test_an_order_whose_answer_is_lost_is_found_again(
            stage, CarrierMisfortune.FAILED_AFTER
        )
    assert stage.attempts() == 2
