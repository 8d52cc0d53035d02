"""The work queue: keys, never events. A key waits at most once, runs at most once, and has at most
one timer.

Kopf's own per-object workers would tie throughput to idle time-outs and keep no priorities, so the
watch only rings here and workers take keys in order of priority (facts measured in docs/adr/0001).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from callplane.tracing import Trigger, trigger_of
from callplane.values import ObjectKey

BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 300.0
# One take in this many serves the longest-waiting drift check first, so that a flood cannot starve
# it.
DRIFT_TURN = 50
TIMER_RESOLUTION_SECONDS = 0.001
# Of what asked for one pass so many are remembered, where somebody traces passes.
TRIGGERS_MAX = 32


class Priority(IntEnum):
    """Smaller runs first."""

    USER = 0
    DEPENDENCY = 1
    RETRY = 2
    INITIAL = 3
    DRIFT = 4


_LANES = tuple(Priority)
_DRIFT_FIRST = tuple(reversed(Priority))


@dataclass(frozen=True, slots=True)
class Taken:
    """A key handed to a worker; `waited_seconds` is for the metrics, `triggers` are for traces."""

    key: ObjectKey
    priority: Priority
    waited_seconds: float
    triggers: tuple[Trigger, ...] = ()


class KeyedQueue:
    """Deduplicating priority queue with timers and per-key back-off. For one event loop."""

    def __init__(self, monotonic: Callable[[], float], chance: random.Random) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._order = itertools.count()
        self._sleepers: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._ready: list[list[tuple[int, ObjectKey]]] = [[] for _ in Priority]
        self._waiting: dict[ObjectKey, tuple[Priority, float, int]] = {}
        self._counts = [0 for _ in Priority]
        self._timers: list[tuple[float, int, ObjectKey]] = []
        self._due: dict[ObjectKey, tuple[float, Priority]] = {}
        self._running: set[ObjectKey] = set()
        self._again: dict[ObjectKey, Priority] = {}
        self._failures: dict[ObjectKey, int] = {}
        self._triggers: dict[ObjectKey, list[Trigger]] = {}
        self._takes = 0

    def add(self, key: ObjectKey, priority: Priority) -> None:
        """Ask for a pass; asking again only ever raises the priority."""
        self._remember_trigger(key)
        self._put(key, priority)

    def _put(self, key: ObjectKey, priority: Priority) -> None:
        if key in self._running:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        waiting = self._waiting.get(key)
        if waiting is not None and waiting[0] <= priority:
            return
        since = waiting[1] if waiting is not None else self._monotonic()
        if waiting is not None:
            self._counts[waiting[0]] -= 1
        self._counts[priority] += 1
        order = next(self._order)
        self._waiting[key] = (priority, since, order)
        heapq.heappush(self._ready[priority], (order, key))
        self._rouse()

    def add_later(self, key: ObjectKey, priority: Priority, delay_seconds: float) -> None:
        """Ask for a pass after a delay; replaces the key's timer unless that one is due sooner."""
        self._remember_trigger(key)
        when = self._monotonic() + max(delay_seconds, 0.0)
        due = self._due.get(key)
        if due is not None and due[0] <= when and due[1] <= priority:
            return
        self._due[key] = (when, priority)
        heapq.heappush(self._timers, (when, next(self._order), key))
        self._set_alarm()

    def _remember_trigger(self, key: ObjectKey) -> None:
        trigger = trigger_of(key)
        if trigger is None:
            return
        triggers = self._triggers.setdefault(key, [])
        if len(triggers) < TRIGGERS_MAX and trigger not in triggers:
            triggers.append(trigger)

    async def take(self) -> Taken:
        """The next key; waits until there is one. The caller must call `done` for it."""
        while True:
            self._fire_timers()
            taken = self._pop()
            if taken is not None:
                return taken
            await self._sleep()

    async def _sleep(self) -> None:
        """Until there may be something to take. Each new key wakes one sleeper, not all of them."""
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        self._set_alarm()
        try:
            await sleeper
        except asyncio.CancelledError:
            if sleeper.cancelled():
                self._sleepers.remove(sleeper)
            else:
                # Woken and cancelled at one time: somebody else takes the key.
                self._rouse()
            raise

    def _rouse(self) -> None:
        while self._sleepers:
            sleeper = self._sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return

    def _set_alarm(self) -> None:
        """One timer of the loop for all timers of ours, and only while somebody sleeps."""
        if not self._timers or not self._sleepers:
            return
        due_at = self._timers[0][0]
        if self._alarm is not None:
            if self._alarm_at <= due_at:
                return
            self._alarm.cancel()
        # A clock cannot sleep less than its own resolution: never spin on the rest.
        delay = max(due_at - self._monotonic(), TIMER_RESOLUTION_SECONDS)
        self._alarm_at = due_at
        self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._fire_timers()
        self._set_alarm()

    def done(self, key: ObjectKey) -> None:
        """The pass of a key has ended; what was asked meanwhile runs now."""
        self._running.discard(key)
        again = self._again.pop(key, None)
        if again is not None:
            self._put(key, again)

    def succeeded(self, key: ObjectKey) -> None:
        self._failures.pop(key, None)

    def failed(self, key: ObjectKey) -> float:
        """Schedule a retry with exponential back-off and full jitter; returns the delay in
        seconds.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        ceiling = min(BACKOFF_FIRST_SECONDS * 2.0**failures, BACKOFF_MAX_SECONDS)
        delay = self._chance.uniform(ceiling / 2, ceiling)
        self.add_later(key, Priority.RETRY, delay)
        return delay

    def try_failed(self) -> None:
        """What made passes fail is over: try them now, not when their back-off ends."""
        for key in tuple(self._failures):
            self.add(key, Priority.RETRY)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone: drop its waiting place, timer and failures."""
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._counts[waiting[0]] -= 1
        self._due.pop(key, None)
        self._failures.pop(key, None)
        self._again.pop(key, None)
        self._triggers.pop(key, None)

    def is_asked_for(self, key: ObjectKey) -> bool:
        """Does a pass of the key wait for its turn?"""
        return key in self._waiting or key in self._again

    def depth(self) -> dict[Priority, int]:
        return {priority: self._counts[priority] for priority in Priority}

    def waiting(self, priority: Priority) -> int:
        """How many keys wait with that priority."""
        return self._counts[priority]

    def oldest_wait_seconds(self) -> float:
        """Age of the longest-waiting key that is not a drift check; 0 when nothing waits."""
        since = [s for p, s, _ in self._waiting.values() if p is not Priority.DRIFT]
        return self._monotonic() - min(since) if since else 0.0

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._running

    def _fire_timers(self) -> None:
        now = self._monotonic()
        while self._timers and self._timers[0][0] <= now:
            when, _, key = heapq.heappop(self._timers)
            due = self._due.get(key)
            if due is not None and due[0] == when:
                del self._due[key]
                # Whatever set the alarm, it is not what asked for this.
                self._put(key, due[1])

    def _pop(self) -> Taken | None:
        self._takes += 1
        for priority in _LANES if self._takes % DRIFT_TURN else _DRIFT_FIRST:
            heap = self._ready[priority]
            while heap:
                order, key = heapq.heappop(heap)
                waiting = self._waiting.get(key)
                if waiting is not None and waiting[2] == order:
                    del self._waiting[key]
                    self._counts[priority] -= 1
                    # The pass looks now and says itself when to look again.
                    self._due.pop(key, None)
                    self._running.add(key)
                    triggers = tuple(self._triggers.pop(key, ()))
                    return Taken(key, priority, self._monotonic() - waiting[1], triggers)
        return None
