"""What the engine asks of a carrier, and how a carrier answers. The sibling of `protocol`, whose
errors, pages and times it shares.

A carrier provider reads and writes one account. It computes no differences, keeps no state that
matters, never sends a write twice, and says honestly what it cannot do. The contract suite
(`callplane.testing.carrier_contract`) is the full definition; `docs/providers` tells how to write
one.

Money is at stake, so three rules stand above all:

* **A write is sent once.** Client libraries must have their own retries switched off, and
  connections must not repeat a request by themselves (`providers.transport` does not). Whatever is
  not plainly "done" or "not done" is `OutcomeUnknown`.
* **An order is looked for before it is sent again.** The engine calls `find_order` with the very
  request after an unknown outcome; what it finds counts. `None` must mean "no such order and the
  number is not ours", never "not seen yet": within `read_after_write_lag_seconds` of the order the
  engine does not believe it.
* **Nothing is guessed.** A state that is not known reads as PENDING or UNKNOWN with the carrier's
  word in the text; a field that an answer does not show is `NOT_SHOWN`.

What raises what, for every call:

    nothing was done               Throttled, Unavailable, AuthenticationFailed, PermissionMissing
    the carrier understood: no     CarrierRefused (nothing was done)
    it may have been done          OutcomeUnknown (writes only)
    asked for what it cannot do    CarrierRefused with UNCLASSIFIED; the engine asks
                                   `capabilities` first, so this is a mistake of the caller
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from callplane.providers.protocol import Observed, RefusalClass, Refused, Unsupported
from callplane.resources.carriers import (
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
    TrunkRoute,
)
from callplane.values import E164, ConnectionId


class CarrierAction(Enum):
    """What a carrier may be able to do. Each is supported, or has a reason and a manual step."""

    LIST = "list"
    BALANCE = "balance"
    SEARCH = "search"
    ORDER = "order"
    ROUTE = "route"
    EMERGENCY_ADDRESS = "emergencyAddress"
    DELETION_LOCK = "deletionLock"
    PORT_IN = "portIn"
    RELEASE = "release"


class OrderLookup(Enum):
    """How an order whose answer was lost is found again.

    BY_REFERENCE: the carrier keeps our reference. BY_NUMBER: it does not, so the only evidence is
    that the number is ours now; the engine makes sure beforehand that it was not.
    """

    BY_REFERENCE = "byReference"
    BY_NUMBER = "byNumber"


_REFUSALS: Mapping[Obstacle, RefusalClass] = {
    Obstacle.NUMBER_TAKEN: RefusalClass.CONFLICT,
    Obstacle.NOT_OURS: RefusalClass.NOT_FOUND,
    Obstacle.OTHER: RefusalClass.UNCLASSIFIED,
}


class CarrierRefused(Refused):
    """The carrier answered with no, and nothing was done.

    `str()` is the carrier's own sentence, scrubbed and capped; `code` its own code ("" where it has
    none). `obstacle` is OTHER unless the answer leaves no doubt.
    """

    def __init__(
        self,
        obstacle: Obstacle,
        message: str,
        *,
        code: str = "",
        refusal: RefusalClass | None = None,
    ) -> None:
        default = _REFUSALS.get(obstacle, RefusalClass.PRECONDITION)
        super().__init__(refusal or default, message)
        self.obstacle = obstacle
        self.code = code


@dataclass(frozen=True, slots=True)
class NumberPage:
    """One page of the numbers that the account owns, pending ones included.

    As `protocol.Page`: `last` is the end marker, `bad_rows` are rows that could not be read.
    `total` is the carrier's own count of all rows, where it gives one.
    """

    rows: tuple[NumberOnCarrier, ...]
    observed_at: float
    last: bool
    bad_rows: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class CarrierCapabilities:
    """What a carrier does.

    `unsupported` has an entry for every action that cannot be done; what is not in it can.
    `orders_pend`: an accepted order may take long, or wait for paperwork. `address_is_charged`:
    each submission of an emergency address costs money, changed or not; `address_detachable`: an
    address can be taken away again. `offers_show_prices`: a search tells setup and monthly price.
    `limits` are figures of the vendor for the documentation.
    """

    read_after_write_lag_seconds: float
    unsupported: Mapping[CarrierAction, Unsupported] = field(default_factory=dict)
    order_lookup: OrderLookup = OrderLookup.BY_NUMBER
    orders_pend: bool = False
    address_is_charged: bool = False
    address_detachable: bool = True
    offers_show_prices: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)

    def supports(self, action: CarrierAction) -> bool:
        return action not in self.unsupported

    def refusal(self, action: CarrierAction) -> CarrierRefused:
        """The answer to a call for what cannot be done."""
        return CarrierRefused(Obstacle.OTHER, self.unsupported[action].reason)


class CarrierProvider(Protocol):
    """One account with one carrier."""

    connection: ConnectionId
    capabilities: CarrierCapabilities

    def canonical_route(self, route: TrunkRoute) -> TrunkRoute:
        """Pure: the route as a read would show it once set. Raises CarrierRefused where it can
        never be set.
        """
        ...

    def canonical_address(self, address: EmergencyAddress) -> EmergencyAddress:
        """Pure: the address as a read would show it once set (letter case, fields that the carrier
        joins). Raises CarrierRefused (ADDRESS_REFUSED) naming the field that is missing or too
        long; nothing is cut silently.
        """
        ...

    def list_pages(self) -> AsyncIterator[NumberPage]:
        """All owned numbers. A broken listing has no `last` page. Several sweeps of one account do
        not disturb one another.
        """
        ...

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        """One number with every field the carrier can show; None: it is not ours."""
        ...

    async def read_balance(self) -> Observed[Balance]: ...

    async def search(self, search: NumberSearch) -> tuple[NumberOffer, ...]:
        """Numbers on sale now, at most `search.count`, each beginning with the prefix, in order of
        number. None found is an empty answer and no error.
        """
        ...

    async def order(self, request: OrderRequest) -> NumberOrder:
        """Buy one number, once. PENDING or ACCEPTED; a plain no is CarrierRefused (NUMBER_TAKEN,
        BALANCE_TOO_LOW, PAPERWORK, ACCOUNT_LIMIT, OTHER).
        """
        ...

    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        """What became of an order, however it was sent: by its reference, else by its number."""
        ...

    async def set_route(self, number: E164, route: TrunkRoute, *, marker: str) -> None:
        """Point a number at the SBC and mark it as managed here, leaving other settings alone."""
        ...

    async def set_emergency_address(self, number: E164, address: EmergencyAddress | None) -> None:
        """Set the address, or (None) detach it."""
        ...

    async def set_deletion_lock(self, number: E164, *, locked: bool) -> None: ...

    async def port_in(self, request: PortRequest) -> PortIn:
        """Ask for a number of another carrier, once."""
        ...

    async def find_port(self, request: PortRequest) -> Observed[PortIn]:
        """What became of a port: the newest one with this reference, else for this number."""
        ...

    async def release(self, number: E164) -> None:
        """Give a number back for ever. A number that is not ours is CarrierRefused (NOT_OURS)."""
        ...

    async def close(self) -> None: ...
