"""SIPp for tests: a scenario at an address, and what came of it."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from callplane.testing import sbc_programs


@dataclass(frozen=True, slots=True)
class Load:
    """So many calls a second, so many in all, each held so long."""

    calls_per_second: int
    calls: int
    hold_milliseconds: int


@dataclass(frozen=True, slots=True)
class Result:
    """What SIPp counted."""

    successful: int
    failed: int
    retransmissions: int


@dataclass(frozen=True, slots=True)
class Sipp:
    """A scenario and the address it speaks from."""

    scenario: Path
    address: tuple[str, int]
    folder: Path

    def _command(self, *options: str) -> list[str]:
        program = sbc_programs.find("sipp")
        assert program is not None
        host, port = self.address
        place = ["-sf", str(self.scenario), "-i", host, "-p", str(port)]
        return [*program.command, *place, "-nostdin", "-ci", "127.0.0.1", *options]

    async def place(self, target: tuple[str, int], load: Load, *, seconds: float) -> Result:
        """Place calls and wait until they are over, `seconds` at most."""
        statistics = self.folder / "caller.csv"
        options = [
            *("-r", str(load.calls_per_second), "-m", str(load.calls)),
            *("-d", str(load.hold_milliseconds), "-l", str(load.calls)),
            *("-trace_stat", "-fd", "1", "-stf", str(statistics)),
            f"{target[0]}:{target[1]}",
        ]
        process = await self._start(*options)
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        finally:
            await _end(process)
        # 1 says that calls failed; anything else, that it could not work.
        assert process.returncode in (0, 1), f"SIPp ended with {process.returncode}"
        return _result(statistics)

    @asynccontextmanager
    async def taking(self) -> AsyncGenerator[None]:
        """Take calls while the block runs."""
        process = await self._start()
        try:
            yield
        finally:
            await _end(process)

    async def _start(self, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command(*options),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _result(statistics: Path) -> Result:
    with statistics.open(encoding="utf-8", newline="") as file:
        *_, last = csv.DictReader(file, delimiter=";")
    return Result(
        int(last["SuccessfulCall(C)"]),
        int(last["FailedCall(C)"]),
        int(last["Retransmissions(C)"]),
    )
