"""A carrier as an observation shows it, for plans: reads are answered, nothing can be sent.

What a carrier can do, and how it shows a route or an address, comes from its own provider, which
was never signed in (`CarrierSkills`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from callplane.apis.carriers import CarrierSpec
from callplane.engine.observations import CarrierObservation
from callplane.providers.carrier_protocol import CarrierCapabilities, NumberPage
from callplane.providers.protocol import Observed
from callplane.resources.carriers import Balance, EmergencyAddress, NumberOnCarrier, TrunkRoute
from callplane.values import E164


@dataclass(frozen=True, slots=True)
class CarrierSkills:
    """The pure half of a carrier's provider."""

    capabilities: CarrierCapabilities
    canonical_route: Callable[[TrunkRoute], TrunkRoute]
    canonical_address: Callable[[EmergencyAddress], EmergencyAddress]


#: The skills of a carrier by its spec. Raises CallplaneError where no provider can be made of it.
SkillsOf = Callable[[CarrierSpec], Awaitable[CarrierSkills]]


class RecordedCarrier:
    """Answers reads from an observation."""

    def __init__(self, observation: CarrierObservation, skills: CarrierSkills) -> None:
        self.connection = observation.connection
        self.capabilities = skills.capabilities
        self.canonical_route = skills.canonical_route
        self.canonical_address = skills.canonical_address
        self._observation = observation
        self._numbers = {row.number: row for row in observation.numbers}

    async def list_pages(self) -> AsyncIterator[NumberPage]:
        yield page(self._observation)

    async def read_number(self, number: E164) -> Observed[NumberOnCarrier]:
        return Observed(self._numbers.get(number), 0.0)

    async def read_balance(self) -> Observed[Balance]:
        return Observed(self._observation.balance, 0.0)

    async def close(self) -> None:
        """Nothing is open."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a plan asks no carrier to {name}")


def page(observation: CarrierObservation) -> NumberPage:
    """What was observed as the only page of its listing."""
    rows = observation.numbers
    return NumberPage(rows, observed_at=0.0, last=True, total=len(rows))
