"""What runs for one calling platform: provider, snapshot, orders under way, beside what every
connection has (`connection_core`).

The pass of the connection starts and stops it. Passes of objects only read it and ask it for
things.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING

from callplane.engine.allocation import RangeStock
from callplane.engine.connection_core import (
    ConnectionCore,
    ConnectionHealth,
    ConnectionLimits,
    Step,
)
from callplane.engine.keyed_queue import Priority
from callplane.engine.operations import OperationWatch
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.snapshots import ListingResult
from callplane.engine.tenant_snapshot import TenantSnapshot
from callplane.plan import effects
from callplane.plan.change import Change, Operation
from callplane.providers.call_reports import CallReports
from callplane.providers.protocol import (
    Family,
    Provider,
    ProviderError,
)
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.resources.webex import COMPANIONS
from callplane.values import E164, HolderId, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

log = logging.getLogger(__name__)

__all__ = ["ConnectionHealth", "ConnectionLimits", "ConnectionRuntime"]


class ConnectionRuntime(ConnectionCore):
    """One calling platform at work."""

    def __init__(
        self,
        engine: Engine,
        key: ObjectKey,
        *,
        provider: Provider,
        mirror: RegisterMirror,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(engine, key, connection=provider.connection, mirror=mirror, limits=limits)
        self.provider = provider
        self.snapshot = TenantSnapshot()
        self.operations = OperationWatch(self)
        self.operations.ring = self._bells["operations"].set
        self._stocks: dict[ObjectKey, tuple[int, RangeStock]] = {}
        self._claiming: set[E164] = set()
        # When a person's settings were last read whole, monotonic seconds by user id.
        self.unlisted_read_at: dict[str, float] = {}
        # What observed holders would be given.
        self.previews: dict[HolderId, E164] = {}
        # Numbers in use by emergency location, and which listing they were counted in.
        self._located: Counter[str] = Counter()
        self._located_at: float | None = None
        self._listing = {family: asyncio.Lock() for family in Family}

    @property
    def is_observed(self) -> bool:
        return self.snapshot.complete

    @property
    def oldest_complete_at(self) -> float | None:
        return self.snapshot.oldest_complete_at

    def numbers_at(self, location_id: str) -> int:
        """Numbers in use that the last listing showed with this emergency location. Counted once a
        listing for all locations, because there may be many of both.
        """
        listed_at = self.snapshot.numbers.complete_at
        if self._located_at != listed_at:
            self._located_at = listed_at
            self._located = Counter(
                row.location_id.lower()
                for row in self.snapshot.numbers.rows()
                if row.holder_id is not None and row.location_id
            )
        return self._located[location_id]

    def loops(self) -> dict[str, Step]:
        return {**super().loops(), "operations": self.operations.step}

    async def close_provider(self) -> None:
        await self.provider.close()

    @property
    def call_reports(self) -> CallReports | None:
        found = getattr(self.provider, "call_reports", None)
        return found if isinstance(found, CallReports) else None

    def number_of(self, user_id: str) -> str:
        numbers = self.snapshot.numbers_of(user_id)
        return next((row.number.text for row in numbers if row.is_primary), "")

    def has_number(self, number: E164) -> bool:
        return self.snapshot.number(number) is not None

    def register_touched(self, holders: Iterable[HolderId]) -> None:
        self._wake_users((holder.user_id for holder in holders), Priority.DEPENDENCY)

    # Listing

    async def list_everything(self) -> None:
        """One full observation. It wakes objects whose holders changed; the first wakes all."""
        was_complete = self.snapshot.complete
        began = self.engine.clock.now()
        problems: list[str] = []
        self.health.bad_rows = 0
        for family in Family:
            problem = await self.list_family(family, priority=Priority.DRIFT)
            if problem:
                problems.append(f"{family.value}: {problem}")
        if problems:
            self._listing_problem("; ".join(problems))
        else:
            self.health.listing_problem = ""
            self.health.last_complete_listing = began
        if self.snapshot.complete and not was_complete:
            for key in self.engine.cache.dependents(self.key):
                self.engine.queue.add(key, Priority.INITIAL)
        for key in self.mirror.proposers():
            if self.engine.cache.get(key) is None:
                await self.gate.withdraw(key)
        self.engine.queue.add(self.key, Priority.DRIFT)

    async def list_family(self, family: Family, *, priority: Priority) -> str:
        """List one family into the snapshot; returns why it is suspect, empty when it is not."""
        # The drift check and the watch of many orders may want the same family at one time.
        async with self._listing[family]:
            result, users = await self._read_family(family)
        self.health.rows[family] = result.rows
        if self.snapshot.complete:
            self._wake_users(users, priority)
            if family is Family.NUMBERS:
                self._wake_for_numbers(result.changed, priority)
        return result.suspect

    async def _read_family(self, family: Family) -> tuple[ListingResult, frozenset[str]]:
        page_pause = 1.0 / self.limits.drift_reads_per_second
        self.snapshot.begin(family, self.engine.clock.monotonic())
        has_end_marker = False
        try:
            async for page in self.provider.list_pages(family):
                self.snapshot.add_page(page)
                self.health.pages_listed += 1
                self.health.bad_rows += page.bad_rows
                has_end_marker = page.last
                if not page.last:
                    await asyncio.sleep(page_pause)
        except ProviderError:
            self.snapshot.end(family, has_end_marker=False)
            raise
        return self.snapshot.end(family, has_end_marker=has_end_marker)

    def _wake_users(self, user_ids: Iterable[str], priority: Priority) -> None:
        """Objects that declare these people, also those that could not be given a holder yet."""
        for user_id in user_ids:
            row = self.mirror.holders.get(self.holder(user_id))
            if row is not None and row.declared_by is not None:
                self.engine.queue.add(row.declared_by.key, priority)
            person = self.snapshot.person(user_id)
            for name in (user_id, person.user_principal_name if person is not None else ""):
                for cached in self.engine.cache.declaring(self.key, name):
                    self.engine.queue.add(cached.key, priority)

    def _wake_for_numbers(self, numbers: Iterable[Hashable], priority: Priority) -> None:
        """A listing shows numbers otherwise than before: who has a right to one looks, and who
        waits for one.
        """
        changed = [number for number in numbers if isinstance(number, E164)]
        for number in changed:
            row = self.mirror.numbers.get(number)
            if row is not None and row.declared_by is not None:
                self.engine.queue.add(row.declared_by.key, priority)
            self.engine.waiters.wake_for(number)
        if changed:
            # Numbers that were somebody else's may be free now.
            for range_name in self.engine.waiters.all_ranges():
                self.engine.waiters.range_has_free(range_name, len(changed))

    def holder(self, user_id: str) -> HolderId:
        return self.engine.holder_on(self.connection, user_id)

    # Targeted reads: each goes into the snapshot.

    async def read_person(self, key: str) -> Person | None:
        async with self.in_flight:
            observed = await self.guarded(self.provider.read_person(key))
        self.snapshot.put_person(key, observed.row, observed_at=observed.observed_at)
        return observed.row

    async def read_number(self, number: E164) -> NumberOnPlatform | None:
        async with self.in_flight:
            return await self.read_number_in_flight(number)

    async def read_number_in_flight(self, number: E164) -> NumberOnPlatform | None:
        """For a write whose turn has come: it waits for no other one."""
        observed = await self.guarded(self.provider.read_number(number))
        self.snapshot.put_number(number, observed.row, observed_at=observed.observed_at)
        return observed.row

    async def read_configuration(self, user_id: str) -> CallingConfiguration | None:
        async with self.in_flight:
            return await self.read_configuration_in_flight(user_id)

    async def read_configuration_in_flight(self, user_id: str) -> CallingConfiguration | None:
        """For a write whose turn has come: it waits for no other one."""
        observed = await self.guarded(self.provider.read_configuration(user_id))
        self.snapshot.put_configuration(user_id, observed.row, observed_at=observed.observed_at)
        if observed.row is not None:
            self.unlisted_read_at[user_id] = observed.observed_at
        return observed.row

    def touch(self, change: Change) -> None:
        """A write of ours is out: what was read before it counts no more, unless it shows the
        effect.
        """
        lag_seconds = self.provider.capabilities.read_after_write_lag_seconds
        until = self.engine.clock.monotonic() + lag_seconds
        if change.operation is Operation.SET_POLICY:
            self.snapshot.configurations.mark_dirty(
                change.subject, until, lambda row: effects.policy_shows(row, change)
            )
        elif change.number is not None:
            self.snapshot.numbers.mark_dirty(
                E164(change.number), until, lambda row: effects.number_shows(row, change)
            )
            if any(field in (change.after or {}) for field in COMPANIONS.values()):
                self.snapshot.configurations.mark_dirty(
                    change.subject, until, lambda row: effects.companions_show(row, change)
                )
            if change.operation is Operation.UNASSIGN_NUMBER:
                # Teams itself goes on showing the number; the next assignment looks there.
                number = E164(change.number)
                self.snapshot.configurations.mark_dirty(
                    change.subject, until, lambda row: row is None or number not in row.numbers
                )

    def range_name_of(self, number: E164) -> str:
        """The range or number object that holds a number, as namespace/name; empty when none
        does.
        """
        for cached in self.engine.cache.holding(number):
            return f"{cached.key.namespace}/{cached.key.name}"
        return ""

    # Numbers of ranges

    def stock(self, key: ObjectKey, generation: int, build: Callable[[], RangeStock]) -> RangeStock:
        """The free numbers of a range; built anew when the range was edited."""
        known = self._stocks.get(key)
        if known is None or known[0] != generation:
            known = (generation, build())
            self._stocks[key] = known
        return known[1]

    def is_free(self, number: E164) -> bool:
        """Not in the register, on no platform assigned, and not being claimed by another pass."""
        if number in self.mirror.numbers or number in self._claiming:
            return False
        if self.engine.row_elsewhere(number, self) is not None:
            return False
        return not self.shows(number) and self.seen_elsewhere(number) is None

    def shows(self, number: E164) -> bool:
        """Has anybody the number on this platform, whether or not something declares them?"""
        row = self.snapshot.number(number)
        return row is not None and (row.holder_id is not None or row.on_premises)

    def seen_elsewhere(self, number: E164) -> ConnectionRuntime | None:
        """Another platform on which somebody has the number."""
        others = (each for each in self.engine.connections.values() if each is not self)
        return next((each for each in others if each.shows(number)), None)

    def begin_claim(self, number: E164) -> None:
        self._claiming.add(number)

    def end_claim(
        self, number: E164, *, is_free_still: bool = False, of: ObjectKey | None = None
    ) -> None:
        """The claim is made or came to nothing; then its range may hand the number out again."""
        self._claiming.discard(number)
        known = self._stocks.get(of) if of is not None else None
        if is_free_still and known is not None:
            known[1].give_back(number)
