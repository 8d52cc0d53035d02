"""The in-memory provider keeps every promise of the provider contract."""

from __future__ import annotations

import pytest

from callplane.providers import inmemory
from callplane.providers.inmemory import Fault, InMemoryProvider, Verb, World
from callplane.providers.protocol import Family, Unavailable
from callplane.resources.lines import NumberType
from callplane.resources.teams import (
    LicenceState,
    NumberOnTeams,
    Person,
    TeamsConfiguration,
)
from callplane.testing.manual_clock import ManualClock
from callplane.testing.provider_contract import ProviderContract, changes
from callplane.testing.provider_stage import (
    CALLING_PLAN_NUMBER,
    NUMBERS,
    PEOPLE,
    POLICIES,
    POLICY_TYPE,
    RETRY_AFTER_SECONDS,
    Misfortune,
    upn,
)
from callplane.values import E164, ConnectionId

__all__ = ["changes"]

MANY = 1_000_000


class InMemoryStage:
    """The provider over a world of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.world = World()
        self.people = {name: f"{name}-id" for name in PEOPLE}
        self.world.put_people(
            Person(
                user_id,
                upn(name),
                usage_location="GB",
                licence=LicenceState.ABSENT if name == "cara" else LicenceState.ENABLED,
            )
            for name, user_id in self.people.items()
        )
        self.world.put_configurations(
            TeamsConfiguration(self.people[name], phone_system_ready=name != "dora")
            for name in PEOPLE
        )
        self.world.put_numbers(NumberOnTeams(n, NumberType.DIRECT_ROUTING) for n in NUMBERS)
        self.world.put_numbers([NumberOnTeams(CALLING_PLAN_NUMBER, NumberType.CALLING_PLAN)])
        self.world.known_policies = {(POLICY_TYPE, name) for name in POLICIES}
        self.provider = InMemoryProvider(
            ConnectionId("inmemory", "tenant-1"), self.world, clock=self.clock
        )

    def strike(self, misfortune: Misfortune) -> None:
        faults = self.world.faults
        match misfortune:
            case Misfortune.READS_CUT | Misfortune.READS_THROTTLED:
                cut = misfortune is Misfortune.READS_CUT
                fault = inmemory.unavailable() if cut else inmemory.throttle(RETRY_AFTER_SECONDS)
                for verb in (Verb.READ, Verb.LIST):
                    faults.add(fault, verb=verb, times=MANY)
            case Misfortune.LISTING_CUT:
                faults.add(Fault(Unavailable("cut"), after_pages=1), verb=Verb.LIST)
            case Misfortune.BAD_ROW:
                faults.add(Fault(bad_rows=1), verb=Verb.LIST, family=Family.NUMBERS)
            case Misfortune.REQUEST_LOST:
                faults.add(inmemory.lost_before_commit())
            case Misfortune.ANSWER_LOST:
                faults.add(inmemory.lost_after_commit())
            case Misfortune.WRITE_THROTTLED:
                faults.add(inmemory.throttle(RETRY_AFTER_SECONDS))
            case Misfortune.ORDER_FAILS:
                faults.add(inmemory.order_fails())
            case Misfortune.ORDER_FORGOTTEN:
                faults.add(inmemory.order_is_lost())
            case Misfortune.CREDENTIALS_WITHDRAWN:
                for verb in Verb:
                    faults.add(inmemory.authentication_failed(), verb=verb, times=MANY)

    def calm(self) -> None:
        self.world.faults.clear()

    def orders_take(self, seconds: float) -> None:
        self.world.order_seconds = seconds

    def administrator_assigns(self, number: E164, name: str | None) -> None:
        self.world.administrator_assigns(number, self.people[name] if name else None)

    def administrator_groups(self, name: str, policy: str) -> None:
        self.world.administrator_groups(self.people[name], POLICY_TYPE, policy)

    def administrator_deletes(self, name: str) -> None:
        self.world.administrator_deletes(self.people[name])

    def add_numbers(self, count: int) -> None:
        first = 442920180000
        self.world.put_numbers(
            NumberOnTeams(E164(f"+{first + n}"), NumberType.DIRECT_ROUTING) for n in range(count)
        )

    def holder(self, number: E164) -> str | None:
        return self.world.true.numbers[number].holder_id

    def attempts(self) -> int:
        return sum(call.verb is Verb.SEND for call in self.world.journal)


@pytest.fixture
def stage() -> InMemoryStage:
    return InMemoryStage()


class TestInMemoryProvider(ProviderContract):
    """Every promise, kept."""
