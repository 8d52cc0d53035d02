"""Every call of a real SBC ends in the book exactly once, whatever is killed in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from callplane.callcontrol.running import running
from callplane.cli import app
from callplane.testing import polling, sbc_estates
from callplane.testing.call_authorisers import MemoryBook, ScriptedAuthoriser, granting
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sipp import Load, Sipp

SCENARIOS = Path(__file__).parent / "scenarios"
HELD = "+442079460001"
DOMESTIC = "+441614960123"


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(verdict_milliseconds=sbc_estates.PATIENT_MILLISECONDS)


@dataclass
class CallControl:
    """All of call control but what decides and what keeps the books."""

    authoriser: ScriptedAuthoriser
    book: MemoryBook


@asynccontextmanager
async def call_control(world: SbcWorld, book: MemoryBook) -> AsyncGenerator[CallControl]:
    """Run it while the block runs; leaving ends it as a kill would."""
    authoriser = ScriptedAuthoriser(granting(60))
    async with running(authoriser, book, [world.place()]):
        await asyncio.to_thread(polling.until, lambda: world.connected() == 1, "connected")
        yield CallControl(authoriser, book)


async def test_a_thousand_calls_and_nothing_lost(world: SbcWorld, tmp_path: Path) -> None:
    """50 calls a second for 20 seconds."""
    port = world.estate.ports.peers
    callee = Sipp(SCENARIOS / "callee.xml", (sbc_estates.ALPHA, port), tmp_path)
    caller = Sipp(SCENARIOS / "caller.xml", (sbc_estates.PBXES[""], port), tmp_path)
    book = MemoryBook()
    async with callee.taking(), call_control(world, book) as control:
        load = Load(calls_per_second=50, calls=1000, hold_milliseconds=200)
        result = await caller.place(world.estate.core, load, seconds=60)
        assert (result.successful, result.failed) == (1000, 0)
        await asyncio.to_thread(
            polling.until, lambda: len(book.posted) >= 1000, "records", seconds=30
        )
        asked = {question.attempt_id for question in control.authoriser.asked}
        assert set(book.posted) == asked
        assert len(asked) == 1000
        # Both copies arrived, and the book took one of them.
        await asyncio.to_thread(
            polling.until, lambda: sum(book.batches) == 2000, "copies", seconds=30
        )
    assert {record.reservation_id for record in book.posted.values()} == {
        f"r-{attempt_id}" for attempt_id in book.posted
    }


async def test_calls_that_end_while_call_control_is_away(world: SbcWorld) -> None:
    alpha, _, _ = await world.carriers()
    pbx = await world.pbx()
    book = MemoryBook()
    async with call_control(world, book):
        calls = [await pbx.call(world.uri(DOMESTIC), world.estate.core) for _ in range(10)]
        assert [call.status for call in calls] == [200] * 10
    for call in calls:
        assert (await call.bye()).status == 200
    assert book.posted == {}
    async with call_control(world, book):
        await asyncio.to_thread(polling.until, lambda: len(book.posted) == 10, "ten records")
    assert len(alpha.requests("BYE")) == 10


async def test_records_survive_a_kill_of_everything(world: SbcWorld) -> None:
    """The queue in memory goes down with Kamailio; the spool does not."""
    await world.carriers()
    pbx = await world.pbx()
    book = MemoryBook(broken=True)
    async with call_control(world, book):
        for _ in range(10):
            call = await pbx.call(world.uri(DOMESTIC), world.estate.core, caller=HELD)
            assert (await call.bye()).status == 200
        spool = world.kamailio.spool
        await asyncio.to_thread(
            polling.until, lambda: spool.read_bytes().count(b"log_write_cdr") == 10, "ten lines"
        )
    world.kamailio.kill()
    book.broken = False
    await asyncio.to_thread(world.kamailio.start)
    async with call_control(world, book):
        await asyncio.to_thread(polling.until, lambda: len(book.posted) == 10, "ten records")


async def test_a_drain_lets_calls_end_by_themselves(
    world: SbcWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the verb, as a hook before a stop would."""
    alpha, _, _ = await world.carriers()
    pbx = await world.pbx()
    book = MemoryBook()
    socket = str(world.kamailio.control.path)
    async with call_control(world, book):
        calls = [await pbx.call(world.uri(DOMESTIC), world.estate.core) for _ in range(3)]
        draining = asyncio.create_task(asyncio.to_thread(app.run, ["sbc", "drain", socket]))
        await asyncio.to_thread(polling.until, lambda: world.state("drain") == 1, "it drains")
        assert (await pbx.call(world.uri(DOMESTIC), world.estate.core)).status == 503
        assert alpha.requests("BYE") == []
        assert (await calls[0].within("INVITE", 2)).status == 200
        emergency = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
        assert not draining.done()
        for call in (*calls, emergency):
            assert (await call.bye()).status == 200
        assert await asyncio.wait_for(draining, 60) == 0
        # They have left the SBC, and may be on their way into the book.
        await asyncio.to_thread(polling.until, lambda: len(book.posted) == 4, "four records")
        assert capsys.readouterr().err.splitlines()[-1] == "quiet"
        assert await asyncio.to_thread(app.run, ["sbc", "resume", socket]) == 0
        assert (await pbx.call(world.uri(DOMESTIC), world.estate.core)).status == 200


async def test_a_drain_that_takes_too_long_says_what_is_left(
    world: SbcWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.carriers()
    pbx = await world.pbx()
    call = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
    arguments = ["sbc", "drain", str(world.kamailio.control.path), "--limit", "1s"]
    assert await asyncio.to_thread(app.run, arguments) == 1
    assert "not quiet after 1s: 1 call up" in capsys.readouterr().err
    # The call is up all the same.
    assert (await call.bye()).status == 200
