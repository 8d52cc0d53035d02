"""One Simwood account behind the carrier protocol.

Three things are unlike other carriers. A purchase is a PUT that is done when it is answered. What
the account owns is an asynchronous report that can be fetched once. And a no has no code: why an
order was refused is found out by looking (is the number still on sale, is there money) and never
read out of the sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
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
from callplane.providers.protocol import Observed, ProviderError, Unavailable, Unsupported
from callplane.providers.simwood import mapping
from callplane.providers.simwood.client import Said, SimwoodClient
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
    PortState,
    Price,
    TrunkRoute,
)
from callplane.values import E164, ConnectionId

CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=2.0,
    unsupported={
        CarrierAction.DELETION_LOCK: Unsupported(
            "Simwood has no lock against deletion",
            "keep the interface's password to this operator alone",
        )
    },
    order_lookup=OrderLookup.BY_NUMBER,
    address_is_charged=True,
    address_detachable=False,
    limits={"report_expires_seconds": 300.0, "search_count": 100.0},
)
PAGE_ROWS: Final = 1000
SEARCH_COUNTS: Final = (1, 10, 100)
REPORT_WAIT_SECONDS: Final = 240.0
REPORT_FIRST_LOOK_SECONDS: Final = 0.5
REPORT_LOOK_SECONDS: Final = 10.0
REPORT_ATTEMPTS: Final = 3

Sleep = Callable[[float], Awaitable[None]]


class SimwoodProvider:
    """See `providers.carrier_protocol` for what each method promises."""

    def __init__(
        self,
        account: str,
        *,
        client: SimwoodClient,
        clock: Clock,
        on_close: Callable[[], Awaitable[None]],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.connection = ConnectionId("simwood", account)
        self.capabilities = CAPABILITIES
        self._client = client
        self._clock = clock
        self._on_close = on_close
        self._sleep = sleep
        # The same report asked for twice is one report, and the first to fetch it takes it away.
        self._reporting = asyncio.Lock()

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        return mapping.canonical_route(route)

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        return mapping.canonical_address(address)

    # Reading

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        observed_at = self._clock.monotonic()
        rows = await self._report({})
        for start in range(0, max(len(rows), 1), PAGE_ROWS):
            chosen = rows[start : start + PAGE_ROWS]
            numbers, bad_rows = carrier_rows.readable(chosen, mapping.listed)
            is_last = start + PAGE_ROWS >= len(rows)
            yield NumberPage(numbers, observed_at, is_last, bad_rows, total=len(rows))

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = self._clock.monotonic()
        row = await self._owned(number)
        if row is None:
            return Observed(None, observed_at)
        path = self._path(number)
        config = await self._detail("getConfig", f"{path}/config")
        record = await self._detail("getEmergency", f"{path}/999")
        return Observed(mapping.with_details(row, config, record), observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = self._clock.monotonic()
        path = f"accounts/{self._client.account}/prepay/balance"
        said = await self._client.read("getBalance", path)
        try:
            (row,) = said.data
            spendable = Price.from_decimal(str(row["balance"]), str(row["currency"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"getBalance: the answer is not understood ({said.said})") from error
        return Observed(Balance(spendable), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        if search.country != "GB":
            raise CarrierRefused(Obstacle.OTHER, "only British numbers are searched at Simwood")
        wanted = next((count for count in SEARCH_COUNTS if count >= search.count), 100)
        said = await self._client.read(
            "searchNumbers",
            f"numbers/{self._client.account}/available/all/{wanted}",
            query={"pattern": f"{search.prefix}*", "country_code": mapping.BRITISH},
        )
        if not said.is_yes or not isinstance(said.data, list):
            raise Unavailable(f"searchNumbers: {said.said or 'the answer is not understood'}")
        offers = []
        for row in said.data:
            try:
                offers.append(mapping.offer(row))
            except (KeyError, TypeError, ValueError):
                continue
        fitting = [each for each in offers if each.number.text[1:].startswith(search.prefix)]
        return tuple(sorted(fitting, key=lambda each: each.number))[: search.count]

    # Buying and giving back

    async def order(self, request: OrderRequest) -> NumberOrder:
        said = await self._client.write("buyNumber", "PUT", self._path(request.number), {})
        if not said.is_yes:
            raise CarrierRefused(await self._obstacle(request.number), said.said)
        return NumberOrder(request.reference, request.number, OrderState.ACCEPTED)

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = self._clock.monotonic()
        if await self._owned(request.number) is None:
            return Observed(None, observed_at)
        order = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        return Observed(order, observed_at)

    async def release(self, number: E164) -> None:
        # The path ends with the number: one level deeper only the configuration would go.
        said = await self._client.write("releaseNumber", "DELETE", self._path(number))
        self._done(said)

    # Settings

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        path = f"{self._path(number)}/config"
        before = await self._detail("getConfig", path)
        config = mapping.config_with(before, self.canonical_route(route), marker)
        self._done(await self._client.write("putConfig", "PUT", path, config))

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        if address is None:
            raise CarrierRefused(Obstacle.OTHER, "a 999 record cannot be taken away at Simwood")
        record = mapping.record_of(self.canonical_address(address))
        path = f"{self._path(number)}/999"
        self._done(
            await self._client.write("putEmergency", "PUT", path, record),
            else_obstacle=Obstacle.ADDRESS_REFUSED,
        )

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        reason = self.capabilities.unsupported[CarrierAction.DELETION_LOCK].reason
        raise CarrierRefused(Obstacle.OTHER, reason)

    # Porting in

    async def port_in(self, request: PortRequest) -> PortIn:
        mapping.check_portable(request.number)
        root = f"porting/{self._client.account}"
        if mapping.is_mobile(request.number):
            body: dict[str, object] = {
                "msisdn": mapping.wire_number(request.number),
                "pac": request.authorisation_code,
                "contact_email": request.contact_email,
            }
            if request.wanted_on is not None:
                body["port_date"] = request.wanted_on.isoformat()
            said = await self._client.write("openMobilePort", "POST", f"{root}/mnp", body)
        else:
            body = mapping.geographic_port(request)
            said = await self._client.write("openPort", "POST", f"{root}/gnp", body)
        self._done(said, else_obstacle=Obstacle.PORT_DETAILS_WRONG)
        reference = said.data.get("ref") if isinstance(said.data, Mapping) else None
        return PortIn(
            request.reference,
            request.number,
            PortState.SUBMITTED,
            port_id=str(reference or ""),
            due_on=request.wanted_on,
        )

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        observed_at = self._clock.monotonic()
        root = f"porting/{self._client.account}"
        if mapping.is_mobile(request.number):
            said = await self._client.read(
                "getMobilePort", f"{root}/mnp/{request.authorisation_code}"
            )
            if not said.is_yes and said.status == 404:
                return Observed(None, observed_at)
            rows: Sequence[Any] = [said.data] if said.is_yes else []
        else:
            said = await self._client.read("listPorts", f"{root}/gnp")
            listed = said.data if isinstance(said.data, list) else []
            wanted = mapping.national_number(request.number)
            rows = [row for row in listed if isinstance(row, Mapping) and row.get("mbn") == wanted]
        if not said.is_yes:
            raise Unavailable(f"finding the port: {said.said}")
        if not rows:
            return Observed(None, observed_at)
        newest = max(enumerate(rows), key=lambda each: (str(each[1].get("created")), each[0]))[1]
        found = mapping.port(request, newest)
        return Observed(_scrubbed(found), observed_at)

    async def close(self) -> None:
        await self._on_close()

    # Ways that several of them share

    def _path(self, number: E164) -> str:
        return f"numbers/{self._client.account}/allocated/{mapping.wire_number(number)}"

    async def _owned(self, number: E164) -> NumberOnCarrier | None:
        """The number as it is in the account; None only where the answer leaves no doubt."""
        said = await self._client.read("getNumber", self._path(number))
        if said.is_yes:
            return NumberOnCarrier(number)
        if said.status == 404:
            return None
        # A no under another status may mean anything: a report over just this number decides.
        rows = await self._report({"pattern": mapping.wire_number(number)})
        numbers, _ = carrier_rows.readable(rows, mapping.listed)
        return next((NumberOnCarrier(number) for row in numbers if row.number == number), None)

    async def _detail(self, name: str, path: str) -> Any:
        """What is set on an owned number; None where nothing is."""
        said = await self._client.read(name, path)
        return said.data if said.is_yes else None

    async def _obstacle(self, number: E164) -> Obstacle:
        """Why an order was refused, by looking; OTHER where that shows nothing or fails."""
        try:
            search = NumberSearch(prefix=mapping.wire_number(number), count=1)
            if not await self.search(search):
                return Obstacle.NUMBER_TAKEN
            balance = (await self.read_balance()).row
            if balance is not None and balance.spendable.amount_micros <= 0:
                return Obstacle.BALANCE_TOO_LOW
        except ProviderError:
            return Obstacle.OTHER
        return Obstacle.OTHER

    def _done(self, said: Said, *, else_obstacle: Obstacle = Obstacle.OTHER) -> None:
        """Raises CarrierRefused unless the answer is a yes."""
        if said.is_yes:
            return
        missing = said.status == 404
        raise CarrierRefused(Obstacle.NOT_OURS if missing else else_obstacle, said.said)

    async def _report(self, question: Mapping[str, str]) -> list[Any]:
        """What the account owns: asked for, waited for, fetched once, asked for again when lost."""
        async with self._reporting:
            for _ in range(REPORT_ATTEMPTS):
                rows = await self._try_report(question)
                if rows is not None:
                    return rows
        raise Unavailable(f"the report of owned numbers was lost {REPORT_ATTEMPTS} times")

    async def _try_report(self, question: Mapping[str, str]) -> list[Any] | None:
        """None: the report is gone, expired or fetched by somebody else."""
        account = self._client.account
        asked = await self._client.ask(
            "requestReport", f"numbers/{account}/allocated/all", question
        )
        digest = asked.data.get("hash") if isinstance(asked.data, Mapping) else None
        if not asked.is_yes or not isinstance(digest, str) or not digest.isalnum():
            raise Unavailable(f"requestReport: {asked.said or 'the answer is not understood'}")
        pause_seconds, waited_seconds = REPORT_FIRST_LOOK_SECONDS, 0.0
        while True:
            said = await self._client.read("fetchReport", f"files/{account}/{digest}")
            if said.status == 404:
                return None
            if said.status != 204:
                if not said.is_yes or not isinstance(said.data, list):
                    raise Unavailable(f"fetchReport: {said.said or 'the file is no list'}")
                return said.data
            if waited_seconds >= REPORT_WAIT_SECONDS:
                raise Unavailable("the report of owned numbers is not ready yet")
            await self._sleep(pause_seconds)
            waited_seconds += pause_seconds
            pause_seconds = min(pause_seconds * 2, REPORT_LOOK_SECONDS)


def _scrubbed(port: PortIn) -> PortIn:
    """The losing carrier's words may hold numbers."""
    return PortIn(
        port.reference,
        port.number,
        port.state,
        port.port_id,
        port.due_on,
        scrub(port.detail),
        port.code,
        port.obstacle,
    )
