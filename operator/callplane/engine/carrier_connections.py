"""What runs for one carrier: provider, what the account owns, its money, beside what every
connection has (`connection_core`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from callplane.engine import carrier_memory
from callplane.engine.carrier_memory import TakenOff
from callplane.engine.connection_core import ConnectionCore, ConnectionLimits
from callplane.engine.keyed_queue import Priority
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.snapshots import FamilySnapshot, ListingResult
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Operation
from callplane.providers.call_reports import CallReports
from callplane.providers.carrier_protocol import CarrierAction, CarrierProvider
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import NOT_SHOWN, Balance, NumberOnCarrier
from callplane.values import E164, HolderId, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

log = logging.getLogger(__name__)

#: States in which the carrier's own connection has a number's row.
ON_ITS_WAY = frozenset({NumberState.ORDERING, NumberState.PORTING_IN})


# How old a setting may be that only a read of the number shows.
UNLISTED_AGE_SECONDS = 3600.0


class CarrierRuntime(ConnectionCore):
    """One carrier at work."""

    def __init__(
        self,
        engine: Engine,
        key: ObjectKey,
        *,
        provider: CarrierProvider,
        mirror: RegisterMirror,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(engine, key, connection=provider.connection, mirror=mirror, limits=limits)
        self.provider = provider
        self.numbers: FamilySnapshot[NumberOnCarrier] = FamilySnapshot()
        self.balance: Balance | None = None
        # Numbers that a pass is about to order, so that two passes see one another's purchases.
        self.buying: set[E164] = set()
        # Numbers that have just become ours and that no read has shown yet.
        self.arrived: set[E164] = carrier_memory.arrived(mirror)
        # How far orders and ports have come, by number: what their objects show.
        self.progress: dict[E164, dict[str, Any]] = {}
        # What a release has taken off its number: it is put back when the number is kept.
        self.taken_off: dict[E164, TakenOff] = carrier_memory.taken_off(mirror)
        # What the last listing said nothing of, by number, and when a read last showed it.
        self.unlisted: dict[E164, frozenset[str]] = {}
        self.detailed_at: dict[E164, float] = {}
        # What was refused at once, and for which spec.
        self.refusals: dict[E164, str] = carrier_memory.refused(mirror)

    def can(self, action: CarrierAction) -> bool:
        return self.provider.capabilities.supports(action)

    @property
    def is_observed(self) -> bool:
        return not self.can(CarrierAction.LIST) or self.numbers.complete_at is not None

    @property
    def oldest_complete_at(self) -> float | None:
        return self.numbers.complete_at

    @property
    def owned(self) -> int:
        """Numbers that the account owns, as last seen, and those that came since."""
        self.arrived = {number for number in self.arrived if self.known(number) is None}
        return len(self.numbers) + len(self.arrived)

    @property
    def on_its_way(self) -> int:
        """Numbers on order or being ported in, also those that somebody has meanwhile."""
        rows = self.mirror.numbers.values()
        ordering = {row.number for row in rows if row.state in ON_ITS_WAY}
        return len(ordering | self.acquiring(*carrier_memory.ACQUISITIONS) | self.buying)

    def acquiring(self, *operations: Operation) -> set[E164]:
        """Numbers that were ordered, or whose port was asked for, and have not come yet."""
        wanted = {operation.value for operation in operations}
        return {
            E164(intent.holder.user_id)
            for intent in self.mirror.all_open_intents()
            if intent.change["op"] in wanted
        }

    @property
    def under_way(self) -> int:
        """Numbers on their way in or out, those with a write that has not been seen to end, and
        those that are still to get back what a release took off.
        """
        open_ones = {E164(intent.holder.user_id) for intent in self.mirror.all_open_intents()}
        rows = self.mirror.numbers.values()
        return len(
            open_ones
            | self.buying
            | set(self.taken_off)
            | {r.number for r in rows if r.state in ON_ITS_WAY}
        )

    def claims(self) -> int:
        return self.owned

    async def close_provider(self) -> None:
        await self.provider.close()

    @property
    def call_reports(self) -> CallReports | None:
        found = getattr(self.provider, "call_reports", None)
        return found if isinstance(found, CallReports) else None

    def has_number(self, number: E164) -> bool:
        return self.known(number) is not None

    def is_charged(self, number: E164) -> bool:
        """Whoever has the number, perhaps in a system that another process works, calls and is
        called by our SBC.
        """
        return self.has_number(number) and not self.is_past_our_sbc(number)

    def register_touched(self, holders: Iterable[HolderId]) -> None:
        """An administrator changed rows here: whoever names this carrier looks again."""
        if any(True for _ in holders):
            self._wake_dependents(Priority.DEPENDENCY)

    async def list_everything(self) -> None:
        """One full observation; objects of this carrier look at what it changed."""
        was_observed = self.is_observed
        began = self.engine.clock.now()
        self.health.bad_rows = 0
        result = await self._list_numbers() if self.can(CarrierAction.LIST) else None
        if result is not None and result.suspect:
            self._listing_problem(f"numbers: {result.suspect}")
        else:
            self.health.listing_problem = ""
            self.health.last_complete_listing = began
        moved = await self._read_balance()
        if self.is_observed and (not was_observed or moved or (result and result.changed)):
            self._wake_dependents(Priority.DRIFT if was_observed else Priority.INITIAL)
        for number in carrier_memory.arrived(self.mirror):
            if self.known(number) is not None:
                await carrier_memory.seen(self.mirror, number, now=began)
        for key in self.mirror.proposers():
            if self.engine.cache.get(key) is None:
                await self.gate.withdraw(key)
        self.engine.queue.add(self.key, Priority.DRIFT)

    async def _list_numbers(self) -> ListingResult:
        page_pause = 1.0 / self.limits.drift_reads_per_second
        self.numbers.begin_listing(self.engine.clock.monotonic())
        has_end_marker = False
        try:
            async for page in self.provider.list_pages():
                self.numbers.add_page(
                    ((row.number, self._with_known(row)) for row in page.rows),
                    observed_at=page.observed_at,
                    bad_rows=page.bad_rows,
                )
                self.health.pages_listed += 1
                self.health.bad_rows += page.bad_rows
                has_end_marker = page.last
                if not page.last:
                    await asyncio.sleep(page_pause)
        except ProviderError:
            self.numbers.end_listing(has_end_marker=False)
            raise
        return self.numbers.end_listing(has_end_marker=has_end_marker)

    def _with_known(self, row: NumberOnCarrier) -> NumberOnCarrier:
        """What a listing does not show stays as a targeted read has shown it."""
        unlisted = [
            field.name for field in dataclasses.fields(row) if getattr(row, field.name) is NOT_SHOWN
        ]
        self.unlisted[row.number] = frozenset(unlisted)
        known = self.known(row.number)
        if known is None or not unlisted:
            return row
        return dataclasses.replace(row, **{name: getattr(known, name) for name in unlisted})

    def details_are_old(self, number: E164, fields: Iterable[str]) -> bool:
        """Is any of these fields one that no listing shows, and was it read too long ago to tell
        whether somebody has changed it since?
        """
        if self.unlisted.get(number, frozenset()).isdisjoint(fields):
            return False
        read_at = self.detailed_at.get(number, float("-inf"))
        return self.engine.clock.monotonic() - read_at >= UNLISTED_AGE_SECONDS

    async def _read_balance(self) -> bool:
        """Returns whether there is money again where there was none."""
        if not self.can(CarrierAction.BALANCE):
            return False
        before = self.balance
        self.balance = (await self.guarded(self.provider.read_balance())).row
        return _is_spent(before) and not _is_spent(self.balance)

    def _wake_dependents(self, priority: Priority) -> None:
        for key in self.engine.cache.dependents(self.key):
            self.engine.queue.add(key, priority)

    async def read_number(self, number: E164) -> NumberOnCarrier | None:
        """A targeted read, which goes into the snapshot."""
        async with self.in_flight:
            return await self.read_number_in_flight(number)

    async def read_number_in_flight(self, number: E164) -> NumberOnCarrier | None:
        """For a write whose turn has come: it waits for no other one."""
        observed = await self.guarded(self.provider.read_number(number))
        self.numbers.put(number, observed.row, observed_at=observed.observed_at)
        self.detailed_at[number] = self.engine.clock.monotonic()
        if self.known(number) is not None:
            self.arrived.discard(number)
        return observed.row

    def believe(self, row: NumberOnCarrier) -> None:
        """A read that shows the effect of our own write counts, however young the write is."""
        self.numbers.mark_dirty(row.number, 0.0, lambda _: True)
        self.numbers.put(row.number, row, observed_at=self.engine.clock.monotonic())

    def known(self, number: E164) -> NumberOnCarrier | None:
        """What is known of a number without asking; None: nothing, or that it is not ours."""
        entry = self.numbers.get(number)
        return entry.row if entry is not None else None

    def recall(self, number: E164) -> None:
        """What the register remembers of a number has changed."""
        remembered = carrier_memory.row_of(self.mirror, number).applied
        if carrier_memory.ARRIVED in remembered:
            self.arrived.add(number)
        if carrier_memory.TAKEN_OFF not in remembered:
            self.taken_off.pop(number, None)

    def touch(self, number: E164) -> None:
        """A write of ours is out: what was read before it counts no more."""
        lag_seconds = self.provider.capabilities.read_after_write_lag_seconds
        until = self.engine.clock.monotonic() + lag_seconds
        self.numbers.mark_dirty(number, until, lambda row: False)


def _is_spent(balance: Balance | None) -> bool:
    return balance is not None and balance.spendable.amount_micros <= 0
