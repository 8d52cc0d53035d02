"""Operator processes that run, stand still or die, and the Lease they pass on.

A process reaches the outside only through its ports, and each port asks the process's `Life` first:
a dead process never gets an answer, one that stands still gets it when it goes on. That is all that
SIGKILL and SIGSTOP mean to the others.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from callplane.clock import Clock
from callplane.settings import OperatorSettings

Port = TypeVar("Port")

RENEWAL_PAUSE_SECONDS = 2.0


class Life:
    """Whether one process runs. `dies_in` counts calls of ports down to a sudden death,
    `pauses_in` commits down to standing still with the answer not yet read: the worst moment there
    is, for the next step of a write is to send it.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.is_dead = False
        self.dies_in: int | None = None
        self.pauses_in: int | None = None
        self.last_renewal: float | None = None
        self._clock = clock
        self._runs = asyncio.Event()
        self._runs.set()

    @property
    def stands_still(self) -> bool:
        return not self._runs.is_set()

    def kill(self) -> None:
        """The process dies now, wherever it is."""
        self.is_dead = True

    def pause(self) -> None:
        """Stand still; the Lease is not renewed from now on, also not after going on."""
        self.stop_renewing()
        self._runs.clear()

    def stop_renewing(self) -> None:
        """The API server cannot be reached."""
        if self.last_renewal is None:
            self.last_renewal = self._clock.monotonic()

    def go_on(self) -> None:
        self._runs.set()

    def committed(self) -> None:
        """A commit of this process has taken effect."""
        if self.pauses_in is not None:
            self.pauses_in -= 1
            if self.pauses_in <= 0:
                self.pauses_in = None
                self.pause()

    async def step(self) -> None:
        """Pass through here before and after each call. Never returns in a dead process."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                self.is_dead = True
        while not self._runs.is_set():
            await self._runs.wait()
        if self.is_dead:
            await asyncio.Event().wait()


class Fence:
    """What the Lease lets one process write; see `cluster.lease`."""

    def __init__(self, life: Life, clock: Clock, settings: OperatorSettings) -> None:
        self._life = life
        self._clock = clock
        self._settings = settings

    def may_write(self, write_timeout_seconds: float) -> bool:
        now = self._clock.monotonic()
        renewed_at = self._life.last_renewal
        if renewed_at is None:
            renewed_at = now - RENEWAL_PAUSE_SECONDS
        return now + write_timeout_seconds < renewed_at + self._settings.renew_deadline_seconds


def belonging_to(life: Life, port: Port) -> Port:
    """The same port, as that process sees it."""
    wrapped: Any = _LivingPort(life, port)
    return wrapped  # type: ignore[no-any-return]


class _LivingPort:
    def __init__(self, life: Life, port: Any) -> None:
        self._life = life
        self._port = port

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if inspect.isasyncgenfunction(found):
            return self._pages(found)
        if not inspect.iscoroutinefunction(found) or name == "close":
            return found
        return self._call(found)

    def _pages(self, found: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def pages(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
            await self._life.step()
            async for page in found(*arguments, **options):
                await self._life.step()
                yield page

        return pages

    def _call(self, found: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **options: Any) -> Any:
            await self._life.step()
            try:
                result = await found(*arguments, **options)
            except Exception:
                # An error, too, reaches a process only while it lives.
                await self._life.step()
                raise
            await self._life.step()
            return result

        return call
