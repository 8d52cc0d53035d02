"""The carrier contract: orders are placed once, found again, and refused in plain words."""

from __future__ import annotations

import pytest

from callplane.errors import OutcomeUnknown
from callplane.providers.carrier_protocol import (
    CarrierAction,
)
from callplane.providers.protocol import Throttled, Unavailable
from callplane.resources.carriers import (
    CarrierNumberState,
    Obstacle,
    OrderState,
)
from callplane.testing.carrier_contract.asking import (
    A_MONTH_SECONDS,
    REFERENCE,
    WANTED,
    needs,
    offered,
    refusal,
    request_for,
    row_of,
    settle,
)
from callplane.testing.carrier_stage import (
    ON_SALE,
    RETRY_AFTER_SECONDS,
    CarrierMisfortune,
    CarrierStage,
)


class CarrierOrderContract:
    """Buying: once, found again, with the carrier's own words when it says no."""

    @needs(CarrierAction.ORDER)
    async def test_an_order_buys_the_number_once(self, stage: CarrierStage) -> None:
        request = await offered(stage)
        order = await stage.provider.order(request)
        assert (order.reference, order.number) == (REFERENCE, WANTED)
        assert order.state in (OrderState.PENDING, OrderState.ACCEPTED)
        settle(stage)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert found.state is OrderState.ACCEPTED
        assert stage.owns(WANTED)
        assert (stage.purchases(WANTED), stage.attempts()) == (1, 1)
        assert (await row_of(stage, WANTED)).state is CarrierNumberState.ACTIVE

    @needs(CarrierAction.ORDER)
    async def test_an_order_needs_no_fresh_offer(self, stage: CarrierStage) -> None:
        """After a restart the engine knows the number and no handle any more."""
        await stage.provider.order(request_for(WANTED, stage))
        settle(stage)
        assert stage.purchases(WANTED) == 1

    @needs(CarrierAction.ORDER)
    async def test_an_order_never_sent_is_not_found(self, stage: CarrierStage) -> None:
        assert (await stage.provider.find_order(request_for(WANTED, stage))).row is None

    @needs(CarrierAction.ORDER)
    async def test_an_order_that_cannot_be_looked_for_is_unknown(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.READS_CUT)
        with pytest.raises(Unavailable):
            await stage.provider.find_order(request_for(WANTED, stage))

    @pytest.mark.parametrize(
        "misfortune", [CarrierMisfortune.ANSWER_LOST, CarrierMisfortune.FAILED_AFTER]
    )
    @needs(CarrierAction.ORDER)
    async def test_an_order_whose_answer_is_lost_is_found_again(
        self, stage: CarrierStage, misfortune: CarrierMisfortune
    ) -> None:
        request = await offered(stage)
        stage.strike(misfortune)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.order(request)
        settle(stage)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert found.state is OrderState.ACCEPTED
        assert (stage.purchases(WANTED), stage.attempts()) == (1, 1)

    @needs(CarrierAction.ORDER)
    async def test_an_order_that_is_lost_on_its_way_was_not_placed(
        self, stage: CarrierStage
    ) -> None:
        request = await offered(stage)
        # A connection that was in use before is the one that clients like to repeat on.
        stage.strike(CarrierMisfortune.REQUEST_LOST)
        with pytest.raises(OutcomeUnknown):
            await stage.provider.order(request)
        settle(stage)
        assert (await stage.provider.find_order(request)).row is None
        assert (stage.purchases(WANTED), stage.attempts()) == (0, 1)

    @needs(CarrierAction.ORDER)
    async def test_a_throttled_order_was_not_placed(self, stage: CarrierStage) -> None:
        request = await offered(stage)
        stage.strike(CarrierMisfortune.WRITE_THROTTLED)
        with pytest.raises(Throttled) as caught:
            await stage.provider.order(request)
        assert caught.value.retry_after_seconds == RETRY_AFTER_SECONDS
        assert (stage.purchases(WANTED), stage.attempts()) == (0, 1)

    @needs(CarrierAction.ORDER)
    async def test_a_number_that_was_sold_meanwhile_is_taken(self, stage: CarrierStage) -> None:
        request = await offered(stage)
        stage.sell(WANTED)
        refused = await refusal(stage, request)
        assert refused.obstacle is Obstacle.NUMBER_TAKEN
        assert str(refused)
        assert not stage.owns(WANTED)

    @needs(CarrierAction.ORDER)
    async def test_an_empty_balance_has_its_own_reason(self, stage: CarrierStage) -> None:
        request = await offered(stage)
        stage.empty_the_balance()
        refused = await refusal(stage, request)
        assert refused.obstacle is Obstacle.BALANCE_TOO_LOW
        assert stage.purchases(WANTED) == 0

    @needs(CarrierAction.ORDER, condition="orders_pend")
    async def test_an_order_pends_and_is_accepted(self, stage: CarrierStage) -> None:
        stage.orders_take(A_MONTH_SECONDS)
        request = await offered(stage)
        assert (await stage.provider.order(request)).state is OrderState.PENDING
        settle(stage)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert found.state is OrderState.PENDING
        stage.clock.advance(A_MONTH_SECONDS)
        settle(stage)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert found.state is OrderState.ACCEPTED
        assert stage.purchases(WANTED) == 1

    @needs(CarrierAction.ORDER, condition="orders_pend")
    async def test_paperwork_is_awaited_and_accepted(self, stage: CarrierStage) -> None:
        stage.orders_need_paperwork()
        request = await offered(stage)
        order = await stage.provider.order(request)
        assert order.state is OrderState.PENDING
        stage.clock.advance(A_MONTH_SECONDS)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert (found.state, found.obstacle) == (OrderState.PENDING, Obstacle.PAPERWORK)
        assert found.detail
        stage.approve(REFERENCE)
        settle(stage)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert found.state is OrderState.ACCEPTED

    @needs(CarrierAction.ORDER, condition="orders_pend")
    async def test_rejected_paperwork_keeps_the_carriers_words(self, stage: CarrierStage) -> None:
        stage.orders_need_paperwork()
        request = await offered(stage)
        await stage.provider.order(request)
        stage.reject(REFERENCE, "The proof of address is too old.")
        settle(stage)
        found = (await stage.provider.find_order(request)).row
        assert found is not None
        assert found.state is OrderState.REJECTED
        assert "proof of address is too old" in found.detail
        assert not stage.owns(WANTED)

    @needs(CarrierAction.ORDER, condition="by_reference")
    async def test_another_reference_is_another_order(self, stage: CarrierStage) -> None:
        await stage.provider.order(request_for(WANTED, stage))
        settle(stage)
        other = request_for(ON_SALE[4], stage, "cp-order-0002")
        assert (await stage.provider.find_order(other)).row is None
