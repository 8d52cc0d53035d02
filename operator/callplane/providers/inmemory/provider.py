"""The in-memory provider: the protocol of `providers.protocol` over a `World`, for tests and dry
runs.

It is made by name through the registry like any other, in tests and simulations, and keeps every
promise of the contract suite.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from callplane.clock import Clock
from callplane.plan.change import Change, Operation
from callplane.providers.inmemory.faults import Call, Fault, Listing, Verb
from callplane.providers.inmemory.world import World
from callplane.providers.orders import AssignNumber, UnassignNumber
from callplane.providers.protocol import (
    Accepted,
    Capabilities,
    Done,
    Family,
    Observed,
    OperationStatus,
    Page,
    Unavailable,
    Unsupported,
)
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164, ConnectionId

DEFAULT_PAGE_ROWS = 1000

AnyRow = Person | NumberOnPlatform | CallingConfiguration


def everything_supported(change: Change) -> Unsupported | None:
    return None


class InMemoryProvider:
    """One connection to one `World`; the journal of the world says what was asked of it."""

    def __init__(
        self,
        connection: ConnectionId,
        world: World,
        *,
        clock: Clock,
        page_rows: int = DEFAULT_PAGE_ROWS,
        unsupported: Callable[[Change], Unsupported | None] = everything_supported,
    ) -> None:
        self.connection = connection
        self.world = world
        self.capabilities = Capabilities(read_after_write_lag_seconds=world.read_lag_seconds)
        self.credentials_end_at: datetime | None = None
        self.closed = False
        self._clock = clock
        self._page_rows = page_rows
        self._unsupported = unsupported

    def unsupported(self, change: Change) -> Unsupported | None:
        return self._unsupported(change)

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        fault = await self._arrive(Call(Verb.LIST, family=family)) or Fault()
        listing = fault.listing
        keys = self._keys(family)
        if listing is Listing.EMPTY:
            keys = ()
        elif listing is Listing.HALF:
            keys = keys[: len(keys) // 2]
        elif listing is Listing.TWICE:
            keys = (*keys, *keys)
        for page, start in enumerate(range(0, max(len(keys), 1), self._page_rows)):
            if page >= fault.after_pages:
                _raise_for(fault)
            observed_at = self._clock.monotonic()
            self.world.settle(observed_at)
            chosen = keys[start : start + self._page_rows]
            rows = (self._row(family, key) for key in chosen)
            last = start + self._page_rows >= len(keys)
            if last and listing is Listing.WITHOUT_END:
                last = False
            yield Page(
                family,
                tuple(row for row in rows if row is not None),
                observed_at,
                last,
                fault.bad_rows if page == 0 else 0,
            )
            await asyncio.sleep(0)

    async def read_person(self, key: str) -> Observed[Person]:
        observed_at = await self._arrive_reading(Family.PEOPLE, key)
        people = self.world.seen.people
        row = people.get(key)
        if row is None:
            wanted = key.lower()
            named = [p for p in people.values() if p.user_principal_name == wanted]
            # A live person goes before a deleted one of the same name.
            row = min(named, key=lambda person: person.deleted, default=None)
        return Observed(row, observed_at)

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]:
        observed_at = await self._arrive_reading(Family.NUMBERS, number.text)
        return Observed(self.world.seen.numbers.get(number), observed_at)

    async def read_configuration(self, user_id: str) -> Observed[CallingConfiguration]:
        observed_at = await self._arrive_reading(Family.CONFIGURATIONS, user_id)
        return Observed(self.world.seen.configurations.get(user_id), observed_at)

    async def send(self, change: Change, *, request_id: str) -> Done | Accepted:
        call = Call(Verb.SEND, key=change.subject, change=change, request_id=request_id)
        fault = await self._arrive(call)
        if fault is not None and not fault.committed:
            _raise_for(fault)
        if change.operation is Operation.CREATE_PERSON:
            self.world.create_person(change.subject)
            _raise_for(fault)
            return Done()
        order = self.world.check(change)
        now = self._clock.monotonic()
        answer: Done | Accepted
        if isinstance(order, AssignNumber | UnassignNumber):
            answer = Accepted(self.world.start(order, now=now, fault=fault))
        else:
            self.world.carry_out(order, now=now)
            answer = Done()
        _raise_for(fault)
        return answer

    async def poll(self, operation: str) -> OperationStatus:
        fault = await self._arrive(Call(Verb.POLL, key=operation))
        _raise_for(fault)
        return self.world.operation_status(operation)

    async def close(self) -> None:
        self.closed = True

    async def _arrive(self, call: Call) -> Fault | None:
        """Let others run, as a network would; then note the call and take the fault meant for
        it.
        """
        if self.closed:
            raise Unavailable(f"the provider of {self.connection} is closed")
        await asyncio.sleep(0)
        self.world.journal.append(call)
        self.world.settle(self._clock.monotonic())
        return self.world.faults.take(call)

    async def _arrive_reading(self, family: Family, key: str) -> float:
        observed_at = self._clock.monotonic()
        _raise_for(await self._arrive(Call(Verb.READ, family=family, key=key)))
        return observed_at

    def _keys(self, family: Family) -> Sequence[str | E164]:
        seen = self.world.seen
        match family:
            case Family.PEOPLE:
                # As the directory does: soft-deleted people are not in the listing.
                return tuple(key for key, person in seen.people.items() if not person.deleted)
            case Family.NUMBERS:
                return tuple(seen.numbers)
            case Family.CONFIGURATIONS:
                return tuple(seen.configurations)

    def _row(self, family: Family, key: str | E164) -> AnyRow | None:
        seen = self.world.seen
        if isinstance(key, E164):
            return seen.numbers.get(key)
        if family is Family.PEOPLE:
            return seen.people.get(key)
        return seen.configurations.get(key)


def _raise_for(fault: Fault | None) -> None:
    if fault is not None and fault.error is not None:
        raise fault.error
