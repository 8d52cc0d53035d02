"""The carrier contract: route, emergency address and deletion lock of a number."""

from __future__ import annotations

import pytest

from callplane.errors import OutcomeUnknown
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierRefused,
)
from callplane.resources.carriers import (
    NOT_SHOWN,
    EmergencyAddress,
    Obstacle,
)
from callplane.testing.carrier_contract.asking import (
    FIRST,
    WANTED,
    needs,
    row_of,
    settle,
)
from callplane.testing.carrier_stage import (
    ADDRESS,
    MARKER,
    OWNED,
    CarrierMisfortune,
    CarrierStage,
)


class CarrierSettingContract:
    """Route, emergency address, deletion lock."""

    @needs(CarrierAction.ROUTE)
    async def test_a_number_is_pointed_at_the_trunk(self, stage: CarrierStage) -> None:
        await stage.provider.set_route(FIRST, stage.route, marker=MARKER)
        settle(stage)
        row = await row_of(stage, FIRST)
        assert row.route == stage.provider.canonical_route(stage.route)
        assert row.marker in (MARKER, NOT_SHOWN)
        assert (await row_of(stage, OWNED[1])).route != row.route
        assert stage.attempts() >= 1

    @needs(CarrierAction.ROUTE)
    async def test_a_route_of_a_number_that_is_not_ours_is_refused(
        self, stage: CarrierStage
    ) -> None:
        with pytest.raises(CarrierRefused) as caught:
            await stage.provider.set_route(WANTED, stage.route, marker=MARKER)
        assert caught.value.obstacle is Obstacle.NOT_OURS

    @needs(CarrierAction.ROUTE)
    async def test_a_route_whose_answer_is_lost_is_unknown(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.set_route(FIRST, stage.route, marker=MARKER)
        assert stage.attempts() == 1

    @needs(CarrierAction.EMERGENCY_ADDRESS)
    async def test_an_emergency_address_is_set(self, stage: CarrierStage) -> None:
        assert (await row_of(stage, FIRST)).emergency_address is None
        await stage.provider.set_emergency_address(FIRST, ADDRESS)
        settle(stage)
        held = (await row_of(stage, FIRST)).emergency_address
        assert held == stage.provider.canonical_address(ADDRESS)
        assert isinstance(held, EmergencyAddress)
        assert held.postcode.replace(" ", "") == ADDRESS.postcode.replace(" ", "")

    @needs(CarrierAction.EMERGENCY_ADDRESS)
    async def test_a_canonical_address_stays_as_it_is(self, stage: CarrierStage) -> None:
        once = stage.provider.canonical_address(ADDRESS)
        assert stage.provider.canonical_address(once) == once

    @needs(CarrierAction.EMERGENCY_ADDRESS)
    async def test_a_bad_address_is_refused_and_not_cut(self, stage: CarrierStage) -> None:
        long = EmergencyAddress(street="Long " * 80, town="London", postcode="SW1A 1AA")
        without = EmergencyAddress(street="Sample Street", town="London", postcode="")
        for address in (long, without):
            with pytest.raises(CarrierRefused) as caught:
                stage.provider.canonical_address(address)
            assert caught.value.obstacle is Obstacle.ADDRESS_REFUSED
        assert stage.attempts() == 0

    @needs(CarrierAction.EMERGENCY_ADDRESS, condition="address_detachable")
    async def test_an_emergency_address_is_detached(self, stage: CarrierStage) -> None:
        await stage.provider.set_emergency_address(FIRST, ADDRESS)
        await stage.provider.set_emergency_address(FIRST, None)
        settle(stage)
        assert (await row_of(stage, FIRST)).emergency_address is None

    @needs(CarrierAction.DELETION_LOCK, CarrierAction.RELEASE)
    async def test_a_locked_number_is_not_released(self, stage: CarrierStage) -> None:
        await stage.provider.set_deletion_lock(FIRST, locked=True)
        settle(stage)
        assert (await row_of(stage, FIRST)).deletion_locked is True
        with pytest.raises(CarrierRefused) as caught:
            await stage.provider.release(FIRST)
        assert caught.value.obstacle is Obstacle.DELETION_LOCKED
        assert stage.owns(FIRST)
        await stage.provider.set_deletion_lock(FIRST, locked=False)
        settle(stage)
        assert (await row_of(stage, FIRST)).deletion_locked is False
