"""A process that dies at a chosen write: tests of the engine kill it there and start another one.

Every port of the engine is wrapped. Writes are numbered in the order in which they arrive; at the
chosen one the process stops for good, before the write reaches anybody or after it took effect.
From then on no call of that process ever returns, as after SIGKILL.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

Port = TypeVar("Port")

#: What changes something outside of the process, by port.
CLUSTER_WRITES = frozenset({"create", "replace", "delete", "json_patch", "merge_patch", "apply"})
REGISTER_WRITES = frozenset({"commit", "hold_connection", "release_connection"})
PROVIDER_WRITES = frozenset({"send"})
CARRIER_WRITES = frozenset(
    {"order", "port_in", "release", "set_deletion_lock", "set_emergency_address", "set_route"}
)


class Tripwire:
    """Counts the writes of one process. `at` is the number of the write at which it dies."""

    def __init__(self, *, at: int | None = None, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.points: list[str] = []
        self.is_dead = False

    def kill(self) -> None:
        """The process dies now, wherever it is."""
        self.is_dead = True

    async def alive(self) -> None:
        """Never returns in a dead process."""
        if self.is_dead:
            await asyncio.Event().wait()

    async def carry_out(self, point: str, action: Callable[[], Awaitable[Any]]) -> Any:
        await self.alive()
        number = len(self.points)
        self.points.append(point)
        if number == self.at and not self.after:
            self.kill()
        await self.alive()
        try:
            return await action()
        finally:
            if number == self.at:
                self.kill()
            await self.alive()


def wired(port: Port, wire: Tripwire, writes: frozenset[str]) -> Port:
    """The same port, as one process sees it."""
    wrapped: Any = _Wired(port, wire, writes)
    return wrapped  # type: ignore[no-any-return]


class _Wired:
    def __init__(self, port: Any, wire: Tripwire, writes: frozenset[str]) -> None:
        self._port = port
        self._wire = wire
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if inspect.isasyncgenfunction(found):
            return self._paged(found)
        if not inspect.iscoroutinefunction(found) or name == "close":
            return found
        return self._called(name, found)

    def _paged(self, found: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def pages(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
            await self._wire.alive()
            async for page in found(*arguments, **options):
                await self._wire.alive()
                yield page

        return pages

    def _called(
        self, name: str, found: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **options: Any) -> Any:
            if name in self._writes:
                return await self._wire.carry_out(name, lambda: found(*arguments, **options))
            await self._wire.alive()
            result = await found(*arguments, **options)
            await self._wire.alive()
            return result

        return call
