"""What every connection has, whatever it connects to: register mirror, gate, budgets, breaker, and
the loops that keep them.

`connections.ConnectionRuntime` adds a calling platform to it, `carrier_connections` a carrier.
Passes of objects only read a connection and ask it for things.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from callplane.apis.number_ranges import FOREIGN_ROUTES
from callplane.apis.references import SecretKeyRef
from callplane.engine.budgets import WriteBudget
from callplane.engine.call_evidence import EvidenceReader
from callplane.engine.gate_keeper import GateKeeper
from callplane.engine.keyed_queue import Priority
from callplane.engine.register_mirror import RegisterMirror
from callplane.errors import scrub
from callplane.numbering.lifecycle import HELD, Cause, NumberState
from callplane.plan.change import plan_name
from callplane.plan.gate import ChangeLimits
from callplane.providers.call_reports import CallReports
from callplane.providers.protocol import (
    AuthenticationFailed,
    Family,
    PermissionMissing,
    ProviderError,
    Throttled,
)
from callplane.store.ports import Commit, EpochLost, Move, StoreUnavailable
from callplane.values import E164, ConnectionId, HolderId, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

log = logging.getLogger(__name__)

REGISTER_REFRESH_SECONDS = 10.0
LISTING_RETRY_SECONDS = 5.0
RECOUNT_SECONDS = 1.0
# While credentials are refused, one listing in this time asks whether they are accepted again.
BREAKER_TRY_SECONDS = 300.0
STALE_INTERVALS = 2

Answer = TypeVar("Answer")
CALLS_RETRY_SECONDS = 300.0
CALLS_FORBIDDEN_SECONDS = 3_600.0
Step = Callable[[], Awaitable[float | None]]


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


class ConnectionCore(abc.ABC):
    """One connection at work. All methods belong to the engine's event loop."""

    def __init__(
        self,
        engine: Engine,
        key: ObjectKey,
        *,
        connection: ConnectionId,
        mirror: RegisterMirror,
        limits: ConnectionLimits,
    ) -> None:
        self.engine = engine
        self.key = key
        self.connection = connection
        self.mirror = mirror
        self.limits = limits
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
            claims=self.claims,
            stands=lambda answer: engine.answer_stands(key, answer),
        )
        # Loops that have nothing to do sleep until they are rung: an idle connection costs nothing.
        self._bells = {
            name: asyncio.Event() for name in ("operations", "gate", "budget", "register")
        }
        self.writes.ring = self._bells["budget"].set
        self.gate.ring = self._bells["gate"].set
        # Tells whether the credentials in use are still those that the spec names.
        self.fingerprint = ""
        self.secrets: tuple[SecretKeyRef, ...] = ()
        # The register's sequence when this came to work, the highest that was seen in this process
        # before, and the one that the connection's status is known to have shown.
        self.found_sequence = 0
        self.seen_sequence = 0
        self.known_shown = 0
        # Objects whose deletion a person answered with Detach.
        self.detach_answers: set[ObjectKey] = set()
        # Answers whose objects are gone, until the gate has taken them back.
        self.withdrawn_answers: set[str] = set()
        self._bad_listings = 0
        self._try_again_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._list_now = asyncio.Event()

    @property
    @abc.abstractmethod
    def is_observed(self) -> bool:
        """Has everything been listed completely at least once?"""

    @property
    @abc.abstractmethod
    def oldest_complete_at(self) -> float | None:
        """When the oldest of the last complete listings began, monotonic seconds; None before the
        first.
        """

    @abc.abstractmethod
    async def list_everything(self) -> None:
        """One full observation."""

    @abc.abstractmethod
    async def close_provider(self) -> None:
        """Let go of what the provider holds open."""

    @abc.abstractmethod
    def register_touched(self, holders: Iterable[HolderId]) -> None:
        """Others changed what the register says of these holders."""

    def claims(self) -> int:
        """What percentages of the gate are counted against."""
        return self.mirror.claims()

    @property
    def is_ready(self) -> bool:
        """May passes rely on this connection?"""
        return not (self.health.breaker or self.health.lost_to) and self.is_observed

    @property
    def is_stale_long(self) -> bool:
        """Nothing complete for more than two drift intervals."""
        oldest = self.oldest_complete_at
        age = float("inf") if oldest is None else self.engine.clock.monotonic() - oldest
        return age > STALE_INTERVALS * self.limits.drift_interval_seconds

    def reconfigure(self, limits: ConnectionLimits) -> None:
        """An edit of the connection's limits takes effect without a restart."""
        if limits == self.limits:
            return
        if limits.max_in_flight != self.limits.max_in_flight:
            self.in_flight = asyncio.Semaphore(limits.max_in_flight)
        self.writes.reconfigure(rate_per_second=limits.writes_per_second, burst=write_burst(limits))
        self.gate.reconfigure(limits.change_limits)
        self.limits = limits
        self.request_listing()

    def loops(self) -> dict[str, Step]:
        """What runs besides passes, by name."""
        loops: dict[str, Step] = {
            "listing": self._list_step,
            "gate": self._gate_step,
            "budget": self._budget_step,
            "heartbeat": self._heartbeat_step,
            "register": self._register_step,
        }
        if self.engine.accounts is not None and self.call_reports is not None:
            loops["calls"] = self._calls_step
        return loops

    @property
    def call_reports(self) -> CallReports | None:
        """The log of calls that the system keeps, where it keeps one."""
        return None

    def number_of(self, user_id: str) -> str:
        """The number of a user by the system's id; empty for nobody's."""
        return ""

    @abc.abstractmethod
    def has_number(self, number: E164) -> bool:
        """Is this one of the numbers that we know here?"""

    def is_charged(self, number: E164) -> bool:
        """Is there to be a record of our SBC of each of its calls? There is none of a number that
        nothing of ours gave to somebody, nor of one whose calls pass our SBC by.
        """
        row = self.mirror.numbers.get(number)
        is_held = row is not None and row.state in HELD
        return is_held and self.has_number(number) and not self.is_past_our_sbc(number)

    def is_past_our_sbc(self, number: E164) -> bool:
        """Does the range or PhoneNumber that holds it say that others take its calls?"""
        specs = (
            getattr(cached.resource, "spec", None) for cached in self.engine.cache.holding(number)
        )
        return any(getattr(spec, "route", None) in FOREIGN_ROUTES for spec in specs)

    async def _calls_step(self) -> float:
        """Read on in the log of calls. What goes wrong with it is nobody's outage."""
        accounts, reports = self.engine.accounts, self.call_reports
        if accounts is None or reports is None or not self.is_ready:
            return CALLS_RETRY_SECONDS
        reader = EvidenceReader(
            reports,
            accounts.evidence,
            self.engine.clock,
            connection=f"{self.key.namespace}/{self.key.name}",
            number_of=self.number_of,
            is_line=self.is_charged,
        )
        try:
            _, pause_seconds = await reader.step()
        except PermissionMissing as error:
            log.info("%s: the log of calls may not be read: %s", self.connection, error)
            return CALLS_FORBIDDEN_SECONDS
        except Throttled as error:
            return max(error.retry_after_seconds, 1.0)
        except (ProviderError, StoreUnavailable) as error:
            log.warning("%s: the log of calls is read later: %s", self.connection, error)
            return CALLS_RETRY_SECONDS
        return pause_seconds

    def start(self) -> None:
        for name, step in self.loops().items():
            task = asyncio.create_task(self._forever(name, step), name=f"{self.connection}:{name}")
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.mirror.close()
        await self.close_provider()

    async def _forever(self, name: str, step: Step) -> None:
        """Run one loop; a failure is said and tried again, because a dead loop would be silent.

        A step returns the pause in seconds; None sleeps until the loop's bell is rung.
        """
        bell = self._bells.get(name, asyncio.Event())
        said = f"{self.key.namespace}/{self.key.name}"
        pause_seconds: float | None
        while True:
            bell.clear()
            try:
                # Not in the trace of the pass that once started the loop.
                with self.engine.traces.begin(
                    f"{self.connection.provider} {name}", if_followed=True, connection=said
                ):
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
                # Never a pause that rounds to none.
                return max(wait_seconds, 0.1)
        # Asked for again while this one is under way, it is done again.
        self._list_now.clear()
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

    def _listing_problem(self, text: str) -> None:
        changed = self.health.listing_problem != scrub(text)
        if changed:
            log.warning("%s: %s", self.connection, scrub(text))
        self.health.listing_problem = scrub(text)
        if changed:
            self.engine.queue.add(self.key, Priority.DEPENDENCY)

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

    async def guarded(self, read: Awaitable[Answer]) -> Answer:
        """Refused credentials are a matter of the whole connection, whoever meets them first."""
        try:
            return await read
        except AuthenticationFailed as error:
            self.open_breaker(str(error))
            raise

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
        for answer in sorted(self.withdrawn_answers | self.gate.fallen()):
            await self.gate.forget_answer(answer)
            self.withdrawn_answers.discard(answer)
        may_close = self.engine.barrier_passed and self.is_observed
        seconds = await self.gate.close_due(may_close=may_close)
        return None if seconds is None else max(seconds, 0.02)

    async def _budget_step(self) -> float | None:
        seconds = self.writes.serve()
        return None if seconds is None else max(seconds, 0.001)

    async def _heartbeat_step(self) -> float:
        now = self.engine.clock.now()
        cached = self.engine.cache.get(self.key)
        mirrored = int(cached.status.get("registerSequence") or 0) if cached is not None else 0
        # Right after a confirmation the object may still show what this register has not reached.
        mirrored = 0 if self.health.restored else min(mirrored, self.mirror.sequence)
        await self.mirror.heartbeat(now=now, mirrored=mirrored)
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
        self.register_touched(touched)
        await self._end_rests()
        return REGISTER_REFRESH_SECONDS

    async def _end_rests(self) -> None:
        if self.health.restored:
            # Whoever had the number again since then is not in a register from yesterday.
            return
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
