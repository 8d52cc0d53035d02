"""One Twilio account behind the carrier protocol.

A purchase is done when it is answered, and needs papers that people have approved beforehand: a
bundle and an address. Buying a number that the account owns already answers as if it were new and
changes its settings, so a purchase looks first and then counts what it owns as bought.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from callplane.clock import Clock
from callplane.errors import OutcomeUnknown
from callplane.providers import carrier_rows
from callplane.providers.carrier_kinds import british_kind
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.providers.protocol import (
    Observed,
    PermissionMissing,
    ProviderError,
    Unavailable,
    Unsupported,
)
from callplane.providers.twilio import mapping
from callplane.providers.twilio.call_reports import TwilioCallReports
from callplane.providers.twilio.client import Said, TwilioClient
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

PAGE_ROWS: Final = 1000
SEARCH_ROWS: Final = 50
CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=5.0,
    unsupported={
        CarrierAction.DELETION_LOCK: Unsupported(
            "Twilio has no lock against deletion",
            "give other tools of the account restricted API keys that may not delete numbers",
        ),
        CarrierAction.PORT_IN: Unsupported(
            "Twilio does not say that its interface ports numbers of the UK",
            "open a port request in Twilio's console; the number is adopted when it has arrived",
        ),
    },
    order_lookup=OrderLookup.BY_NUMBER,
    limits={"page_rows": float(PAGE_ROWS)},
)
_NUMBERS: Final = "IncomingPhoneNumbers"


class TwilioProvider:
    """See `providers.carrier_protocol` for what each method promises."""

    def __init__(self, account: str, *, client: TwilioClient, clock: Clock) -> None:
        self.connection = ConnectionId("twilio", account)
        self.capabilities = CAPABILITIES
        self._client = client
        self._clock = clock
        self.call_reports = TwilioCallReports(client)

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        return mapping.canonical_route(route)

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        return mapping.canonical_address(address)

    # Reading

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        observed_at = self._clock.monotonic()
        pages = self._client.pages("listNumbers", f"{_NUMBERS}.json", {"PageSize": str(PAGE_ROWS)})
        async for document, is_last in pages:
            rows = _rows(document, "incoming_phone_numbers", "listNumbers")
            numbers, bad_rows = carrier_rows.readable(rows, mapping.listed)
            yield NumberPage(numbers, observed_at, is_last, bad_rows)
            observed_at = self._clock.monotonic()

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = self._clock.monotonic()
        row = await self._owned(number)
        if row is None:
            return Observed(None, observed_at)
        shown = mapping.listed(row)
        if sid := row.get("emergency_address_sid"):
            url = self._client.account_url(f"Addresses/{sid}.json")
            said = await self._client.read("getAddress", url)
            shown = mapping.with_address(shown, said.document if said.is_yes else None)
        return Observed(shown, observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = self._clock.monotonic()
        said = await self._client.read("getBalance", self._client.account_url("Balance.json"))
        try:
            row = said.document
            spendable = Price.from_decimal(str(row["balance"]), str(row["currency"]))
        except (KeyError, ValueError) as error:
            raise Unavailable(f"getBalance: the answer is not understood ({said.said})") from error
        return Observed(Balance(spendable), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        kind = mapping.KINDS.get(search.kind)
        if kind is None:
            raise CarrierRefused(Obstacle.OTHER, "Twilio searches by kind of number")
        query = {"VoiceEnabled": "true", "PageSize": str(max(search.count, SEARCH_ROWS))}
        if search.prefix:
            query["Contains"] = f"+{search.prefix}"
        url = self._client.account_url(f"AvailablePhoneNumbers/{search.country}/{kind}.json")
        said = await self._client.read("searchNumbers", url, query)
        if not said.is_yes:
            raise Unavailable(f"searchNumbers: {said.said}")
        rows = _rows(said.document, "available_phone_numbers", "searchNumbers")
        monthly = await self._monthly_price(search) if rows else None
        offers = []
        for row in rows:
            try:
                offers.append(mapping.offer(row, monthly))
            except (KeyError, TypeError, ValueError):
                continue
        fitting = [each for each in offers if each.number.text[1:].startswith(search.prefix)]
        return tuple(sorted(fitting, key=lambda each: each.number))[: search.count]

    # Buying and giving back

    async def order(self, request: OrderRequest) -> NumberOrder:
        bought = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        if await self._owned(request.number) is not None:
            return bought
        form = {
            "PhoneNumber": request.number.text,
            "FriendlyName": request.reference,
            **await self._papers(request.number),
        }
        if request.route is not None:
            form["TrunkSid"] = self.canonical_route(request.route).trunk
        said = await self._client.write(
            "buyNumber", "POST", self._client.account_url(f"{_NUMBERS}.json"), form
        )
        if not said.is_yes:
            obstacle = await self._obstacle(said, form.get("TrunkSid", ""))
            if obstacle is Obstacle.OTHER and said.status == 403:
                raise PermissionMissing(f"buyNumber: {said.said}")
            raise CarrierRefused(obstacle, said.said, code=said.code)
        return bought

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = self._clock.monotonic()
        if await self._owned(request.number) is None:
            return Observed(None, observed_at)
        order = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        return Observed(order, observed_at)

    async def release(self, number: E164) -> None:
        row = await self._required(number)
        said = await self._client.write("releaseNumber", "DELETE", self._number_url(row))
        attached = bool(row.get("emergency_address_sid"))
        self._done(
            "releaseNumber",
            said,
            else_obstacle=Obstacle.ADDRESS_ATTACHED if attached else Obstacle.OTHER,
        )

    # Settings

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        trunk = self.canonical_route(route).trunk
        row = await self._required(number)
        form = {"TrunkSid": trunk}
        if mapping.may_rename(number, str(row.get("friendly_name") or "")):
            form["FriendlyName"] = marker
        said = await self._client.write("updateNumber", "POST", self._number_url(row), form)
        if not said.is_yes and said.status != 404 and not await self._has_trunk(trunk):
            raise CarrierRefused(Obstacle.TRUNK_UNKNOWN, said.said, code=said.code)
        self._done("updateNumber", said)

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        wanted = self.canonical_address(address) if address is not None else None
        row = await self._required(number)
        if wanted is None and not row.get("emergency_address_sid"):
            return
        form = {"EmergencyStatus": "Inactive", "EmergencyAddressSid": ""}
        if wanted is not None:
            sid = await self._address_sid(wanted)
            form = {"EmergencyStatus": "Active", "EmergencyAddressSid": sid}
        said = await self._client.write("putEmergency", "POST", self._number_url(row), form)
        self._done("putEmergency", said, else_obstacle=Obstacle.ADDRESS_REFUSED)

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        raise self.capabilities.refusal(CarrierAction.DELETION_LOCK)

    # Porting in

    async def port_in(self, request: PortRequest) -> PortIn:
        raise self.capabilities.refusal(CarrierAction.PORT_IN)

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        raise self.capabilities.refusal(CarrierAction.PORT_IN)

    async def close(self) -> None:
        await self._client.transport.close()

    # Ways that several of them share

    def _number_url(self, row: Mapping[str, Any]) -> str:
        return self._client.account_url(f"{_NUMBERS}/{row['sid']}.json")

    async def _owned(self, number: E164) -> Mapping[str, Any] | None:
        """The number as it is in the account; None only where the answer leaves no doubt."""
        query = {"PhoneNumber": number.text, "PageSize": str(PAGE_ROWS)}
        async for document, _ in self._client.pages("getNumber", f"{_NUMBERS}.json", query):
            for row in _rows(document, "incoming_phone_numbers", "getNumber"):
                if row.get("phone_number") == number.text:
                    return row
        return None

    async def _required(self, number: E164) -> Mapping[str, Any]:
        row = await self._owned(number)
        if row is None:
            raise CarrierRefused(Obstacle.NOT_OURS, "the number is not in the account")
        return row

    async def _monthly_price(self, search: NumberSearch) -> Price | None:
        """From the price list; None where it cannot be read, since it decides nothing here."""
        url = f"{self._client.hosts.pricing}/v1/PhoneNumbers/Countries/{search.country}"
        try:
            said = await self._client.read("getPrices", url)
        except Unavailable:
            return None
        return mapping.monthly_price(said.document, search.kind) if said.is_yes else None

    async def _papers(self, number: E164) -> dict[str, str]:
        """The approved bundle and the address to buy a British number with, as far as the account
        has them.
        """
        kind = mapping.BUNDLE_KINDS.get(british_kind(number))
        if kind is None:
            return {}
        url = f"{self._client.hosts.numbers}/v2/RegulatoryCompliance/Bundles"
        query = {"Status": "twilio-approved", "IsoCountry": "GB", "NumberType": kind}
        said = await self._client.read("listBundles", url, query)
        if not said.is_yes:
            raise Unavailable(f"listBundles: {said.said}")
        found = {
            "BundleSid": mapping.preferred(_rows(said.document, "results", "listBundles")),
            "AddressSid": mapping.preferred(await self._addresses()),
        }
        return {name: sid for name, sid in found.items() if sid}

    async def _addresses(self, country: str = "GB") -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        pages = self._client.pages(
            "listAddresses",
            "Addresses.json",
            {"IsoCountry": country, "PageSize": str(PAGE_ROWS)},
        )
        async for document, _ in pages:
            rows += _rows(document, "addresses", "listAddresses")
        return rows

    async def _address_sid(self, address: EmergencyAddress) -> str:
        """The SID of this address: one that is there already, else a new one."""
        for row in await self._addresses(address.country):
            if row.get("emergency_enabled") is True and mapping.address_of(row) == address:
                return str(row["sid"])
        said = await self._client.write(
            "createAddress",
            "POST",
            self._client.account_url("Addresses.json"),
            mapping.address_form(address),
        )
        self._done("createAddress", said, else_obstacle=Obstacle.ADDRESS_REFUSED)
        sid = said.document.get("sid")
        if not isinstance(sid, str):
            raise OutcomeUnknown("createAddress: the answer is not understood")
        return sid

    async def _has_trunk(self, sid: str) -> bool:
        said = await self._client.read("getTrunk", f"{self._client.hosts.trunking}/v1/Trunks/{sid}")
        return said.status != 404

    async def _obstacle(self, said: Said, trunk: str) -> Obstacle:
        """Why a purchase was refused: by its code, else by looking."""
        if known := mapping.OBSTACLES.get(said.code):
            return known
        try:
            balance = (await self.read_balance()).row
            if balance is not None and balance.spendable.amount_micros <= 0:
                return Obstacle.BALANCE_TOO_LOW
            if trunk and not await self._has_trunk(trunk):
                return Obstacle.TRUNK_UNKNOWN
        except ProviderError:
            return Obstacle.OTHER
        return Obstacle.OTHER

    def _done(
        self, operation: str, said: Said, *, else_obstacle: Obstacle = Obstacle.OTHER
    ) -> None:
        """Raises CarrierRefused or PermissionMissing unless the answer is a yes."""
        if said.is_yes:
            return
        if said.status == 403:
            raise PermissionMissing(f"{operation}: {said.said}")
        obstacle = Obstacle.NOT_OURS if said.status == 404 else else_obstacle
        raise CarrierRefused(obstacle, said.said, code=said.code)


def _rows(document: Mapping[str, Any], name: str, operation: str) -> list[Mapping[str, Any]]:
    """The rows of a page. A page without its list is no empty one."""
    rows = document.get(name)
    if not isinstance(rows, list):
        raise Unavailable(f"{operation}: the answer is not understood")
    return [row for row in rows if isinstance(row, Mapping)]
