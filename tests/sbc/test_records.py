"""Each call's record exists twice; the one in the spool survives a kill at any moment."""

from __future__ import annotations

import asyncio

from callplane.callcontrol import spool
from callplane.callcontrol.messages import CallRecord
from callplane.testing import polling, sbc_world
from callplane.testing.sbc_world import SbcWorld

HELD = "+442079460001"


def spooled(world: SbcWorld) -> list[CallRecord]:
    lines = world.kamailio.spool.read_bytes().splitlines(keepends=True)
    return [record for line in lines if (record := spool.parse_line(line)) is not None]


async def test_records_are_there_after_kill_9(world: SbcWorld) -> None:
    await world.carriers()
    pbx = await world.pbx()
    for dialled in ("999", "111", "+442079460002"):
        call = await pbx.call(world.uri(dialled), world.estate.core, caller=HELD)
        assert (await call.bye()).status == 200
    await asyncio.to_thread(polling.until, lambda: len(spooled(world)) == 3, "three records")
    world.kamailio.kill()
    before = spooled(world)
    assert [record.call_class for record in before] == ["emergency", "exempt", "on-net"]
    assert len({record.attempt_id for record in before}) == 3
    await asyncio.to_thread(world.kamailio.start)
    call = await pbx.call(world.uri("112"), world.estate.core, caller=HELD)
    await call.bye()
    await asyncio.to_thread(polling.until, lambda: len(spooled(world)) == 4, "one more record")
    assert spooled(world)[:3] == before


async def test_both_copies_say_the_same(world: SbcWorld) -> None:
    """Call control was away, and gets from the queue what the spool holds already."""
    await world.carriers()
    pbx = await world.pbx()
    calls = [await pbx.call(world.uri("999"), world.estate.core, caller=HELD) for _ in range(5)]
    await asyncio.sleep(1.5)
    for call in calls:
        assert (await call.bye()).status == 200
    await asyncio.to_thread(polling.until, lambda: len(spooled(world)) == 5, "five records")
    stand_in = await world.call_control(sbc_world.silent)

    def queued() -> list[CallRecord]:
        return [event for event in stand_in.heard if isinstance(event, CallRecord)]

    await asyncio.to_thread(polling.until, lambda: len(queued()) == 5, "five records")
    by_attempt = {record.attempt_id: record for record in spooled(world)}
    assert {record.attempt_id for record in queued()} == set(by_attempt)
    for record in queued():
        twin = by_attempt[record.attempt_id]
        assert (record.dialled, record.caller) == (twin.dialled, twin.caller)
        assert record.duration_milliseconds >= 1500
        # Each copy looks at the clock by itself, one after the other.
        assert abs(record.duration_milliseconds - twin.duration_milliseconds) < 500


async def test_a_call_that_nobody_answered_has_no_record(world: SbcWorld) -> None:
    alpha, bravo, charlie = await world.carriers()
    for carrier in (alpha, bravo, charlie):
        carrier.answering = lambda _: (486,)
    pbx = await world.pbx()
    assert (await pbx.call(world.uri("111"), world.estate.core, caller=HELD)).status >= 400
    call = await pbx.call(world.uri("+442079460002"), world.estate.core, caller=HELD)
    assert (await call.bye()).status == 200
    await asyncio.to_thread(polling.until, lambda: len(spooled(world)) == 1, "one record")
