"""The carrier contract: what concerns the whole account."""

from __future__ import annotations

from typing import ClassVar

import pytest

from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
)
from callplane.providers.protocol import AuthenticationFailed, ProviderError
from callplane.testing.carrier_contract.asking import (
    FIRST,
    WANTED,
    needs,
    pages_of,
    refusal,
    request_for,
)
from callplane.testing.carrier_stage import (
    CarrierMisfortune,
    CarrierStage,
)


class CarrierConnectionContract:
    """What concerns the whole account."""

    capabilities: ClassVar[CarrierCapabilities]

    def test_capabilities_are_stated_as_they_are(self, stage: CarrierStage) -> None:
        assert stage.provider.capabilities == self.capabilities
        for action, unsupported in self.capabilities.unsupported.items():
            assert unsupported.reason, action
            assert unsupported.manual_step, action

    @needs(CarrierAction.LIST)
    async def test_withdrawn_credentials_are_a_matter_of_the_connection(
        self, stage: CarrierStage
    ) -> None:
        await stage.provider.read_number(FIRST)
        stage.strike(CarrierMisfortune.CREDENTIALS_WITHDRAWN)
        with pytest.raises(AuthenticationFailed):
            await stage.provider.read_number(FIRST)
        with pytest.raises(AuthenticationFailed):
            await pages_of(stage)
        with pytest.raises(AuthenticationFailed):
            await stage.provider.release(FIRST)
        assert stage.owns(FIRST)

    @needs(CarrierAction.ORDER)
    async def test_no_number_shows_in_what_is_said(self, stage: CarrierStage) -> None:
        stage.sell(WANTED)
        text = str(await refusal(stage, request_for(WANTED, stage)))
        assert WANTED.text[1:] not in text
        assert WANTED.text[3:] not in text

    async def test_a_closed_provider_sends_nothing(self, stage: CarrierStage) -> None:
        await stage.provider.close()
        await stage.provider.close()
        with pytest.raises(ProviderError):
            await stage.provider.read_number(FIRST)
        with pytest.raises(ProviderError):
            await stage.provider.order(request_for(WANTED, stage))
        assert stage.attempts() == 0
