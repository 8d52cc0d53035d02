"""A carrier that we cannot ask keeps the few promises that are left, each no with its reason."""

from __future__ import annotations

import pytest

from callplane.providers.bringyourown.provider import CAPABILITIES, REASON, BringYourOwnCarrier
from callplane.providers.carrier_protocol import CarrierAction, CarrierRefused
from callplane.resources.carriers import NumberSearch, OrderRequest, TrunkRoute
from callplane.testing.carrier_contract import CarrierContract, left_out_lines
from callplane.testing.carrier_stage import ADDRESS, MARKER, OWNED
from callplane.testing.manual_clock import ManualClock

ROUTE = TrunkRoute("sbc")


class Stage:
    """Nothing behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.provider = BringYourOwnCarrier("acme-voice")
        self.route = ROUTE

    def attempts(self) -> int:
        return 0


@pytest.fixture
def stage() -> Stage:
    return Stage()


class TestBringYourOwn(CarrierContract, capabilities=CAPABILITIES):
    """What is left."""


def test_every_action_has_a_reason_and_a_manual_step() -> None:
    assert set(CAPABILITIES.unsupported) == set(CarrierAction)
    assert any(REASON in line for line in left_out_lines() if line.startswith("TestBringYourOwn"))


async def test_whatever_is_asked_is_refused_with_the_reason(stage: Stage) -> None:
    provider = stage.provider
    asked = (
        provider.read_number(OWNED[0]),
        provider.read_balance(),
        provider.search(NumberSearch()),
        provider.order(OrderRequest("cp-1", OWNED[0])),
        provider.set_route(OWNED[0], ROUTE, marker=MARKER),
        provider.set_emergency_address(OWNED[0], ADDRESS),
        provider.release(OWNED[0]),
    )
    for call in asked:
        with pytest.raises(CarrierRefused, match="customer's own"):
            await call
