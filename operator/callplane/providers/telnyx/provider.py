"""One Telnyx account behind the carrier protocol.

An order pends, and its only key is the reference that we give it: Telnyx takes the same reference
twice for two orders. So an order is sent once and looked for by its reference. A porting order is
made in three steps (draft, details, confirmation); a draft that an interruption left behind is
found by the same reference and completed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from callplane.clock import Clock
from callplane.providers import carrier_rows
from callplane.providers.carrier_kinds import british_kind
from callplane.providers.carrier_protocol import (
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.providers.protocol import Observed, ProviderError, Unavailable
from callplane.providers.telnyx import mapping
from callplane.providers.telnyx.call_reports import TelnyxCallReports
from callplane.providers.telnyx.client import Call, No, TelnyxClient
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

PAGE_ROWS: Final = 250
SEARCH_ROWS: Final = 100
CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=5.0,
    order_lookup=OrderLookup.BY_REFERENCE,
    orders_pend=True,
    offers_show_prices=True,
    limits={"page_rows": float(PAGE_ROWS), "reservation_seconds": 1800.0, "job_numbers": 1000.0},
)


class TelnyxProvider:
    """See `providers.carrier_protocol` for what each method promises."""

    def __init__(self, account: str, *, client: TelnyxClient, clock: Clock) -> None:
        self.connection = ConnectionId("telnyx", account)
        self.capabilities = CAPABILITIES
        self._client = client
        self._clock = clock
        self.call_reports = TelnyxCallReports(client)

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        return mapping.canonical_route(route)

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        return mapping.canonical_address(address)

    # Reading

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        pages = carrier_rows.counted_pages(
            self._owned_page, is_ours=mapping.is_ours, listed=mapping.listed, clock=self._clock
        )
        async for page in pages:
            yield page

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = self._clock.monotonic()
        row = await self._owned(number)
        if row is None:
            return Observed(None, observed_at)
        shown = mapping.listed(row)
        if key := row.get("emergency_address_id"):
            address = await self._read_or_none(
                "getAddress", lambda sdk, name: sdk.addresses.retrieve(str(key), extra_headers=name)
            )
            shown = mapping.with_address(shown, address)
        return Observed(shown, observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = self._clock.monotonic()
        document = await self._read(
            "getBalance", lambda sdk, name: sdk.balance.retrieve(extra_headers=name)
        )
        try:
            row = document["data"]
            spendable = Price.from_decimal(str(row["available_credit"]), str(row["currency"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable("getBalance: the answer is not understood") from error
        return Observed(Balance(spendable), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        criteria: dict[str, Any] = {
            "country_code": search.country,
            "features": ["voice"],
            "limit": max(search.count, SEARCH_ROWS),
        }
        if search.prefix:
            # It is not said whether a beginning is with or without the country code.
            criteria["phone_number"] = {"contains": search.prefix}
        if kind := mapping.KINDS.get(search.kind):
            criteria["phone_number_type"] = kind
        document = await self._read(
            "searchNumbers",
            lambda sdk, name: sdk.available_phone_numbers.list(
                filter=criteria,  # type: ignore[arg-type]
                extra_headers=name,
            ),
        )
        offers = []
        for row in _rows(document):
            try:
                offers.append(mapping.offer(row))
            except (KeyError, TypeError, ValueError):
                continue
        fitting = [each for each in offers if each.number.text[1:].startswith(search.prefix)]
        return tuple(sorted(fitting, key=lambda each: each.number))[: search.count]

    # Buying and giving back

    async def order(self, request: OrderRequest) -> NumberOrder:
        ordered = {"phone_number": request.number.text}
        if papers := await self._papers(request.number):
            ordered["requirement_group_id"] = papers
        terms: dict[str, Any] = {
            "phone_numbers": [ordered],
            "customer_reference": request.reference,
        }
        if request.route is not None:
            terms["connection_id"] = self.canonical_route(request.route).trunk
        try:
            document = await self._client.write(
                "createOrder",
                lambda sdk, name: sdk.number_orders.create(**terms, extra_headers=name),
            )
        except No as no:
            obstacle = await self._obstacle(request.number, no)
            raise CarrierRefused(obstacle, no.said, code=no.code) from None
        order = mapping.order(request, _row(document))
        if order.state is OrderState.REJECTED:
            obstacle = order.obstacle or Obstacle.OTHER
            if obstacle is Obstacle.OTHER:
                obstacle = await self._obstacle(request.number, None)
            raise CarrierRefused(
                obstacle, order.detail or "the order failed at once", code=order.code
            )
        return order

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = self._clock.monotonic()
        document = await self._read(
            "findOrder",
            lambda sdk, name: sdk.number_orders.list(
                filter={"customer_reference": request.reference}, extra_headers=name
            ),
        )
        rows = [
            row for row in _rows(document) if row.get("customer_reference") == request.reference
        ]
        found = [await self._order(request, row) for row in rows]
        if found:
            # One that came through counts more than one that failed before it.
            best = {OrderState.ACCEPTED: 2, OrderState.PENDING: 1}
            return Observed(max(found, key=lambda each: best.get(each.state, 0)), observed_at)
        if await self._owned(request.number) is None:
            return Observed(None, observed_at)
        ours = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        return Observed(ours, observed_at)

    async def release(self, number: E164) -> None:
        row = await self._required(number)
        try:
            await self._write(
                "releaseNumber",
                lambda sdk, name: sdk.phone_numbers.delete(str(row["id"]), extra_headers=name),
            )
        except CarrierRefused as refused:
            if row.get("deletion_lock_enabled") is True:
                raise CarrierRefused(
                    Obstacle.DELETION_LOCKED, str(refused), code=refused.code
                ) from None
            raise

    # Settings

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        trunk = self.canonical_route(route).trunk
        row = await self._required(number)
        await self._write(
            "updateNumber",
            lambda sdk, name: sdk.phone_numbers.update(
                str(row["id"]),
                connection_id=trunk,
                tags=mapping.tags_with(row, marker),
                extra_headers=name,
            ),
        )

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        wanted = self.canonical_address(address) if address is not None else None
        row = await self._required(number)
        key = str(row.get("emergency_address_id") or "")
        if wanted is None and not key:
            return
        if wanted is not None:
            key = await self._address_id(wanted)
        await self._write(
            "putEmergency",
            lambda sdk, name: sdk.phone_numbers.actions.enable_emergency(
                str(row["id"]),
                emergency_address_id=key,
                emergency_enabled=wanted is not None,
                extra_headers=name,
            ),
        )

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        row = await self._required(number)
        # The numbers are named always: with a filter alone every match would change.
        await self._write(
            "updateNumbers",
            lambda sdk, name: sdk.phone_numbers.jobs.update_batch(
                phone_numbers=[str(row["id"])], deletion_lock_enabled=locked, extra_headers=name
            ),
        )

    # Porting in

    async def port_in(self, request: PortRequest) -> PortIn:
        key = request.resubmits
        if not key:
            known = await self._port(request)
            key = str(known["id"]) if known is not None else await self._draft_port(request)
        details = mapping.port_details(request)
        await self._write(
            "updatePort",
            lambda sdk, name: sdk.porting_orders.update(key, **details, extra_headers=name),
            else_obstacle=Obstacle.PORT_DETAILS_WRONG,
        )
        document = await self._write(
            "confirmPort",
            lambda sdk, name: sdk.porting_orders.actions.confirm(key, extra_headers=name),
            else_obstacle=Obstacle.PORT_DETAILS_WRONG,
        )
        return mapping.port(request, _row(document))

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        observed_at = self._clock.monotonic()
        row = await self._port(request)
        return Observed(mapping.port(request, row) if row is not None else None, observed_at)

    async def close(self) -> None:
        await self._client.close()

    # Ways that several of them share

    async def _read(self, operation: str, call: Call) -> Mapping[str, Any]:
        try:
            return await self._client.read(operation, call)
        except No as no:
            raise Unavailable(f"{operation}: {no.said}") from None

    async def _read_or_none(self, operation: str, call: Call) -> Mapping[str, Any] | None:
        try:
            return _row(await self._client.read(operation, call))
        except No as no:
            if no.status == 404:
                return None
            raise Unavailable(f"{operation}: {no.said}") from None

    async def _write(
        self, operation: str, call: Call, *, else_obstacle: Obstacle = Obstacle.OTHER
    ) -> Mapping[str, Any]:
        try:
            return await self._client.write(operation, call)
        except No as no:
            obstacle = Obstacle.NOT_OURS if no.status == 404 else else_obstacle
            if "/connection_id" in no.pointers:
                obstacle = Obstacle.TRUNK_UNKNOWN
            elif "/emergency_address_id" in no.pointers:
                obstacle = Obstacle.ADDRESS_REFUSED
            raise CarrierRefused(obstacle, no.said, code=no.code) from None

    async def _owned_page(self, page: int, digits: str = "") -> tuple[list[Mapping[str, Any]], int]:
        """Rows of one page in order of number, and how many rows there are on all pages."""
        only: dict[str, Any] = {"filter": {"phone_number": digits}} if digits else {}
        document = await self._read(
            "listNumbers",
            lambda sdk, name: sdk.phone_numbers.list(
                **only,
                page_number=page,
                page_size=PAGE_ROWS,
                sort="phone_number",
                extra_headers=name,
            ),
        )
        meta = document.get("meta")
        total = meta.get("total_results") if isinstance(meta, Mapping) else None
        if type(total) is not int:
            raise Unavailable("listNumbers: the answer tells no total")
        return _rows(document), total

    async def _owned(self, number: E164) -> Mapping[str, Any] | None:
        # With a plus the filter finds nothing; without, it finds longer numbers too.
        rows, total = await self._owned_page(1, number.text[1:])
        for row in rows:
            if row.get("phone_number") == number.text and mapping.is_ours(row):
                return row
        if total > len(rows):
            raise Unavailable("listNumbers: too many numbers hold these digits")
        return None

    async def _required(self, number: E164) -> Mapping[str, Any]:
        row = await self._owned(number)
        if row is None:
            raise CarrierRefused(Obstacle.NOT_OURS, "the number is not in the account")
        return row

    async def _papers(self, number: E164) -> str:
        """The approved documents to order with; without any the order waits at Telnyx for some."""
        document = await self._read(
            "listRequirementGroups",
            lambda sdk, name: sdk.requirement_groups.list(
                filter={"country_code": "GB", "action": "ordering", "status": "approved"},
                extra_headers=name,
            ),
        )
        return mapping.papers_for(_rows(document), number)

    async def _order(self, request: OrderRequest, row: Mapping[str, Any]) -> NumberOrder:
        """An order of the list with the truth about its number, and why it is held up."""
        document = await self._read(
            "getOrder",
            lambda sdk, name: sdk.number_orders.retrieve(str(row["id"]), extra_headers=name),
        )
        full = _row(document)
        order = mapping.order(request, full)
        if order.obstacle is not Obstacle.PAPERWORK:
            return order
        comment = ""
        for part in full.get("sub_number_orders_ids") or ():
            comment = await self._comment(str(part)) or comment
        return mapping.order(request, full, comment=comment)

    async def _comment(self, part: str) -> str:
        """What the carrier's staff wrote; empty where it cannot be read, since it decides
        nothing.
        """
        try:
            document = await self._read(
                "listComments",
                lambda sdk, name: sdk.comments.list(
                    filter={"comment_record_type": "sub_number_order", "comment_record_id": part},
                    extra_headers=name,
                ),
            )
        except Unavailable:
            return ""
        return mapping.newest_comment(_rows(document))

    async def _obstacle(self, number: E164, no: No | None) -> Obstacle:
        """Why an order was refused: by what it points at, else by looking."""
        if no is not None and "/connection_id" in no.pointers:
            return Obstacle.TRUNK_UNKNOWN
        try:
            digits = number.text[1:]
            offers = await self.search(NumberSearch(prefix=digits, kind=british_kind(number)))
            if number not in {each.number for each in offers}:
                return Obstacle.NUMBER_TAKEN
            balance = (await self.read_balance()).row
            if balance is not None and balance.spendable.amount_micros <= 0:
                return Obstacle.BALANCE_TOO_LOW
        except ProviderError:
            return Obstacle.OTHER
        return Obstacle.OTHER

    async def _address_id(self, address: EmergencyAddress) -> str:
        """The id of this address: one that is there already, else a new one."""
        if key := await self._known_address_id(address):
            return key
        fields: dict[str, Any] = mapping.address_fields(address)
        made = await self._write(
            "createAddress",
            lambda sdk, name: sdk.addresses.create(**fields, extra_headers=name),
            else_obstacle=Obstacle.ADDRESS_REFUSED,
        )
        return str(_row(made)["id"])

    async def _known_address_id(self, address: EmergencyAddress) -> str:
        seen, page = PAGE_ROWS, 0
        while seen == PAGE_ROWS:
            page += 1
            rows = await self._addresses_page(page)
            for row in rows:
                if mapping.address_of(row) == address:
                    return str(row["id"])
            seen = len(rows)
        return ""

    async def _addresses_page(self, page: int) -> list[Mapping[str, Any]]:
        document = await self._read(
            "listAddresses",
            lambda sdk, name: sdk.addresses.list(
                page_number=page, page_size=PAGE_ROWS, extra_headers=name
            ),
        )
        return _rows(document)

    async def _port(self, request: PortRequest) -> Mapping[str, Any] | None:
        """The newest porting order with our reference."""
        document = await self._read(
            "listPorts",
            lambda sdk, name: sdk.porting_orders.list(
                filter={"customer_reference": request.reference}, extra_headers=name
            ),
        )
        rows = [
            row for row in _rows(document) if row.get("customer_reference") == request.reference
        ]
        return max(rows, key=lambda row: str(row.get("created_at")), default=None)

    async def _draft_port(self, request: PortRequest) -> str:
        document = await self._write(
            "openPort",
            lambda sdk, name: sdk.porting_orders.create(
                phone_numbers=[request.number.text],
                customer_reference=request.reference,
                extra_headers=name,
            ),
            else_obstacle=Obstacle.NOT_PORTABLE,
        )
        rows = _rows(document)
        if len(rows) != 1:
            raise Unavailable(f"openPort: {len(rows)} porting orders were made of one number")
        return str(rows[0]["id"])


def _rows(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = document.get("data")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _with_reference(document: Mapping[str, Any], reference: str) -> list[Mapping[str, Any]]:
    return [row for row in _rows(document) if row.get("customer_reference") == reference]


def _row(document: Mapping[str, Any]) -> Mapping[str, Any]:
    row = document.get("data")
    return row if isinstance(row, Mapping) else {}
