"""What runs for one connection: provider, snapshot, register mirror, gate, budgets, and their
loops.

`tenant_pass` starts and stops it. Passes of objects only read it and ask it for things.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from callplane.engine.allocation import RangeStock
from callplane.engine.budgets import WriteBudget
from callplane.engine.gate_keeper import GateKeeper
from callplane.engine.keyed_queue import Priority
from callplane.engine.operations import OperationWatch
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.snapshots import ListingResult
from callplane.engine.tenant_snapshot import TenantSnapshot
from callplane.errors import scrub
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan import effects
from callplane.plan.change import Change, Operation, plan_name
from callplane.plan.gate import ChangeLimits
from callplane.providers.protocol import (
    AuthenticationFailed,
    Family,
    Provider,
    ProviderError,
    Throttled,
)
from callplane.resources.teams import NumberOnTeams, Person, TeamsConfiguration
from callplane.store.ports import Commit, EpochLost, Move, StoreUnavailable
from callplane.values import E164, ConnectionId, HolderId, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

log = logging.getLogger(__name__)

REGISTER_REFRESH_SECONDS = 10.0
REST_CHECK_SECONDS = 30.0
LISTING_RETRY_SECONDS = 5.0
RECOUNT_SECONDS = 1.0
# While credentials are refused, one listing in this time asks whether they are accepted again.
BREAKER_TRY_SECONDS = 300.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The parts of a connection's spec that its loops obey; rates are per second."""

    writes_per_second: float
    drift_reads_per_second: float
    max_in_flight: int
    drift_interval_seconds: float
    change_limits: ChangeLimits


@dataclass(slots=True)
class ConnectionHealth:
    """What the last attempts said. Empty strings mean that all is well."""

    breaker: str = ""
    listing_problem: str = ""
    register_problem: str = ""
    lost_to: str = ""
    restored: str = ""
    last_complete_listing: datetime | None = None
    bad_rows: int = 0
    pages_listed: int = 0
    rows: dict[Family, int] = field(default_factory=dict)


def write_burst(limits: ConnectionLimits) -> float:
    """A tenth of a second's worth: enough to keep workers busy, too little to trip a provider."""
    return max(1.0, limits.writes_per_second / 10)


class ConnectionRuntime:
    """One connection at work. All methods belong to the engine's event loop."""

    def __init__(
        self,
        engine: Engine,
        key: ObjectKey,
        *,
        provider: Provider,
        mirror: RegisterMirror,
        limits: ConnectionLimits,
    ) -> None:
        self.engine = engine
        self.key = key
        self.provider = provider
        self.mirror = mirror
        self.limits = limits
        self.snapshot = TenantSnapshot()
        self.health = ConnectionHealth()
        self.in_flight = asyncio.Semaphore(limits.max_in_flight)
        self.writes = WriteBudget(
            rate_per_second=limits.writes_per_second,
            burst=write_burst(limits),
            monotonic=engine.clock.monotonic,
            wake=engine.queue.add,
        )
        self.gate = GateKeeper(
            mirror,
            clock=engine.clock,
            limits=limits.change_limits,
            wake=self._wake_for_gate,
            moved=self._wake_plans,
        )
        self.operations = OperationWatch(self)
        # Loops that have nothing to do sleep until they are rung: an idle connection costs nothing.
        self._bells = {
            name: asyncio.Event() for name in ("operations", "gate", "budget", "register")
        }
        self.writes.ring = self._bells["budget"].set
        self.gate.ring = self._bells["gate"].set
        self.operations.ring = self._bells["operations"].set
        self._stocks: dict[ObjectKey, tuple[int, RangeStock]] = {}
        self._claiming: set[E164] = set()
        # What observed holders would be given.
        self.previews: dict[HolderId, E164] = {}
        # Tells whether the credentials in use are still those that the spec names.
        self.fingerprint = ""
        # The register's sequence that the connection's status is known to have shown.
        self.known_shown = 0
        # Objects whose deletion a person answered with Detach.
        self.detach_answers: set[ObjectKey] = set()
        # Answers whose objects are gone, until the gate has taken them back.
        self.withdrawn_answers: set[str] = set()
        self._bad_listings = 0
        self._try_again_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._list_now = asyncio.Event()
        self._listing = {family: asyncio.Lock() for family in Family}

    @property
    def connection(self) -> ConnectionId:
        return self.provider.connection

    @property
    def is_ready(self) -> bool:
        """May passes rely on this connection?"""
        return not (self.health.breaker or self.health.lost_to) and self.snapshot.complete

    def reconfigure(self, limits: ConnectionLimits) -> None:
        """An edit of the connection's limits takes effect without a restart."""
        if limits == self.limits:
            return
        if limits.max_in_flight != self.limits.max_in_flight:
            self.in_flight = asyncio.Semaphore(limits.max_in_flight)
        self.writes.reconfigure(rate_per_second=limits.writes_per_second, burst=write_burst(limits))
        self.gate.limits = limits.change_limits
        self.gate.ring()
        self.limits = limits
        self.request_listing()

    def start(self) -> None:
        loops: tuple[tuple[str, Callable[[], Awaitable[float | None]]], ...] = (
            ("listing", self._list_step),
            ("operations", self.operations.step),
            ("gate", self._gate_step),
            ("budget", self._budget_step),
            ("heartbeat", self._heartbeat_step),
            ("register", self._register_step),
        )
        for name, step in loops:
            task = asyncio.create_task(self._forever(name, step), name=f"{self.connection}:{name}")
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.mirror.close()
        await self.provider.close()

    async def _forever(self, name: str, step: Callable[[], Awaitable[float | None]]) -> None:
        """Run one loop; a failure is said and tried again, because a dead loop would be silent.

        A step returns the pause in seconds; None sleeps until the loop's bell is rung.
        """
        bell = self._bells.get(name, asyncio.Event())
        pause_seconds: float | None
        while True:
            bell.clear()
            try:
                pause_seconds = await step()
            except EpochLost:
                self.health.lost_to = "another installation has taken the connection"
                self.engine.queue.add(self.key, Priority.DEPENDENCY)
                return
            except StoreUnavailable as error:
                self._register_problem(str(error))
                pause_seconds = LISTING_RETRY_SECONDS
            except Exception:
                log.exception("loop %s of %s failed and is tried again", name, self.connection)
                pause_seconds = LISTING_RETRY_SECONDS
            # Not wait_for, which may swallow a cancellation that comes with the bell.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_seconds):
                    await bell.wait()

    def _register_problem(self, text: str) -> None:
        if not self.health.register_problem:
            self.health.register_problem = scrub(text)
            self.engine.queue.add(self.key, Priority.DEPENDENCY)

    # Listing

    def request_listing(self) -> None:
        """List as soon as may be, without waiting for the drift interval."""
        self._list_now.set()

    async def _list_step(self) -> float:
        if self.health.breaker:
            wait_seconds = self._try_again_at - self.engine.clock.monotonic()
            if wait_seconds > 0:
                return wait_seconds
        try:
            await self.list_everything()
        except AuthenticationFailed as error:
            self.open_breaker(str(error))
            return 0.0
        except Throttled as error:
            return max(error.retry_after_seconds, 0.1)
        except ProviderError as error:
            self._listing_problem(f"listing failed: {error}")
            return self._listing_pause()
        self._close_breaker()
        self._list_now.clear()
        if self.health.listing_problem:
            return self._listing_pause()
        self._bad_listings = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.drift_interval_seconds):
                await self._list_now.wait()
        return 0.0

    def _listing_pause(self) -> float:
        """Soon after the first bad listing, then ever later, never later than a good one."""
        self._bad_listings += 1
        pause_seconds = LISTING_RETRY_SECONDS * 2.0 ** min(self._bad_listings - 1, 10)
        return min(pause_seconds, self.limits.drift_interval_seconds)

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

    def _listing_problem(self, text: str) -> None:
        changed = self.health.listing_problem != scrub(text)
        if changed:
            log.warning("%s: %s", self.connection, scrub(text))
        self.health.listing_problem = scrub(text)
        if changed:
            self.engine.queue.add(self.key, Priority.DEPENDENCY)

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

    def open_breaker(self, message: str) -> None:
        """Authentication failed: nothing is sent until the credentials change, but for one listing
        now and then.
        """
        self._try_again_at = self.engine.clock.monotonic() + BREAKER_TRY_SECONDS
        if self.health.breaker:
            return
        self.health.breaker = scrub(message)
        log.warning("%s: credentials refused: %s", self.connection, self.health.breaker)
        self.engine.queue.add(self.key, Priority.DEPENDENCY)

    def _close_breaker(self) -> None:
        if self.health.breaker:
            self.health.breaker = ""
            log.info("%s: credentials work again", self.connection)
            self.engine.queue.add(self.key, Priority.DEPENDENCY)

    # Targeted reads: each goes into the snapshot.

    async def read_person(self, key: str) -> Person | None:
        async with self.in_flight:
            observed = await self._guarded(self.provider.read_person(key))
        self.snapshot.put_person(key, observed.row, observed_at=observed.observed_at)
        return observed.row

    async def read_number(self, number: E164) -> NumberOnTeams | None:
        async with self.in_flight:
            observed = await self._guarded(self.provider.read_number(number))
        self.snapshot.put_number(number, observed.row, observed_at=observed.observed_at)
        return observed.row

    async def read_configuration(self, user_id: str) -> TeamsConfiguration | None:
        async with self.in_flight:
            observed = await self._guarded(self.provider.read_configuration(user_id))
        self.snapshot.put_configuration(user_id, observed.row, observed_at=observed.observed_at)
        return observed.row

    async def _guarded(self, read: Awaitable[Answer]) -> Answer:
        """Refused credentials are a matter of the whole connection, whoever meets them first."""
        try:
            return await read
        except AuthenticationFailed as error:
            self.open_breaker(str(error))
            raise

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
        for kind in ("PhoneNumber", "NumberRange"):
            for cached in self.engine.cache.of_kind(kind):
                spec = getattr(cached.resource, "spec", None)
                spans = getattr(spec, "spans", None)
                if spans is not None and any(number in span for span in spans):
                    return f"{cached.key.namespace}/{cached.key.name}"
                if getattr(spec, "e164", None) == number.text:
                    return f"{cached.key.namespace}/{cached.key.name}"
        return ""

    # Gate, budget, register

    def _wake_for_gate(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self.engine.queue.add(key, Priority.USER)
        self.engine.queue.add(self.key, Priority.DEPENDENCY)

    def _wake_plans(self, digests: Iterable[str]) -> None:
        """ChangePlans and the connection show what the rows say; rows move many at a time."""
        for digest in digests:
            key = ObjectKey("ChangePlan", self.key.namespace, plan_name(digest))
            self.engine.queue.add_later(key, Priority.DEPENDENCY, RECOUNT_SECONDS)
        self.engine.queue.add_later(self.key, Priority.DEPENDENCY, RECOUNT_SECONDS)

    async def _gate_step(self) -> float | None:
        for answer in sorted(self.withdrawn_answers):
            await self.gate.forget_answer(answer)
            self.withdrawn_answers.discard(answer)
        may_close = self.engine.barrier_passed and self.snapshot.complete
        seconds = await self.gate.close_due(may_close=may_close)
        return None if seconds is None else max(seconds, 0.02)

    async def _budget_step(self) -> float | None:
        seconds = self.writes.serve()
        return None if seconds is None else max(seconds, 0.001)

    async def _heartbeat_step(self) -> float:
        now = self.engine.clock.now()
        cached = self.engine.cache.get(self.key)
        mirrored = int(cached.status.get("registerSequence") or 0) if cached is not None else 0
        await self.mirror.heartbeat(now=now, mirrored=0 if self.health.restored else mirrored)
        return self.engine.settings.heartbeat_stale_seconds / 10

    def refresh_register(self) -> None:
        """What the mirror holds was found out of date: read what has changed at once."""
        self._bells["register"].set()

    async def _register_step(self) -> float:
        """Take in what others changed, and let numbers whose rest is over become free."""
        touched = await self.mirror.refresh()
        if self.health.register_problem:
            self.health.register_problem = ""
            self.engine.queue.add(self.key, Priority.DEPENDENCY)
            self.engine.queue.try_failed()
        self._wake_users((holder.user_id for holder in touched), Priority.DEPENDENCY)
        await self._end_rests()
        return REGISTER_REFRESH_SECONDS

    async def _end_rests(self) -> None:
        now = self.engine.clock.now()
        rested = [
            Move(
                number=row.number,
                expected=NumberState.QUARANTINED,
                to=NumberState.FREE,
                cause=Cause.ELAPSE,
                range_name=row.range_name,
            )
            for row in self.mirror.numbers.values()
            if row.state is NumberState.QUARANTINED
            and row.quarantined_until is not None
            and row.quarantined_until <= now
        ]
        if rested:
            await self.mirror.commit(Commit(moves=rested), now=now)

    # Numbers of ranges

    def stock(self, key: ObjectKey, generation: int, build: Callable[[], RangeStock]) -> RangeStock:
        """The free numbers of a range; built anew when the range was edited."""
        known = self._stocks.get(key)
        if known is None or known[0] != generation:
            known = (generation, build())
            self._stocks[key] = known
        return known[1]

    def is_free(self, number: E164) -> bool:
        """Not in the register, not observed as assigned, and not being claimed by another pass."""
        if number in self.mirror.numbers or number in self._claiming:
            return False
        observed = self.snapshot.number(number)
        return observed is None or (observed.holder_id is None and not observed.on_premises)

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
