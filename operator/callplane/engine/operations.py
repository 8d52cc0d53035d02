"""Watches asynchronous orders until they end, then brings their objects back for the read-back.

Few orders are looked at one by one. Above `bulk_operations` the number inventory is listed instead,
so that the calls of a mass change grow with pages and not with people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callplane.engine.keyed_queue import Priority
from callplane.providers.protocol import (
    AuthenticationFailed,
    Family,
    OperationState,
    OperationStatus,
    ProviderError,
    Throttled,
)
from callplane.values import E164, ObjectKey

if TYPE_CHECKING:
    from callplane.engine.connections import ConnectionRuntime

POLL_PAUSE_SECONDS = 0.05
POLL_PAUSE_MAX_SECONDS = 30.0
# Between listings that answer for many orders: they may take a sixth of the time, since each reads
# the whole inventory, and nobody waits longer than the longest pause for an end that has come.
BULK_PAUSE_SECONDS = 1.0
BULK_PAUSE_MAX_SECONDS = 10.0
BULK_PAUSE_SHARE = 5.0


@dataclass(slots=True)
class OpenOperation:
    """One order: whose it is, what it does to which number, and when it is looked at next."""

    token: str
    key: ObjectKey
    number: E164 | None
    expected_holder: str | None
    started_at: float
    next_poll_at: float
    pause_seconds: float


class OperationWatch:
    """Open orders by token; `ended` keeps what the provider said until the pass has taken it."""

    def __init__(self, runtime: ConnectionRuntime) -> None:
        self._runtime = runtime
        self._open: dict[str, OpenOperation] = {}
        self._ended: dict[str, OperationStatus] = {}
        self._list_at = float("-inf")
        # Rung when there is something new to watch, so that whoever calls `step` can sleep.
        self.ring: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._open)

    def watch(
        self, token: str, key: ObjectKey, *, number: E164 | None, expected_holder: str | None
    ) -> None:
        """Start watching; watching again changes nothing."""
        if token in self._open or token in self._ended:
            return
        now = self._runtime.engine.clock.monotonic()
        pause = self._runtime.engine.settings.operation_poll_seconds
        self._open[token] = OpenOperation(
            token, key, number, expected_holder, now, now + pause, pause
        )
        self.ring()

    def take_ended(self, token: str) -> OperationStatus | None:
        """How the order ended, once; None while it is open or was never watched."""
        return self._ended.pop(token, None)

    def put_back(self, token: str, status: OperationStatus) -> None:
        """The end could not be acted on yet: keep it for the next pass."""
        self._ended[token] = status

    def is_open(self, token: str) -> bool:
        return token in self._open

    def forget(self, token: str) -> None:
        self._open.pop(token, None)
        self._ended.pop(token, None)

    async def step(self) -> float | None:
        """One turn of the loop; returns the pause in seconds, None while nothing is open."""
        if not self._open:
            return None
        if self._runtime.health.breaker:
            return POLL_PAUSE_MAX_SECONDS
        try:
            if len(self._open) > self._runtime.engine.settings.bulk_operations:
                return await self._list_numbers()
            await self._poll_due()
        except AuthenticationFailed as error:
            self._runtime.open_breaker(str(error))
        except Throttled as error:
            return max(error.retry_after_seconds, POLL_PAUSE_SECONDS)
        except ProviderError:
            # Reads may fail; orders stay open and are looked at again.
            return POLL_PAUSE_MAX_SECONDS / 10
        return self._next_poll_seconds()

    def _next_poll_seconds(self) -> float | None:
        if not self._open:
            return None
        due = min(operation.next_poll_at for operation in self._open.values())
        return max(due - self._runtime.engine.clock.monotonic(), POLL_PAUSE_SECONDS)

    async def _poll_due(self) -> None:
        now = self._runtime.engine.clock.monotonic()
        due = [item for item in self._open.values() if item.next_poll_at <= now]
        ends = await asyncio.gather(
            *(self._poll(item, now) for item in due), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _poll(self, operation: OpenOperation, now: float) -> None:
        """The number first: it is read back anyway, and what it shows is the end of the order."""
        if operation.number is not None:
            await self._runtime.read_number(operation.number)
            if self._shows_effect(operation):
                self._end(operation, OperationStatus(OperationState.SUCCEEDED))
                return
        status = await self._runtime.provider.poll(operation.token)
        if status.state is OperationState.RUNNING and not self._is_overdue(operation, now):
            operation.pause_seconds = min(operation.pause_seconds * 1.5, POLL_PAUSE_MAX_SECONDS)
            operation.next_poll_at = now + operation.pause_seconds
            return
        self._end(operation, status)

    async def _list_numbers(self) -> float:
        """One listing answers for all: an order has ended when its number shows the effect."""
        now = self._runtime.engine.clock.monotonic()
        if self._list_at - now > POLL_PAUSE_SECONDS:
            return self._list_at - now
        self._list_at = now + BULK_PAUSE_SECONDS
        await self._runtime.list_family(Family.NUMBERS, priority=Priority.RETRY)
        ended_at = self._runtime.engine.clock.monotonic()
        pause_seconds = max(BULK_PAUSE_SECONDS, BULK_PAUSE_SHARE * (ended_at - now))
        pause_seconds = min(pause_seconds, BULK_PAUSE_MAX_SECONDS)
        self._list_at = ended_at + pause_seconds
        for operation in list(self._open.values()):
            if self._shows_effect(operation):
                self._end(operation, OperationStatus(OperationState.SUCCEEDED))
            elif self._is_overdue(operation, now):
                self._end(operation, await self._runtime.provider.poll(operation.token))
        return pause_seconds

    def _shows_effect(self, operation: OpenOperation) -> bool:
        if operation.number is None:
            return False
        entry = self._runtime.snapshot.numbers.get(operation.number)
        if entry is None or entry.observed_at < operation.started_at:
            return False
        holder = entry.row.holder_id if entry.row is not None else None
        return holder == operation.expected_holder

    def _is_overdue(self, operation: OpenOperation, now: float) -> bool:
        deadline = self._runtime.engine.settings.operation_deadline_seconds
        return now - operation.started_at > deadline

    def _end(self, operation: OpenOperation, status: OperationStatus) -> None:
        if self._open.pop(operation.token, None) is None:
            return
        self._ended[operation.token] = status
        self._runtime.engine.queue.add(operation.key, Priority.RETRY)
