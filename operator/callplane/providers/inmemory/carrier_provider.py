"""The in-memory carrier: the protocol of `providers.carrier_protocol` over a `CarrierWorld`."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Any

from callplane.clock import Clock
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.providers.inmemory.carrier_world import CURRENCY, CarrierCall, CarrierWorld, Strike
from callplane.providers.protocol import Observed, Unavailable, Unsupported
from callplane.resources.carriers import (
    NOT_SHOWN,
    Balance,
    EmergencyAddress,
    NumberOffer,
    NumberOnCarrier,
    NumberOrder,
    NumberSearch,
    Obstacle,
    OrderRequest,
    PortIn,
    PortRequest,
    Price,
    TrunkRoute,
)
from callplane.values import E164, ConnectionId

DEFAULT_PAGE_ROWS = 250
LONGEST_STREET_CHARACTERS = 60


class InMemoryCarrier:
    """One account in one `CarrierWorld`; its journal says what was asked of it."""

    def __init__(
        self,
        connection: ConnectionId,
        world: CarrierWorld,
        *,
        clock: Clock,
        page_rows: int = DEFAULT_PAGE_ROWS,
        unsupported: Mapping[CarrierAction, Unsupported] | None = None,
    ) -> None:
        self.connection = connection
        self.world = world
        self.capabilities = CarrierCapabilities(
            read_after_write_lag_seconds=world.read_lag_seconds,
            unsupported=unsupported or {},
            order_lookup=(
                OrderLookup.BY_REFERENCE if world.keeps_references else OrderLookup.BY_NUMBER
            ),
            # A carrier that keeps no reference sells at once: there is no order to come back to.
            orders_pend=world.keeps_references,
            offers_show_prices=True,
        )
        self._clock = clock
        self._page_rows = page_rows
        self._closed = False

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        if route.foreign:
            raise CarrierRefused(Obstacle.OTHER, "a route of others cannot be set")
        return route

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        if not address.postcode.strip():
            raise CarrierRefused(Obstacle.ADDRESS_REFUSED, "the postcode is missing")
        if len(address.street) > LONGEST_STREET_CHARACTERS:
            raise CarrierRefused(
                Obstacle.ADDRESS_REFUSED,
                f"the street is longer than {LONGEST_STREET_CHARACTERS} characters",
            )
        return dataclasses.replace(address, postcode=address.postcode.upper())

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        strike = await self._arrive("list_pages", "") or Strike("")
        numbers = () if strike.empties else tuple(sorted(self.world.owned))
        for page, start in enumerate(range(0, max(len(numbers), 1), self._page_rows)):
            if page >= strike.after_pages and strike.error is not None:
                raise strike.error
            observed_at = self._clock.monotonic()
            chosen = numbers[start : start + self._page_rows]
            rows = (self.world.seen(number, observed_at) for number in chosen)
            hidden: dict[str, Any] = dict.fromkeys(self.world.listing_hides, NOT_SHOWN)
            yield NumberPage(
                tuple(dataclasses.replace(row, **hidden) for row in rows if row is not None),
                observed_at,
                last=start + self._page_rows >= len(numbers),
                bad_rows=strike.bad_rows if page == 0 else 0,
                total=len(numbers),
            )
            await asyncio.sleep(0)

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = await self._read("read_number", number.text)
        return Observed(self.world.seen(number, observed_at), observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = await self._read("read_balance", "")
        return Observed(Balance(Price(self.world.balance_micros, CURRENCY)), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        await self._read("search", search.prefix)
        offers = self.world.on_sale
        fitting = (n for n in sorted(offers) if n.text[1:].startswith(search.prefix))
        return tuple(offers[number] for number in fitting)[: search.count]

    async def order(self, request: OrderRequest) -> NumberOrder:
        strike = await self._write("order", request.number)
        order = self.world.order(request, self._clock.monotonic())
        _raise_for(strike)
        return order

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = await self._read("find_order", request.reference)
        return Observed(self.world.find_order(request, observed_at), observed_at)

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        strike = await self._write("set_route", number)
        trunks = self.world.trunks
        self.world.mine(number)
        if trunks is not None and route.trunk not in trunks:
            raise CarrierRefused(Obstacle.TRUNK_UNKNOWN, f"there is no trunk {route.trunk}")
        self.world.change(number, route=route, marker=marker)
        _raise_for(strike)

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        strike = await self._write("set_emergency_address", number)
        self.world.mine(number)
        held = None if address is None else self.canonical_address(address)
        self.world.change(number, emergency_address=held)
        _raise_for(strike)

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        strike = await self._write("set_deletion_lock", number)
        self.world.mine(number)
        self.world.change(number, deletion_locked=locked)
        _raise_for(strike)

    async def port_in(self, request: PortRequest) -> PortIn:
        strike = await self._write("port_in", request.number)
        port = self.world.port(request)
        _raise_for(strike)
        return port

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        observed_at = await self._read("find_port", request.reference)
        return Observed(self.world.find_port(request), observed_at)

    async def release(self, number: E164) -> None:
        strike = await self._write("release", number)
        self.world.release(number)
        _raise_for(strike)

    async def close(self) -> None:
        self._closed = True

    async def _arrive(self, name: str, subject: str, *, is_write: bool = False) -> Strike | None:
        if self._closed:
            raise Unavailable(f"the connection of {self.connection} is closed")
        await asyncio.sleep(0)
        return self.world.arrive(CarrierCall(name, subject, is_write), self._clock.monotonic())

    async def _read(self, name: str, subject: str) -> float:
        observed_at = self._clock.monotonic()
        _raise_for(await self._arrive(name, subject))
        return observed_at

    async def _write(self, name: str, number: E164) -> Strike | None:
        """What is to go wrong after the write; raises what goes wrong before it."""
        strike = await self._arrive(name, number.text, is_write=True)
        if strike is not None and not strike.committed:
            _raise_for(strike)
        return strike


def _raise_for(strike: Strike | None) -> None:
    if strike is not None and strike.error is not None:
        raise strike.error
