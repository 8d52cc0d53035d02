"""A carrier in memory: what it sells, what the account owns, orders and ports under way, money.

It has the semantics that matter of the real thing: a number is sold once, an order may pend for
weeks, an answer may be lost after the order was taken, and giving a number back is for ever. The
world is moved by the hand that holds it; times are monotonic seconds handed in by the provider.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from callplane.errors import OutcomeUnknown
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.protocol import AuthenticationFailed, Throttled, Unavailable
from callplane.resources.carriers import (
    CarrierNumberState,
    NumberOffer,
    NumberOnCarrier,
    NumberOrder,
    Obstacle,
    OrderRequest,
    OrderState,
    PortIn,
    PortRequest,
    PortState,
    Price,
)
from callplane.values import E164

CURRENCY = "GBP"
SAMPLE_SETUP = Price(1_000_000, CURRENCY)
SAMPLE_MONTHLY = Price(1_500_000, CURRENCY)
"""Samples: no carrier's prices."""


@dataclass(slots=True)
class Strike:
    """Something that goes wrong at a call: `error` is raised, after the call took effect where
    `committed`. `call` is the method's name, or `reads` or `writes`; `after_pages` is for listings.
    """

    call: str
    error: Exception | None = None
    times: int = 1
    committed: bool = False
    after_pages: int = 0
    bad_rows: int = 0
    empties: bool = False


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """One call as it arrived."""

    name: str
    subject: str
    is_write: bool


@dataclass(slots=True)
class CarrierWorld:
    """The state of one account. `order_seconds` is how long an order pends, `needs_paperwork` lets
    it pend until `approve` or `reject`.
    """

    order_seconds: float = 0.0
    needs_paperwork: bool = False
    keeps_references: bool = True
    read_lag_seconds: float = 0.0
    on_sale: dict[E164, NumberOffer] = field(default_factory=dict)
    owned: dict[E164, NumberOnCarrier] = field(default_factory=dict)
    orders: list[NumberOrder] = field(default_factory=list)
    ports: list[PortIn] = field(default_factory=list)
    portable: set[E164] = field(default_factory=set)
    listing_hides: frozenset[str] = frozenset()
    """Fields of a number that a listing does not show."""
    trunks: set[str] | None = None
    """Trunks that exist; None: any."""
    balance_micros: int = 1_000_000_000
    spent: list[tuple[str, E164, int]] = field(default_factory=list)
    journal: list[CarrierCall] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    purchases: list[E164] = field(default_factory=list)
    released: list[E164] = field(default_factory=list)
    _due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _hidden_until: dict[E164, float] = field(default_factory=dict)

    # The carrier's own hand.

    def offer(self, numbers: Iterable[E164]) -> None:
        for number in numbers:
            handle = f"offer-{number.text[1:]}"
            self.on_sale[number] = NumberOffer(number, SAMPLE_SETUP, SAMPLE_MONTHLY, handle)

    def give(self, numbers: Iterable[E164]) -> None:
        """The account has these numbers, bought by hand."""
        for number in numbers:
            self.on_sale.pop(number, None)
            self.owned[number] = NumberOnCarrier(number, monthly_fee=SAMPLE_MONTHLY)

    def sell(self, number: E164) -> None:
        """Somebody else buys it."""
        del self.on_sale[number]

    def take(self, number: E164) -> None:
        """The account loses it."""
        del self.owned[number]

    def change(self, number: E164, **fields: object) -> None:
        """Change fields of an owned number by hand."""
        self.owned[number] = dataclasses.replace(self.owned[number], **fields)  # type: ignore[arg-type]

    def approve(self, reference: str) -> None:
        """The paperwork of a pending order is in order."""
        self._finish(reference)

    def reject(self, reference: str, detail: str, code: str = "") -> None:
        """The paperwork of a pending order is turned down."""
        order = self.order_by(reference)
        assert order is not None
        self.owned.pop(order.number, None)
        self._replace_order(
            dataclasses.replace(
                order,
                state=OrderState.REJECTED,
                detail=detail,
                code=code,
                obstacle=Obstacle.PAPERWORK,
            )
        )

    def move_port(self, port_id: str, **fields: object) -> None:
        """The losing carrier says something about a port."""
        for index, port in enumerate(self.ports):
            if port.port_id == port_id:
                self.ports[index] = moved = dataclasses.replace(port, **fields)  # type: ignore[arg-type]
                if moved.state is PortState.DONE:
                    self.give([moved.number])

    def strike(self, strike: Strike) -> None:
        self.strikes.append(strike)

    # What the provider asks.

    def arrive(self, call: CarrierCall, now: float) -> Strike | None:
        self.settle(now)
        self.journal.append(call)
        for strike in self.strikes:
            group = "writes" if call.is_write else "reads"
            if strike.call in (call.name, group):
                strike.times -= 1
                if strike.times <= 0:
                    self.strikes.remove(strike)
                return strike
        return None

    def settle(self, now: float) -> None:
        """Do what has come due."""
        due = [entry for entry in self._due if entry[0] <= now]
        self._due = [entry for entry in self._due if entry[0] > now]
        for _, act in sorted(due, key=lambda entry: entry[0]):
            act()

    def seen(self, number: E164, now: float) -> NumberOnCarrier | None:
        if self._hidden_until.get(number, now) > now:
            return None
        return self.owned.get(number)

    def order(self, request: OrderRequest, now: float) -> NumberOrder:
        """Take an order. Raises CarrierRefused."""
        offer = self.on_sale.get(request.number)
        if offer is None:
            raise CarrierRefused(
                Obstacle.NUMBER_TAKEN, "the number is no longer available", code="21422"
            )
        price = SAMPLE_SETUP.amount_micros + SAMPLE_MONTHLY.amount_micros
        if price > self.balance_micros:
            raise CarrierRefused(Obstacle.BALANCE_TOO_LOW, "the balance is not sufficient")
        del self.on_sale[request.number]
        self.balance_micros -= price
        self.spent.append(("order", request.number, price))
        self.purchases.append(request.number)
        self.owned[request.number] = NumberOnCarrier(
            request.number,
            CarrierNumberState.PENDING,
            "ordered",
            route=request.route,
            monthly_fee=SAMPLE_MONTHLY,
        )
        self._hidden_until[request.number] = now + self.read_lag_seconds
        order = NumberOrder(
            request.reference,
            request.number,
            OrderState.PENDING,
            order_id=f"order-{len(self.orders) + 1}",
            detail="waits for documents" if self.needs_paperwork else "",
            obstacle=Obstacle.PAPERWORK if self.needs_paperwork else None,
        )
        self.orders.append(order)
        if not self.needs_paperwork:
            self._due.append((now + self.order_seconds, lambda: self._finish(request.reference)))
            self.settle(now)
        found = self.order_by(request.reference)
        assert found is not None
        return found

    def order_by(self, reference: str) -> NumberOrder | None:
        found = [order for order in self.orders if order.reference == reference]
        return found[-1] if found else None

    def find_order(self, request: OrderRequest, now: float) -> NumberOrder | None:
        if self.keeps_references:
            order = self.order_by(request.reference)
            hidden = order is not None and self._hidden_until.get(order.number, now) > now
            return None if hidden else order
        row = self.seen(request.number, now)
        if row is None:
            return None
        pending = row.state is CarrierNumberState.PENDING
        state = OrderState.PENDING if pending else OrderState.ACCEPTED
        return NumberOrder(request.reference, request.number, state)

    def port(self, request: PortRequest) -> PortIn:
        """Take a request to port. Raises CarrierRefused."""
        if request.number not in self.portable:
            raise CarrierRefused(Obstacle.NOT_PORTABLE, "the number cannot be ported", code="NP1")
        port = PortIn(
            request.reference,
            request.number,
            PortState.PENDING,
            port_id=f"port-{len(self.ports) + 1}",
            due_on=request.wanted_on,
        )
        self.ports.append(port)
        return port

    def find_port(self, request: PortRequest) -> PortIn | None:
        found = [port for port in self.ports if port.reference == request.reference]
        return found[-1] if found else None

    def mine(self, number: E164) -> NumberOnCarrier:
        """An owned number. Raises CarrierRefused."""
        row = self.owned.get(number)
        if row is None:
            raise CarrierRefused(Obstacle.NOT_OURS, "the number is not in this account")
        return row

    def release(self, number: E164) -> None:
        """Give a number back. Raises CarrierRefused while something is attached or locked."""
        row = self.mine(number)
        if row.deletion_locked is True:
            raise CarrierRefused(Obstacle.DELETION_LOCKED, "the number is locked against deletion")
        if row.emergency_address is not None:
            raise CarrierRefused(
                Obstacle.ADDRESS_ATTACHED, "an emergency address is attached to the number"
            )
        del self.owned[number]
        self.released.append(number)

    def _finish(self, reference: str) -> None:
        order = self.order_by(reference)
        if order is None or order.state is not OrderState.PENDING:
            return
        done = dataclasses.replace(order, state=OrderState.ACCEPTED, detail="", obstacle=None)
        self._replace_order(done)
        row = self.owned[order.number]
        self.owned[order.number] = dataclasses.replace(
            row, state=CarrierNumberState.ACTIVE, state_text=""
        )

    def _replace_order(self, order: NumberOrder) -> None:
        for index, known in enumerate(self.orders):
            if known.order_id == order.order_id:
                self.orders[index] = order


def cut(call: str = "reads", *, times: int = 1) -> Strike:
    """No answer to reads."""
    return Strike(call, Unavailable("no answer"), times)


def throttled(call: str, seconds: float, *, times: int = 1) -> Strike:
    return Strike(call, Throttled(seconds), times)


def request_lost(call: str = "writes") -> Strike:
    """The next write is lost on its way."""
    return Strike(call, OutcomeUnknown("no answer"))


def answer_lost(call: str = "writes") -> Strike:
    """The next write is done and nobody hears of it."""
    return Strike(call, OutcomeUnknown("no answer"), committed=True)


def locked_out(call: str, *, times: int) -> Strike:
    return Strike(call, AuthenticationFailed("the credentials are not accepted"), times)
