"""Virtual time for code that reads files in threads: they are read at once, on this very thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from callplane.testing.simulation.virtual_time import VirtualTimeLoop

Result = TypeVar("Result")


class MonthsLoop(VirtualTimeLoop):
    """What is given to an executor is done at once, for a file has no time of its own here."""

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is handed on as a future's
            done.set_exception(error)
        return done


class BeginClock:
    """The running loop's time, from `begin` on."""

    def __init__(self, begin: datetime) -> None:
        self._begin = begin

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run on virtual time. Processes that were killed leave tasks that never end: they are let go
    without a word.
    """
    loop = MonthsLoop()
    loop.set_exception_handler(lambda *_: None)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
        asyncio.set_event_loop(None)
        loop.close()
