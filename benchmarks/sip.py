"""Calls a second through a real SBC that asks call control about each of them.

    python benchmarks/sip.py [--rate 500] [--seconds 60] [--smoke]

SIPp places calls that ring 250 ms and last a second, Kamailio asks over evapi, and all of call
control but the decision and the books answers: every call is granted, records go to a book in
memory, both from the connection and from the spool. The reference, run before it for a sixth of the
time, is the same load to an exempt service, which the SBC passes on without asking. Everything runs
on this machine, so that the figures are those of all programs together. The last line is one JSON
object; a record is lost when an answered call has none in either copy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from callplane.callcontrol.running import running
from callplane.testing import polling, sbc_estates, sbc_programs, sbc_world
from callplane.testing.call_authorisers import MemoryBook, ScriptedAuthoriser, granting
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sipp import Load, Result, Sipp

SCENARIOS = Path(__file__).resolve().parent.parent / "tests" / "sbc" / "scenarios"
HOLD_MILLISECONDS = 1000
GRACE_SECONDS = 60.0
RECORDS_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One load: what SIPp counted and how long it took."""

    result: Result
    seconds: float

    @property
    def calls_per_second(self) -> float:
        return self.result.successful / self.seconds


@asynccontextmanager
async def call_control(world: SbcWorld, book: MemoryBook) -> AsyncGenerator[ScriptedAuthoriser]:
    """Everything of call control but the decision and the books."""
    authoriser = ScriptedAuthoriser(granting(300))
    async with running(authoriser, book, [world.place()]):
        await asyncio.to_thread(polling.until, lambda: world.connected() == 1, "connected")
        yield authoriser


async def measure(world: SbcWorld, folder: Path, dialled: str, load: Load) -> Measured:
    """Place the calls of one load."""
    scenario = folder / f"{dialled}.xml"
    text = (SCENARIOS / "caller.xml").read_text(encoding="utf-8")
    scenario.write_text(text.replace("+441614960123", dialled), encoding="utf-8")
    address = (sbc_estates.PBXES[""], world.estate.ports.peers)
    seconds = load.calls / load.calls_per_second
    started = time.perf_counter()
    caller = Sipp(scenario, address, folder)
    result = await caller.place(world.estate.core, load, seconds=seconds + GRACE_SECONDS)
    took = time.perf_counter() - started - load.hold_milliseconds / 1000
    return Measured(result, max(took, seconds))


async def run(estate: LoopbackSbc, rate: int, seconds: int, folder: Path) -> dict[str, float]:
    """The reference, then the load that is asked about."""
    book = MemoryBook()
    kamailio = Kamailio.rendered(estate.sbc(), folder)
    kamailio.shared_megabytes = 512
    port = estate.ports.peers
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(sbc_world.around(estate, kamailio))
        for address in (sbc_estates.ALPHA, sbc_estates.BRAVO):
            callee = Sipp(SCENARIOS / "callee.xml", (address, port), folder)
            await stack.enter_async_context(callee.taking())
        authoriser = await stack.enter_async_context(call_control(world, book))
        short = Load(rate, max(rate, rate * seconds // 6), HOLD_MILLISECONDS)
        reference = await measure(world, folder, "111", short)
        say("not asked about", reference)
        asked = await measure(
            world, folder, "+441614960123", Load(rate, rate * seconds, HOLD_MILLISECONDS)
        )
        say("asked about", asked)
        answered = reference.result.successful + asked.result.successful
        with_record = await asyncio.to_thread(all_records, book, answered)
    return {
        "calls_per_second": round(asked.calls_per_second, 1),
        "failed": asked.result.failed,
        "lost_cdrs": max(0, answered - with_record),
        "retransmissions": asked.result.retransmissions,
        "asked": len(authoriser.asked),
        "ratio_to_unasked": round(asked.calls_per_second / reference.calls_per_second, 3),
        "cores": os.cpu_count() or 0,
    }


def all_records(book: MemoryBook, expected: int) -> int:
    """How many calls have a record, once all have or waiting is of no use."""
    deadline = time.monotonic() + RECORDS_SECONDS
    while len(book.posted) < expected and time.monotonic() < deadline:
        time.sleep(0.2)
    return len(book.posted)


def say(what: str, measured: Measured) -> None:
    result = measured.result
    print(
        f"{what:<16} {measured.calls_per_second:7.1f} calls/s  {result.failed} failed  "
        f"{result.retransmissions} retransmissions",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rate", type=int, default=500, help="calls a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--smoke", action="store_true", help="20 calls a second for 3 seconds")
    options = parser.parse_args()
    if reason := sbc_programs.missing():
        print(f"cannot be measured here: {reason}", file=sys.stderr)
        return 1
    rate, seconds = (20, 3) if options.smoke else (options.rate, options.seconds)
    # A smoke test is no measurement: it may run beside anything.
    verdict = (sbc_estates.VERDICT_MILLISECONDS, sbc_estates.PATIENT_MILLISECONDS)[options.smoke]
    estate = LoopbackSbc(verdict_milliseconds=verdict)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(run(estate, rate, seconds, Path(folder)))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
