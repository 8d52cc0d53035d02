"""One account with the example carrier behind the carrier protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NoReturn

from callplane.clock import Clock
from callplane.errors import scrub
from callplane.providers import carrier_access
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierRefused,
    NumberPage,
    OrderLookup,
)
from callplane.providers.protocol import (
    AuthenticationFailed,
    Observed,
    PermissionMissing,
    Unavailable,
    Unsupported,
)
from callplane.providers.registry import Ingredients
from callplane.providers.transport import Answer, Request, Transport
from callplane.resources.carriers import (
    NOT_SHOWN,
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

PUBLIC_URL: Final = "https://api.example.com/v1"
_BY_HAND = "ask the carrier's support"
CAPABILITIES: Final = CarrierCapabilities(
    read_after_write_lag_seconds=0.0,
    unsupported={
        CarrierAction.EMERGENCY_ADDRESS: Unsupported("it takes no emergency address", _BY_HAND),
        CarrierAction.DELETION_LOCK: Unsupported("it has no lock against deletion", _BY_HAND),
        CarrierAction.PORT_IN: Unsupported("its interface cannot port", _BY_HAND),
    },
    order_lookup=OrderLookup.BY_REFERENCE,
)
_OBSTACLES: Final[Mapping[str, Obstacle]] = {
    "gone": Obstacle.NUMBER_TAKEN,
    "money": Obstacle.BALANCE_TOO_LOW,
    "unknown": Obstacle.NOT_OURS,
}
_STATES: Final[Mapping[str, CarrierNumberState]] = {"live": CarrierNumberState.ACTIVE}


def create(ingredients: Ingredients) -> ExampleProvider:
    """What the registry calls. Raises AuthenticationFailed when the key is missing."""
    return ExampleProvider(
        carrier_access.carrier_spec(ingredients).account,
        url=carrier_access.address_of(ingredients, PUBLIC_URL),
        key=carrier_access.secret_text(ingredients, what="API key"),
        transport=carrier_access.open_transport("example", ingredients),
        clock=ingredients.clock,
    )


class ExampleProvider:
    """See `providers.carrier_protocol` for what each method promises."""

    def __init__(
        self, account: str, *, url: str, key: str, transport: Transport, clock: Clock
    ) -> None:
        self.connection = ConnectionId("example", account)
        self.capabilities = CAPABILITIES
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._transport = transport
        self._clock = clock

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        return TrunkRoute(trunk=route.trunk)

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        _cannot(CarrierAction.EMERGENCY_ADDRESS)

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        page, is_last = 0, False
        while not is_last:
            observed_at = self._clock.monotonic()
            content = _content(await self._read("listNumbers", f"numbers?page={page}"))
            rows = tuple(_number(row) for row in content["numbers"])
            page, is_last = page + 1, not content["more"]
            yield NumberPage(rows, observed_at, is_last, total=content["count"])

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        observed_at = self._clock.monotonic()
        answer = await self._read("getNumber", f"numbers/{number}")
        row = None if answer.status == 404 else _number(_content(answer))
        return Observed(row, observed_at)

    async def read_balance(self) -> Observed[Balance]:
        observed_at = self._clock.monotonic()
        content = _content(await self._read("getBalance", "balance"))
        spendable = Price.from_decimal(content["amount"], content["currency"])
        return Observed(Balance(spendable), observed_at)

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        content = _content(await self._read("searchNumbers", f"offers?prefix={search.prefix}"))
        numbers = sorted(E164(row["number"]) for row in content["offers"])
        return tuple(NumberOffer(number) for number in numbers[: search.count])

    async def order(self, request: OrderRequest) -> NumberOrder:
        body = {"number": request.number.text, "reference": request.reference}
        await self._write("createOrder", "POST", "orders", body)
        return NumberOrder(request.reference, request.number, OrderState.ACCEPTED)

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        observed_at = self._clock.monotonic()
        answer = await self._read("getOrder", f"orders/{request.reference}")
        if answer.status == 404:
            return Observed(None, observed_at)
        number = E164(_content(answer)["number"])
        return Observed(NumberOrder(request.reference, number, OrderState.ACCEPTED), observed_at)

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        body = {"trunk": route.trunk, "note": marker}
        await self._write("putTrunk", "PUT", f"numbers/{number}/trunk", body)

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        _cannot(CarrierAction.EMERGENCY_ADDRESS)

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None:
        _cannot(CarrierAction.DELETION_LOCK)

    async def port_in(self, request: PortRequest) -> PortIn:
        _cannot(CarrierAction.PORT_IN)

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        _cannot(CarrierAction.PORT_IN)

    async def release(self, number: E164) -> None:
        await self._write("releaseNumber", "DELETE", f"numbers/{number}", None)

    async def close(self) -> None:
        await self._transport.close()

    async def _read(self, name: str, path: str) -> Answer:
        """A yes, or a 404, which is for the caller to judge."""
        request = Request(name, "GET", self._encoded(path), self._headers)
        answer = await self._transport.call(request)
        _check_access(name, answer)
        if not answer.ok and answer.status != 404:
            raise Unavailable(f"{name}: {_said(answer)}")
        return answer

    async def _write(
        self, name: str, method: str, path: str, body: Mapping[str, object] | None
    ) -> None:
        """Send once. Raises CarrierRefused for a no."""
        content = json.dumps(body).encode() if body is not None else None
        request = Request(name, method, self._encoded(path), self._headers, content, writes=True)
        answer = await self._transport.call(request)
        _check_access(name, answer)
        if not answer.ok:
            document = answer.json() or {}
            code = str(document.get("error", answer.status))
            obstacle = _OBSTACLES.get(code, Obstacle.OTHER)
            raise CarrierRefused(obstacle, _said(answer), code=code)

    def _encoded(self, path: str) -> str:
        return f"{self._url}/{path.replace('+', '%2B')}"


def _number(row: Mapping[str, Any]) -> NumberOnCarrier:
    word = str(row["state"])
    state = _STATES.get(word, CarrierNumberState.UNKNOWN)
    return NumberOnCarrier(
        E164(row["number"]),
        state,
        "" if state is CarrierNumberState.ACTIVE else word,
        route=TrunkRoute(trunk=row["trunk"]) if row["trunk"] else None,
        emergency_address=NOT_SHOWN,
        deletion_locked=NOT_SHOWN,
        marker=row["note"] or "",
    )


def _content(answer: Answer) -> Any:
    content = answer.json()
    if not answer.ok or not isinstance(content, dict):
        raise Unavailable(f"the answer is not understood ({_said(answer)})")
    return content


def _check_access(name: str, answer: Answer) -> None:
    if answer.status == 401:
        raise AuthenticationFailed(f"{name}: {_said(answer)}")
    if answer.status == 403:
        raise PermissionMissing(f"{name}: {_said(answer)}")


def _said(answer: Answer) -> str:
    """The carrier's own sentence, without numbers."""
    document = answer.json()
    text = document.get("text") if isinstance(document, dict) else None
    return scrub(str(text or f"status {answer.status}"))


def _cannot(action: CarrierAction) -> NoReturn:
    raise CarrierRefused(Obstacle.OTHER, CAPABILITIES.unsupported[action].reason)
