"""The in-memory provider keeps every promise of the provider contract."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest

from callplane.errors import OutcomeUnknown
from callplane.plan.change import Change, Operation
from callplane.providers import inmemory
from callplane.providers.inmemory import Fault, InMemoryProvider, Verb, World
from callplane.providers.protocol import (
    Accepted,
    Done,
    Family,
    Observed,
    OperationState,
    OperationStatus,
    Page,
    Provider,
    Unavailable,
)
from callplane.resources.lines import NumberType
from callplane.resources.platforms import (
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
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
    Changes,
    Misfortune,
    upn,
)
from callplane.values import E164, ConnectionId

__all__ = ["changes"]

MANY = 1_000_000


class InMemoryStage:
    """The provider over a world of its own."""

    def __init__(self, kind: type[InMemoryProvider] = InMemoryProvider) -> None:
        self.clock = ManualClock()
        self.world = World()
        self.people: Mapping[str, str] = {name: f"{name}-id" for name in PEOPLE}
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
            CallingConfiguration(self.people[name], phone_system_ready=name != "dora")
            for name in PEOPLE
        )
        self.world.put_numbers(NumberOnPlatform(n, NumberType.DIRECT_ROUTING) for n in NUMBERS)
        self.world.put_numbers([NumberOnPlatform(CALLING_PLAN_NUMBER, NumberType.CALLING_PLAN)])
        self.world.known_policies = {(POLICY_TYPE, name) for name in POLICIES}
        self.provider: Provider = kind(
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
            NumberOnPlatform(E164(f"+{first + n}"), NumberType.DIRECT_ROUTING) for n in range(count)
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


# --- mutants: a provider that breaks one promise must be caught by it ---


class RepeatsWrites(InMemoryProvider):
    """Tries again when no answer came."""

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        try:
            return await super().send(change, request_id=request_id)
        except OutcomeUnknown:
            return await super().send(change, request_id=request_id)


class ForgetsThatItMayHaveHappened(InMemoryProvider):
    """Takes a lost answer for a request that never left."""

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        try:
            return await super().send(change, request_id=request_id)
        except OutcomeUnknown as error:
            raise Unavailable("not sent") from error


class TakesFailureForAbsence(InMemoryProvider):
    """Says that there is nothing when it could not look."""

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]:
        try:
            return await super().read_number(number)
        except Unavailable:
            return Observed(None, self._clock.monotonic())


class EndsBrokenListings(InMemoryProvider):
    """Gives a broken listing the end that it lacks."""

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        pages = super().list_pages(family)
        try:
            async for page in pages:
                yield page
        except Unavailable:
            yield Page(family, (), self._clock.monotonic(), last=True)


class ForgetsBadRows(InMemoryProvider):
    """Leaves out what it cannot read, and says nothing."""

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        async for page in super().list_pages(family):
            yield dataclasses.replace(page, bad_rows=0)


class DatesReadsLate(InMemoryProvider):
    """Says when the answer came, not when the request began."""

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        held: Page | None = None
        async for page in super().list_pages(family):
            if held is not None:
                yield dataclasses.replace(held, observed_at=0.0)
            held = page
        if held is not None:
            yield dataclasses.replace(held, observed_at=0.0)


class TakesNumbersOver(InMemoryProvider):
    """Frees a number that somebody else has, to give it away."""

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        if change.operation is Operation.ASSIGN_NUMBER and change.number is not None:
            self.world.administrator_assigns(E164(change.number), None)
        return await super().send(change, request_id=request_id)


class CallsLostOrdersFailed(InMemoryProvider):
    """Takes an order that nobody remembers for one that failed."""

    async def poll(self, operation: str) -> OperationStatus:
        status = await super().poll(operation)
        lost = status.state is OperationState.LOST
        return OperationStatus(OperationState.FAILED, "gone") if lost else status


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (RepeatsWrites, ProviderContract.test_a_write_without_an_answer_is_unknown),
        (ForgetsThatItMayHaveHappened, ProviderContract.test_a_write_without_an_answer_is_unknown),
        (TakesFailureForAbsence, ProviderContract.test_a_cut_read_is_unknown_and_not_absent),
        (EndsBrokenListings, ProviderContract.test_a_broken_listing_has_no_end),
        (ForgetsBadRows, ProviderContract.test_a_row_that_cannot_be_read_is_counted),
        (DatesReadsLate, ProviderContract.test_a_read_says_when_its_request_began),
        (TakesNumbersOver, ProviderContract.test_a_number_of_another_user_is_never_taken_over),
        (
            CallsLostOrdersFailed,
            ProviderContract.test_an_order_that_is_forgotten_is_lost_and_not_failed,
        ),
    ],
)
async def test_a_mutant_is_caught(
    mutant: type[InMemoryProvider], promise: Callable[..., Awaitable[None]]
) -> None:
    stage = InMemoryStage(mutant)
    offered = {
        "stage": stage,
        "changes": Changes(stage),
        "misfortune": Misfortune.ANSWER_LOST,
        "holder": "anna",
    }
    wanted = inspect.signature(promise).parameters
    arguments = {name: value for name, value in offered.items() if name in wanted}
    with pytest.raises((AssertionError, pytest.fail.Exception, Unavailable)):
        await promise(ProviderContract(), **arguments)
