"""The in-memory carrier keeps every promise of the carrier contract."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Awaitable, Callable

import pytest

from callplane.errors import OutcomeUnknown
from callplane.providers.carrier_protocol import (
    CarrierAction,
    CarrierCapabilities,
    CarrierProvider,
    CarrierRefused,
    OrderLookup,
)
from callplane.providers.inmemory import carrier_world
from callplane.providers.inmemory.carrier_provider import InMemoryCarrier
from callplane.providers.inmemory.carrier_world import CarrierWorld
from callplane.providers.protocol import Observed, Unsupported
from callplane.resources.carriers import (
    NumberOrder,
    OrderRequest,
    OrderState,
    PortState,
    TrunkRoute,
)
from callplane.testing.carrier_contract import CarrierContract, left_out_lines
from callplane.testing.carrier_stage import (
    ELSEWHERE,
    ON_SALE,
    OWNED,
    RETRY_AFTER_SECONDS,
    CarrierMisfortune,
)
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164, ConnectionId

MANY = 1_000_000
CAPABILITIES = CarrierCapabilities(
    read_after_write_lag_seconds=2.0,
    order_lookup=OrderLookup.BY_REFERENCE,
    orders_pend=True,
    offers_show_prices=True,
)
NO_PORTS = {CarrierAction.PORT_IN: Unsupported("no ports here", "ask the support desk")}
WITHOUT_PORTS = CarrierCapabilities(
    read_after_write_lag_seconds=2.0,
    unsupported=NO_PORTS,
    offers_show_prices=True,
)


class InMemoryStage:
    """The provider over a world of its own."""

    def __init__(
        self, kind: type[InMemoryCarrier] = InMemoryCarrier, *, keeps_references: bool = True
    ) -> None:
        self.clock = ManualClock()
        self.world = CarrierWorld(read_lag_seconds=2.0, keeps_references=keeps_references)
        self.world.offer(ON_SALE)
        self.world.give(OWNED)
        self.world.portable = {ELSEWHERE}
        self.world.trunks = {"sbc"}
        self.route = TrunkRoute("sbc", ("sip:sbc1.example.com:5061",))
        self.provider: CarrierProvider = kind(
            ConnectionId("inmemory", "930000"),
            self.world,
            clock=self.clock,
            unsupported={} if keeps_references else NO_PORTS,
        )

    def strike(self, misfortune: CarrierMisfortune) -> None:
        world = self.world
        match misfortune:
            case CarrierMisfortune.READS_CUT:
                world.strike(carrier_world.cut(times=MANY))
            case CarrierMisfortune.READS_THROTTLED:
                world.strike(carrier_world.throttled("reads", RETRY_AFTER_SECONDS, times=MANY))
            case CarrierMisfortune.REQUEST_LOST:
                world.strike(carrier_world.request_lost())
            case CarrierMisfortune.ANSWER_LOST | CarrierMisfortune.FAILED_AFTER:
                world.strike(carrier_world.answer_lost())
            case CarrierMisfortune.WRITE_THROTTLED:
                world.strike(carrier_world.throttled("writes", RETRY_AFTER_SECONDS))
            case CarrierMisfortune.CREDENTIALS_WITHDRAWN:
                for group in ("reads", "writes"):
                    world.strike(carrier_world.locked_out(group, times=MANY))

    def calm(self) -> None:
        self.world.strikes.clear()

    def add_numbers(self, count: int) -> None:
        self.world.give(E164(f"+{442920180000 + n}") for n in range(count))

    def owns(self, number: E164) -> bool:
        return number in self.world.owned

    def purchases(self, number: E164) -> int:
        return self.world.purchases.count(number)

    def attempts(self) -> int:
        return sum(call.is_write for call in self.world.journal)

    def sell(self, number: E164) -> None:
        self.world.sell(number)

    def empty_the_balance(self) -> None:
        self.world.balance_micros = 0

    def orders_take(self, seconds: float) -> None:
        self.world.order_seconds = seconds

    def orders_need_paperwork(self) -> None:
        self.world.needs_paperwork = True

    def approve(self, reference: str) -> None:
        self.world.approve(reference)

    def reject(self, reference: str, reason: str) -> None:
        self.world.reject(reference, reason)

    def port_is_refused(self, port_id: str, text: str) -> None:
        self.world.move_port(port_id, state=PortState.CORRECTABLE, detail=text)

    def port_is_dated(self, port_id: str, day: datetime.date) -> None:
        self.world.move_port(port_id, state=PortState.DATED, due_on=day)

    def port_is_done(self, port_id: str) -> None:
        self.world.move_port(port_id, state=PortState.DONE)


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> InMemoryStage:
    return InMemoryStage(keeps_references=request.cls is not TestWithoutReferences)


class TestInMemoryCarrier(CarrierContract, capabilities=CAPABILITIES):
    """Every promise, kept."""


class TestWithoutReferences(CarrierContract, capabilities=WITHOUT_PORTS):
    """A carrier that keeps no reference of ours and cannot port."""


def test_what_does_not_apply_is_said() -> None:
    lines = [line for line in left_out_lines() if line.startswith("TestWithoutReferences")]
    assert any("port" in line and "no ports here" in line for line in lines)
    assert any("keeps no reference" in line for line in lines)


# Providers that break one promise each. The suite has to notice.


class OrdersTwice(InMemoryCarrier):
    async def order(self, request: OrderRequest) -> NumberOrder:
        try:
            return await super().order(request)
        except OutcomeUnknown:
            return await super().order(request)


class ForgetsOrders(InMemoryCarrier):
    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        return Observed(None, self._clock.monotonic())


class BelievesInOrders(InMemoryCarrier):
    async def find_order(self, request: OrderRequest) -> Observed[NumberOrder]:
        order = NumberOrder(request.reference, request.number, OrderState.ACCEPTED)
        return Observed(order, self._clock.monotonic())


class ReleasesWhatIsLocked(InMemoryCarrier):
    async def release(self, number: E164) -> None:
        if number in self.world.owned:
            self.world.change(number, deletion_locked=False)
        await super().release(number)


@pytest.mark.parametrize(
    ("mutant", "case"),
    [
        (OrdersTwice, "test_an_order_that_is_lost_on_its_way_was_not_placed"),
        (OrdersTwice, "test_an_order_whose_answer_is_lost_is_found_again"),
        (ForgetsOrders, "test_an_order_buys_the_number_once"),
        (BelievesInOrders, "test_an_order_never_sent_is_not_found"),
        (ReleasesWhatIsLocked, "test_a_locked_number_is_not_released"),
    ],
)
async def test_the_suite_notices(mutant: type[InMemoryCarrier], case: str) -> None:
    method: Callable[..., Awaitable[None]] = getattr(TestInMemoryCarrier(), case)
    arguments: dict[str, object] = {"stage": InMemoryStage(mutant)}
    if "misfortune" in inspect.signature(method).parameters:
        arguments["misfortune"] = CarrierMisfortune.ANSWER_LOST
    with pytest.raises((AssertionError, pytest.fail.Exception, CarrierRefused)):
        await method(**arguments)
