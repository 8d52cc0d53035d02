"""The carrier protocol for a carrier that we cannot ask: everything is unsupported, with a reason.

Ranges and numbers may name such a carrier; who owns them stands in the manifests alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NoReturn

from callplane.apis.carriers import CarrierSpec
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    NumberPage,
)
from callplane.providers.protocol import Observed, Unsupported
from callplane.providers.registry import Ingredients
from callplane.resources.carriers import (
    Balance,
    EmergencyAddress,
    NumberOffer,
    NumberOnCarrier,
    NumberOrder,
    NumberSearch,
    OrderRequest,
    PortIn,
    PortRequest,
    TrunkRoute,
)
from callplane.values import E164, ConnectionId

REASON: Final = "the carrier is the customer's own; Callplane has no access to it"
_STEPS: Final = {
    CarrierAction.LIST: "state the numbers in a NumberRange or PhoneNumber",
    CarrierAction.BALANCE: "look in the carrier's own portal",
    CarrierAction.SEARCH: "ask the carrier which numbers it has",
    CarrierAction.ORDER: "order the number from the carrier, then declare it as Owned",
    CarrierAction.ROUTE: "have the carrier send the number's calls to your SBC",
    CarrierAction.EMERGENCY_ADDRESS: "give the address to the carrier",
    CarrierAction.DELETION_LOCK: "agree with the carrier who may give numbers back",
    CarrierAction.PORT_IN: "have the carrier port the number, then declare it as Owned",
    CarrierAction.RELEASE: "give the number back to the carrier, then delete its object",
}
CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=0.0,
    unsupported={action: Unsupported(REASON, step) for action, step in _STEPS.items()},
)


def create(ingredients: Ingredients) -> BringYourOwnCarrier:
    spec = ingredients.spec
    if not isinstance(spec, CarrierSpec):
        raise TypeError(f"this provider needs a CarrierSpec, not {type(spec).__name__}")
    return BringYourOwnCarrier(spec.account)


class BringYourOwnCarrier:
    """An account by name."""

    def __init__(self, account: str) -> None:
        self.connection = ConnectionId("bringyourown", account)
        self.capabilities = CAPABILITIES

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        return route

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        return address

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        _refuse(CarrierAction.LIST)
        yield

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        _refuse(CarrierAction.LIST)

    async def read_balance(self) -> Observed[Balance]:
        _refuse(CarrierAction.BALANCE)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        _refuse(CarrierAction.SEARCH)

    async def order(self, request: OrderRequest) -> NumberOrder:
        _refuse(CarrierAction.ORDER)

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        _refuse(CarrierAction.ORDER)

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        _refuse(CarrierAction.ROUTE)

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        _refuse(CarrierAction.EMERGENCY_ADDRESS)

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        _refuse(CarrierAction.DELETION_LOCK)

    async def port_in(self, request: PortRequest) -> PortIn:
        _refuse(CarrierAction.PORT_IN)

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        _refuse(CarrierAction.PORT_IN)

    async def release(self, number: E164) -> None:
        _refuse(CarrierAction.RELEASE)

    async def close(self) -> None:
        """There is nothing open."""


def _refuse(action: CarrierAction) -> NoReturn:
    raise CAPABILITIES.refusal(action)
