"""The carrier contract: numbers that come from elsewhere, numbers that are given back."""

from __future__ import annotations

import pytest

from callplane.errors import OutcomeUnknown
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierRefused,
)
from callplane.resources.carriers import (
    Obstacle,
    PortIn,
    PortRequest,
    PortState,
)
from callplane.testing.carrier_contract.asking import (
    FIRST,
    WANTED,
    needs,
    settle,
)
from callplane.testing.carrier_stage import (
    ELSEWHERE,
    OWNED,
    PORT_DAY,
    UNKNOWN_NUMBER,
    CarrierMisfortune,
    CarrierStage,
)


class CarrierLeavingContract:
    """Numbers that come from elsewhere, and numbers that are given back."""

    @needs(CarrierAction.RELEASE)
    async def test_a_number_is_given_back(self, stage: CarrierStage) -> None:
        await stage.provider.release(FIRST)
        settle(stage)
        assert (await stage.provider.read_number(FIRST)).row is None
        assert [stage.owns(number) for number in OWNED] == [False, True, True]
        assert stage.attempts() == 1

    @needs(CarrierAction.RELEASE)
    async def test_a_number_that_is_not_ours_is_not_given_back(self, stage: CarrierStage) -> None:
        for number in (WANTED, UNKNOWN_NUMBER):
            with pytest.raises(CarrierRefused) as caught:
                await stage.provider.release(number)
            assert caught.value.obstacle is Obstacle.NOT_OURS

    @needs(CarrierAction.RELEASE)
    async def test_a_release_without_an_answer_is_unknown(self, stage: CarrierStage) -> None:
        await stage.provider.read_number(FIRST)
        stage.strike(CarrierMisfortune.REQUEST_LOST)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.release(FIRST)
        assert stage.owns(FIRST)
        assert stage.attempts() == 1
        stage.strike(CarrierMisfortune.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.release(FIRST)
        assert not stage.owns(FIRST)

    def _port(self, stage: CarrierStage) -> PortRequest:
        return PortRequest(
            "cp-port-0001",
            ELSEWHERE,
            losing_carrier="001",
            losing_carrier_name="Northern Example Telecom",
            account="A-1234",
            postcode="LS1 1AA",
            contact_email="numbers@tenant.example",
        )

    async def _found(self, stage: CarrierStage) -> PortIn:
        found = (await stage.provider.find_port(self._port(stage))).row
        assert found is not None
        return found

    @needs(CarrierAction.PORT_IN)
    async def test_a_port_is_asked_for_dated_and_done(self, stage: CarrierStage) -> None:
        assert (await stage.provider.find_port(self._port(stage))).row is None
        port = await stage.provider.port_in(self._port(stage))
        assert port.state in (PortState.SUBMITTED, PortState.PENDING)
        assert port.port_id
        assert (await self._found(stage)).port_id == port.port_id
        stage.port_is_dated(port.port_id, PORT_DAY)
        assert (await self._found(stage)).due_on == PORT_DAY
        assert not stage.owns(ELSEWHERE)
        stage.port_is_done(port.port_id)
        settle(stage)
        assert (await self._found(stage)).state is PortState.DONE
        assert stage.owns(ELSEWHERE)

    @needs(CarrierAction.PORT_IN)
    async def test_a_port_that_is_refused_keeps_the_carriers_words(
        self, stage: CarrierStage
    ) -> None:
        port = await stage.provider.port_in(self._port(stage))
        stage.port_is_refused(port.port_id, "The postcode does not match.")
        found = await self._found(stage)
        assert found.state in (PortState.CORRECTABLE, PortState.REJECTED)
        assert "postcode does not match" in found.detail
        assert not stage.owns(ELSEWHERE)

    @needs(CarrierAction.PORT_IN)
    async def test_a_port_whose_answer_is_lost_is_found_again(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.ANSWER_LOST)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.port_in(self._port(stage))
        settle(stage)
        assert (await self._found(stage)).port_id
