"""The in-memory world beyond the contract suite: lag, orders that take time, lies of listings."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from callplane.errors import OutcomeUnknown
from callplane.plan.change import Change, Operation
from callplane.providers import inmemory
from callplane.providers.inmemory import InMemoryProvider, Listing, Verb, World
from callplane.providers.protocol import Accepted, Family, OperationState, Refused, Throttled
from callplane.resources.lines import NumberType
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164, ConnectionId, Platform

CONNECTION = ConnectionId("teams", "tenant-1")
NUMBER = E164("+442079460001")


@dataclasses.dataclass
class ManualClock:
    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


def assign(number: E164 = NUMBER, user_id: str = "anna") -> Change:
    return Change(
        CONNECTION,
        Operation.ASSIGN_NUMBER,
        Platform.TEAMS,
        user_id,
        None,
        {"number": number.text, "type": "directRouting"},
    )


def small_world(*, order_seconds: float = 0.0, read_lag_seconds: float = 0.0) -> World:
    world = World(order_seconds=order_seconds, read_lag_seconds=read_lag_seconds)
    world.put_people(Person(name, f"{name}@example.org") for name in ("anna", "ben"))
    world.put_configurations(CallingConfiguration(name) for name in ("anna", "ben"))
    world.put_numbers(
        NumberOnPlatform(E164(f"+44207946{n:04}"), NumberType.DIRECT_ROUTING) for n in range(1, 6)
    )
    return world


async def test_an_order_takes_its_time() -> None:
    clock = ManualClock()
    provider = InMemoryProvider(CONNECTION, small_world(order_seconds=2.0), clock=clock)
    answer = await provider.send(assign(), request_id="r1")
    assert isinstance(answer, Accepted)
    assert (await provider.poll(answer.operation)).state is OperationState.RUNNING
    assert (await provider.read_number(NUMBER)).row == NumberOnPlatform(
        NUMBER, NumberType.DIRECT_ROUTING
    )
    clock.seconds = 2.0
    assert (await provider.poll(answer.operation)).state is OperationState.SUCCEEDED
    row = (await provider.read_number(NUMBER)).row
    assert row is not None
    assert row.holder_id == "anna"


async def test_readers_lag_behind_writers() -> None:
    clock = ManualClock()
    provider = InMemoryProvider(CONNECTION, small_world(read_lag_seconds=5.0), clock=clock)
    await provider.send(assign(), request_id="r1")
    clock.seconds = 4.9
    row = (await provider.read_number(NUMBER)).row
    assert row is not None
    assert row.holder_id is None
    clock.seconds = 5.0
    seen = await provider.read_number(NUMBER)
    assert seen.row is not None
    assert seen.row.holder_id == "anna"
    assert seen.observed_at == 5.0


@pytest.mark.parametrize(
    ("fault", "held_by"),
    [(inmemory.lost_before_commit(), None), (inmemory.lost_after_commit(), "anna")],
)
async def test_a_lost_answer(fault: inmemory.Fault, held_by: str | None) -> None:
    world = small_world()
    provider = InMemoryProvider(CONNECTION, world, clock=ManualClock())
    world.faults.add(fault, operation=Operation.ASSIGN_NUMBER)
    with pytest.raises(OutcomeUnknown):
        await provider.send(assign(), request_id="r1")
    row = (await provider.read_number(NUMBER)).row
    assert row is not None
    assert row.holder_id == held_by
    assert world.faults.pending == 0


async def test_a_fault_can_wait_for_its_call() -> None:
    world = small_world()
    provider = InMemoryProvider(CONNECTION, world, clock=ManualClock())
    world.faults.add(inmemory.throttle(2.128), verb=Verb.READ, key=NUMBER.text, skip=1)
    await provider.read_number(NUMBER)
    with pytest.raises(Throttled) as caught:
        await provider.read_number(NUMBER)
    assert caught.value.retry_after_seconds == 2.128


async def test_a_failed_order_changes_nothing() -> None:
    world = small_world()
    provider = InMemoryProvider(CONNECTION, world, clock=ManualClock())
    world.faults.add(inmemory.order_fails("no capacity"))
    answer = await provider.send(assign(), request_id="r1")
    assert isinstance(answer, Accepted)
    status = await provider.poll(answer.operation)
    assert (status.state, status.detail) == (OperationState.FAILED, "no capacity")
    assert world.true.numbers[NUMBER].holder_id is None


@pytest.mark.parametrize(
    ("listing", "rows", "ended"),
    [
        (Listing.EMPTY, 0, True),
        (Listing.HALF, 2, True),
        (Listing.TWICE, 10, True),
        (Listing.WITHOUT_END, 5, False),
    ],
)
async def test_listings_that_lie(listing: Listing, rows: int, ended: bool) -> None:
    world = small_world()
    provider = InMemoryProvider(CONNECTION, world, clock=ManualClock(), page_rows=2)
    world.faults.add(inmemory.listing_lies(listing), verb=Verb.LIST)
    pages = [page async for page in provider.list_pages(Family.NUMBERS)]
    assert sum(len(page.rows) for page in pages) == rows
    assert pages[-1].last is ended
    assert not any(page.last for page in pages[:-1])


async def test_the_administrator_moves_a_number_behind_our_back() -> None:
    world = small_world(read_lag_seconds=60.0)
    provider = InMemoryProvider(CONNECTION, world, clock=ManualClock())
    await provider.send(assign(), request_id="r1")
    world.administrator_assigns(NUMBER, "ben")
    row = (await provider.read_number(NUMBER)).row
    assert row is not None
    assert row.holder_id == "ben"
    configuration = (await provider.read_configuration("anna")).row
    assert configuration is not None
    assert (configuration.numbers, configuration.enterprise_voice) == ((), False)
    with pytest.raises(Refused):
        await provider.send(assign(), request_id="r2")
