"""One Pigeon Post account behind the carrier protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from pigeon.client import PigeonClient, Said

from callplane.clock import Clock
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.providers.protocol import Observed, Unavailable, Unsupported
from callplane.resources.carriers import (
    Balance,
    CarrierNumberState,
    EmergencyAddress,
    NumberOffer,
    NumberOnCarrier,
    NumberOrder,
    NumberSearch,
    Obstacle,
    OrderRequest,
    OrderState,
    PortIn,
    PortRequest,
    Price,
    TrunkRoute,
)
from callplane.values import E164, ConnectionId

_BY_LETTER: Final = Unsupported("a pigeon carries calls only", "write a letter to Pigeon Post")
CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=1.0,
    unsupported={
        CarrierAction.EMERGENCY_ADDRESS: _BY_LETTER,
        CarrierAction.DELETION_LOCK: _BY_LETTER,
        CarrierAction.PORT_IN: _BY_LETTER,
    },
    order_lookup=OrderLookup.BY_REFERENCE,
)
_OBSTACLES: Final = {
    "flown": Obstacle.NUMBER_TAKEN,
    "purse": Obstacle.BALANCE_TOO_LOW,
    "nest": Obstacle.NOT_OURS,
}
_STATES: Final = {"perched": CarrierNumberState.ACTIVE, "moulting": CarrierNumberState.BLOCKED}


class PigeonProvider:
    """See `providers.carrier_protocol` for what each method promises."""

    def __init__(self, account: str, *, client: PigeonClient, clock: Clock) -> None:
        self.connection = ConnectionId("pigeon", account)
        self.capabilities = CAPABILITIES
        self._client = client
        self._clock = clock

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        if route.foreign or len(route.endpoints) != 1:
            raise CarrierRefused(Obstacle.TRUNK_UNKNOWN, "a pigeon flies to one endpoint")
        return TrunkRoute(endpoints=route.endpoints)

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        raise _cannot()

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        following: str | None = ""
        while following is not None:
            observed_at = self._clock.monotonic()
            said = await self._client.read("listNumbers", "numbers", {"after": following})
            rows, following = said.document.get("numbers"), said.document.get("next")
            if not isinstance(rows, list) or "next" not in said.document:
                raise Unavailable("listNumbers: the answer is not understood")
            numbers, bad_rows = [], 0
            for row in rows:
                try:
                    numbers.append(_number(row))
                except (KeyError, TypeError, ValueError):
                    bad_rows += 1
            yield NumberPage(tuple(numbers), observed_at, following is None, bad_rows)

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = self._clock.monotonic()
        said = await self._client.read("getNumber", f"numbers/{number.text[1:]}")
        if said.code == "nest":
            return Observed(None, observed_at)
        return Observed(_number(_understood("getNumber", said)), observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = self._clock.monotonic()
        row = _understood("getBalance", await self._client.read("getBalance", "purse"))
        return Observed(Balance(Price.from_decimal(row["left"], row["coin"])), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        query = {"prefix": search.prefix, "count": str(search.count)}
        said = await self._client.read("searchNumbers", "market", query)
        found = _understood("searchNumbers", said)["numbers"]
        return tuple(sorted((NumberOffer(E164(f"+{each}")) for each in found), key=_by_number))

    async def order(self, request: OrderRequest) -> NumberOrder:
        body = {"number": request.number.text[1:]}
        _done(await self._client.write("buyNumber", "PUT", f"orders/{request.reference}", body))
        return NumberOrder(request.reference, request.number, OrderState.ACCEPTED)

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = self._clock.monotonic()
        bought = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        said = await self._client.read("getOrder", f"orders/{request.reference}")
        if not said.code:
            return Observed(bought, observed_at)
        row = (await self.read_number(request.number)).row
        return Observed(bought if row is not None else None, observed_at)

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        (endpoint,) = self.canonical_route(route).endpoints
        body = {"flies_to": endpoint, "ring": marker}
        path = f"numbers/{number.text[1:]}"
        _done(await self._client.write("updateNumber", "PATCH", path, body))

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        raise _cannot()

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        raise _cannot()

    async def port_in(self, request: PortRequest) -> PortIn:
        raise _cannot()

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        raise _cannot()

    async def release(self, number: E164) -> None:
        path = f"numbers/{number.text[1:]}"
        _done(await self._client.write("releaseNumber", "DELETE", path))

    async def close(self) -> None:
        await self._client.transport.close()


def _cannot() -> CarrierRefused:
    return CarrierRefused(Obstacle.OTHER, _BY_LETTER.reason)


def _by_number(offer: NumberOffer) -> E164:
    return offer.number


def _understood(operation: str, said: Said) -> Mapping[str, Any]:
    if said.code:
        raise Unavailable(f"{operation}: {said.words}")
    return said.document


def _done(said: Said) -> None:
    if said.code:
        obstacle = _OBSTACLES.get(said.code, Obstacle.OTHER)
        raise CarrierRefused(obstacle, said.words, code=said.code)


def _number(row: Mapping[str, Any]) -> NumberOnCarrier:
    """Raises ValueError or KeyError."""
    endpoint, state = row.get("flies_to"), str(row.get("state"))
    return NumberOnCarrier(
        E164(f"+{row['number']}"),
        _STATES.get(state, CarrierNumberState.UNKNOWN),
        state_text=state,
        route=TrunkRoute(endpoints=(endpoint,)) if isinstance(endpoint, str) else None,
        marker=str(row.get("ring") or ""),
    )
