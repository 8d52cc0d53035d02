"""One DIDWW account behind the carrier protocol.

An order pends and is found by the reference that we give it. Papers concern the number: it is
bought, it is ours, and it awaits its registration until somebody at DIDWW has looked at an address.
Such an order reads as pending for paperwork, and stays so while papers are turned down, because the
number does not go away and can be registered with better ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from callplane.clock import Clock
from callplane.errors import scrub
from callplane.providers import carrier_rows
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.providers.didww import mapping
from callplane.providers.didww.client import DidwwClient, Said
from callplane.providers.protocol import (
    Observed,
    PermissionMissing,
    ProviderError,
    Unavailable,
    Unsupported,
)
from callplane.resources.carriers import (
    Balance,
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

PAGE_ROWS: Final = 100
CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=5.0,
    unsupported={
        CarrierAction.EMERGENCY_ADDRESS: Unsupported(
            "DIDWW's emergency calling is a service with identities and papers of its own",
            "order the emergency calling service for the number in DIDWW's portal",
        ),
        CarrierAction.DELETION_LOCK: Unsupported(
            "DIDWW has no lock against deletion",
            "keep the account's API key to this operator alone",
        ),
        CarrierAction.PORT_IN: Unsupported(
            "DIDWW does not describe porting in its interface",
            "ask DIDWW's support for a port; the number is adopted when it has arrived",
        ),
    },
    order_lookup=OrderLookup.BY_REFERENCE,
    orders_pend=True,
    offers_show_prices=True,
    limits={"page_rows": float(PAGE_ROWS), "requests_per_second": 20.0},
)
_NOT_ENABLED: Final = "DIDWW lets an account choose single numbers when its support was asked to"
_AWAITED: Final = "the number awaits its registration: submit an address for it"


class DidwwProvider:
    """See `providers.carrier_protocol` for what each method promises."""

    def __init__(self, account: str, *, client: DidwwClient, clock: Clock) -> None:
        self.connection = ConnectionId("didww", account)
        self.capabilities = CAPABILITIES
        self._client = client
        self._clock = clock

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        return mapping.canonical_route(route)

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        raise self.capabilities.refusal(CarrierAction.EMERGENCY_ADDRESS)

    # Reading

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        pages = carrier_rows.counted_pages(
            lambda page: self._client.page(
                "listNumbers", "dids", mapping.INCLUDED, number=page, size=PAGE_ROWS
            ),
            is_ours=mapping.is_ours,
            listed=mapping.listed,
            clock=self._clock,
        )
        async for page in pages:
            yield page

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = self._clock.monotonic()
        row = await self._owned(number)
        return Observed(mapping.listed(row) if row is not None else None, observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = self._clock.monotonic()
        said = await self._client.read("getBalance", "balance")
        try:
            shown = mapping.attributes(said.document["data"])
            spendable = Price.from_decimal(str(shown["total_balance"]), mapping.CURRENCY)
        except (AttributeError, KeyError, ValueError) as error:
            raise Unavailable(f"getBalance: the answer is not understood ({said.said})") from error
        return Observed(Balance(spendable), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        if not search.prefix:
            raise CarrierRefused(Obstacle.OTHER, "DIDWW is searched by leading digits: state some")
        fitting = [
            (number, row)
            for number, row in await self._on_sale(search.prefix)
            if number.text[1:].startswith(search.prefix)
        ]
        chosen = sorted(fitting, key=lambda each: each[0])[: search.count]
        skus: dict[str, Mapping[str, Any] | None] = {}
        offers = []
        for _, row in chosen:
            group = _group_of(row)
            if group not in skus:
                skus[group] = await self._sku(group)
            offers.append(mapping.offer(row, skus[group]))
        return tuple(offers)

    # Buying and giving back

    async def order(self, request: OrderRequest) -> NumberOrder:
        handle = request.offer or await self._handle(request.number)
        available, _, sku = handle.partition("/")
        if not available or not sku:
            raise CarrierRefused(Obstacle.NUMBER_TAKEN, "the number is not on sale")
        resource = mapping.order_resource(request, available, sku)
        said = await self._client.write("createOrder", "POST", "orders", resource)
        if not said.is_yes:
            raise CarrierRefused(
                await self._obstacle(request.number, said), said.said, code=said.code
            )
        row = said.document.get("data")
        order = mapping.order(request, row if isinstance(row, Mapping) else {})
        if order.state is OrderState.REJECTED:
            obstacle = await self._obstacle(request.number, said)
            raise CarrierRefused(obstacle, order.detail or "the order was cancelled at once")
        try:
            return await self._with_papers(order)
        except ProviderError:
            # It is bought; what became of its papers, the next look tells.
            return order

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = self._clock.monotonic()
        query = {"filter[external_reference_id]": request.reference}
        rows, _ = await self._client.page("findOrder", "orders", query, number=1, size=PAGE_ROWS)
        ours = [
            row
            for row in rows
            if mapping.attributes(row).get("external_reference_id") == request.reference
        ]
        if ours:
            # One that came through counts more than one that failed before it.
            rank = {OrderState.ACCEPTED: 2, OrderState.PENDING: 1}
            found = [mapping.order(request, row) for row in ours]
            best = max(found, key=lambda each: rank.get(each.state, 0))
            return Observed(await self._with_papers(best), observed_at)
        if await self._owned(request.number) is None:
            return Observed(None, observed_at)
        bought = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        return Observed(await self._with_papers(bought), observed_at)

    async def release(self, number: E164) -> None:
        row = await self._required(number)
        await self._update("releaseNumber", row, {"terminated": True})

    # Settings

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        wanted = self.canonical_route(route)
        row = await self._required(number)
        description = str(mapping.attributes(row).get("description") or "")
        marks = {"description": marker} if mapping.may_describe(description) else {}
        await self._update("updateNumber", row, marks, mapping.route_links(wanted))

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        raise self.capabilities.refusal(CarrierAction.EMERGENCY_ADDRESS)

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        raise self.capabilities.refusal(CarrierAction.DELETION_LOCK)

    # Porting in

    async def port_in(self, request: PortRequest) -> PortIn:
        raise self.capabilities.refusal(CarrierAction.PORT_IN)

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        raise self.capabilities.refusal(CarrierAction.PORT_IN)

    async def close(self) -> None:
        await self._client.close()

    # Ways that several of them share

    async def _owned(self, number: E164) -> Mapping[str, Any] | None:
        """The number as it is in the account; None only where the answer leaves no doubt."""
        query = {"filter[number]": number.text[1:], **mapping.INCLUDED}
        rows, total = await self._client.page("getNumber", "dids", query, number=1, size=PAGE_ROWS)
        for row in rows:
            shown = str(mapping.attributes(row).get("number"))
            if shown.removeprefix("+") == number.text[1:] and mapping.is_ours(row):
                return row
        if total > len(rows):
            raise Unavailable("getNumber: too many numbers fit")
        return None

    async def _required(self, number: E164) -> Mapping[str, Any]:
        row = await self._owned(number)
        if row is None:
            raise CarrierRefused(Obstacle.NOT_OURS, "the number is not in the account")
        return row

    async def _update(
        self,
        operation: str,
        row: Mapping[str, Any],
        attributes: Mapping[str, Any],
        relationships: Mapping[str, Any] | None = None,
    ) -> None:
        key = str(row["id"])
        resource: dict[str, Any] = {"id": key, "type": "dids", "attributes": dict(attributes)}
        if relationships:
            resource["relationships"] = dict(relationships)
        said = await self._client.write(operation, "PATCH", f"dids/{key}", resource)
        if said.is_yes:
            return
        obstacle = Obstacle.NOT_OURS if said.status == 404 else Obstacle.OTHER
        if any("voice_in_trunk" in pointer for pointer in said.pointers):
            obstacle = Obstacle.TRUNK_UNKNOWN
        raise CarrierRefused(obstacle, said.said, code=said.code)

    async def _on_sale(self, digits: str) -> list[tuple[E164, Mapping[str, Any]]]:
        """Numbers on sale that hold these digits, some of them where there are many; rows that
        cannot be read are none. There are no pages and there is no order.
        """
        query = {"filter[number_contains]": digits, "include": "did_group"}
        try:
            said = await self._client.read("searchNumbers", "available_dids", query)
        except PermissionMissing as error:
            # The key is good for everything else, so this concerns no more than the search.
            raise CarrierRefused(Obstacle.OTHER, f"{_NOT_ENABLED} ({error})") from error
        rows = said.document.get("data")
        if not said.is_yes or not isinstance(rows, list):
            raise Unavailable(f"searchNumbers: {said.said or 'the answer is not understood'}")
        found = []
        for row in rows:
            try:
                found.append((mapping.number_of(row), row))
            except (AttributeError, KeyError, ValueError):
                continue
        return found

    async def _sku(self, group: str) -> Mapping[str, Any] | None:
        query = {"include": "stock_keeping_units"}
        said = await self._client.read("getGroup", f"did_groups/{group}", query)
        if not said.is_yes:
            raise Unavailable(f"getGroup: {said.said}")
        return mapping.cheapest(said.document)

    async def _handle(self, number: E164) -> str:
        """What buys this number, empty when it is not on sale."""
        for found, row in await self._on_sale(number.text[1:]):
            if found == number:
                return mapping.offer(row, await self._sku(_group_of(row))).offer
        return ""

    async def _with_papers(self, order: NumberOrder) -> NumberOrder:
        """An order that came through, with what its number still waits for."""
        if order.state is not OrderState.ACCEPTED:
            return order
        row = await self._owned(order.number)
        if row is None or not mapping.attributes(row).get("awaiting_registration"):
            return order
        rows, _ = await self._client.page(
            "listVerifications",
            "address_verifications",
            {"filter[status]": "rejected", "include": "dids"},
            number=1,
            size=PAGE_ROWS,
        )
        detail = scrub(mapping.why_rejected(rows, str(row["id"]))) or _AWAITED
        return dataclasses.replace(
            order, state=OrderState.PENDING, detail=detail, obstacle=Obstacle.PAPERWORK
        )

    async def _obstacle(self, number: E164, said: Said) -> Obstacle:
        """Why an order was refused: by what it points at, else by looking."""
        if any(pointer.endswith("/available_did_id") for pointer in said.pointers):
            return Obstacle.NUMBER_TAKEN
        try:
            balance = (await self.read_balance()).row
            if balance is not None and balance.spendable.amount_micros <= 0:
                return Obstacle.BALANCE_TOO_LOW
            if not await self._handle(number):
                return Obstacle.NUMBER_TAKEN
        except ProviderError:
            return Obstacle.OTHER
        return Obstacle.OTHER


def _group_of(row: Mapping[str, Any]) -> str:
    found = mapping.link(row, "did_group")
    if not isinstance(found, Mapping):
        raise Unavailable("searchNumbers: the answer tells no group")
    return str(found.get("id"))
