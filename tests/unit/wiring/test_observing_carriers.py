"""Accounts with carriers are observed whole, counted against the carrier's own total."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from callplane.apis.references import SecretKeyRef
from callplane.engine.observations import Observations
from callplane.errors import CallplaneError
from callplane.providers.carrier_protocol import CarrierAction, NumberPage
from callplane.providers.inmemory.carrier_provider import InMemoryCarrier
from callplane.providers.inmemory.carrier_world import CarrierWorld
from callplane.providers.protocol import Throttled, Unavailable, Unsupported
from callplane.testing.manual_clock import ManualClock
from callplane.testing.planning_builders import manifest, number
from callplane.values import ConnectionId
from callplane.wiring.observing import Sources, observe

pytestmark = pytest.mark.looptime

CONNECTION = ConnectionId("telnyx", "account")
CARRIER = manifest(
    "Carrier",
    "main",
    {
        "type": "Telnyx",
        "account": "account",
        "credentials": {"secretRef": {"name": "carrier", "key": "secret"}},
    },
    namespace="platform",
)


class Shelf(InMemoryCarrier):
    """A carrier whose listings lie a number of times, or that is throttled first."""

    def __init__(self, world: CarrierWorld, clock: ManualClock, **options: Any) -> None:
        super().__init__(CONNECTION, world, clock=clock, page_rows=3, **options)
        self.lies = 0
        self.throttled = 0
        self.failing = False

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        if self.failing:
            raise Unavailable("the line is cut")
        if self.throttled:
            self.throttled -= 1
            raise Throttled(3.0)
        lying, self.lies = self.lies > 0, max(self.lies - 1, 0)
        async for page in super().list_pages():
            yield replace(page, rows=page.rows[1:]) if lying and page.last else page


@dataclass(slots=True)
class Place:
    """A carrier with seven numbers, and what was said while it was observed."""

    shelf: Shelf
    clock: ManualClock
    said: list[str]

    async def observe(self) -> Observations:
        sources = Sources(
            provider_factory=lambda name, _: pytest.fail(f"{name} is no platform"),
            carrier_factory=lambda _, __: self.shelf,
            clock=self.clock,
            taken_by="anna@workstation",
            declared=[CARRIER],
            secrets={("platform", SecretKeyRef(name="carrier", key="secret")): b"key"},
        )
        return await observe(sources, report=self.said.append)


@pytest.fixture
def place() -> Place:
    clock = ManualClock()
    world = CarrierWorld()
    world.give(number(index) for index in range(7))
    return Place(Shelf(world, clock), clock, [])


async def test_all_numbers_and_the_balance_are_read(place: Place) -> None:
    (found,) = (await place.observe()).carriers
    assert [row.number for row in found.numbers] == [number(index) for index in range(7)]
    assert found.balance is not None
    assert found.register is None
    assert place.said == ["Carrier platform/main: 7 numbers"]


async def test_a_listing_that_is_short_of_the_carriers_count_is_asked_for_again(
    place: Place,
) -> None:
    place.shelf.lies = 2
    (found,) = (await place.observe()).carriers
    assert len(found.numbers) == 7


async def test_a_count_that_never_agrees_is_an_error(place: Place) -> None:
    place.shelf.lies = 99
    with pytest.raises(CallplaneError, match="the carrier counts 7 numbers, and its listing held"):
        await place.observe()


async def test_a_throttled_carrier_is_waited_for(place: Place) -> None:
    place.shelf.throttled = 1
    (found,) = (await place.observe()).carriers
    assert len(found.numbers) == 7


async def test_a_carrier_that_does_not_answer_is_named(place: Place) -> None:
    place.shelf.failing = True
    with pytest.raises(CallplaneError, match="Carrier platform/main: listing numbers failed"):
        await place.observe()


async def test_a_carrier_that_cannot_be_asked_has_no_numbers(place: Place) -> None:
    cannot = {action: Unsupported("no access", "by hand") for action in CarrierAction}
    place.shelf = Shelf(place.shelf.world, place.clock, unsupported=cannot)
    (found,) = (await place.observe()).carriers
    assert found.numbers == ()
    assert found.balance is None
